"""Options of `birdclef predict`, each with its help text."""

from pathlib import Path
from typing import Annotated

import typer

from birdclef.predict.formats import FORMATS

_FORMATS = "; ".join(f"{name}: {form.what}" for name, form in FORMATS.items())

Recordings = Annotated[list[Path], typer.Argument(help="Recordings, or folders with recordings.")]
Model = Annotated[Path, typer.Option(help="Exported model file.")]
Out = Annotated[Path, typer.Option(help="File to write; a folder for format audacity.")]
Form = Annotated[
    str | None,
    typer.Option(
        "--format",
        help=f"{_FORMATS}. Without this option, the suffix of --out selects the format.",
    ),
]
MinConfidence = Annotated[
    float | None, typer.Option(min=0, max=1, help="Minimum probability to report (default 0.1).")
]
OwnThresholds = Annotated[
    bool, typer.Option("--own-thresholds", help="Use each species' own threshold as its minimum.")
]
TopK = Annotated[
    int, typer.Option(min=0, help="Maximum number of species per window; 0 = no limit.")
]
SpeciesList = Annotated[
    Path | None,
    typer.Option(
        help="Report only the species in this text file: one code, scientific or common name per"
        " line."
    ),
]
Overlap = Annotated[float, typer.Option(min=0, help="Overlap of consecutive windows in seconds.")]
Calibrate = Annotated[
    bool, typer.Option("--calibrate", help="Calibrate probabilities with the model's curves.")
]
RecordingMax = Annotated[
    float,
    typer.Option(
        min=0,
        help="Weight with which to raise a species that is clear elsewhere in the recording;"
        " 0 = off, the original used 0.8.",
    ),
]
Smooth = Annotated[bool, typer.Option("--smooth", help="Average probabilities over five windows.")]
SampleSubmission = Annotated[
    Path | None, typer.Option(help="Competition's sample, whose columns format submission copies.")
]
Threads = Annotated[int, typer.Option(min=0, help="Number of threads; 0 = one per core.")]
Engine = Annotated[str, typer.Option(help="Engine: onnxruntime, openvino or openvino-bf16.")]
