"""Trained models to one ONNX file, checked against PyTorch."""
