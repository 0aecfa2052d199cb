"""All students to one ONNX file; refused unless it gives PyTorch's probabilities."""

from pathlib import Path

from birdclef.exporting import export_model
from birdclef.params import load_params

MODEL = Path("models/birdclef.onnx")


def main() -> None:
    export_model(load_params(), MODEL)


if __name__ == "__main__":
    main()
