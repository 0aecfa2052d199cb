"""Names that rooms agree on: where outputs lie, which suffixes are sound, parts of a model file."""

from pathlib import Path
from typing import Literal

# outputs of the pipeline, relative to the repository
INDEX = Path("data/index")
CLIPS = Path("data/clips")
SOUNDSCAPES = Path("data/soundscapes")
PSEUDO_LABELS = Path("data/pseudo_labels")
TRAINED = Path("models/trained")
MODEL = Path("models/birdclef.onnx")
METRICS = Path("metrics")

# what every training reads
INPUT_FILES = [
    *(INDEX / name for name in ("species.csv", "kept.csv", "folds.csv")),
    CLIPS / "index.csv",
]

# of files that libsndfile decodes
AUDIO_SUFFIXES = (
    *(".ogg", ".oga", ".opus", ".mp3", ".flac", ".wav", ".aif", ".aiff"),
    *(".au", ".caf", ".rf64", ".w64"),
)

Kind = Literal["unlabeled", "labeled"]  # of soundscapes

# names inside the exported file; the image is what the mel hands to the networks
INPUT, IMAGE, OUTPUT, METADATA = "waveform", "image", "probabilities", "birdclef"
