"""Export of trained models to one ONNX file, checked against PyTorch."""
