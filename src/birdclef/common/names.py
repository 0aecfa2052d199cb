"""Names shared by several packages: output paths, audio suffixes, names in the model file."""

from pathlib import Path
from typing import Literal

# outputs of the pipeline, relative to the root of the repository
INDEX = Path("data/index")
CLIPS = Path("data/clips")
SOUNDSCAPES = Path("data/soundscapes")
PSEUDO_LABELS = Path("data/pseudo_labels")
TRAINED = Path("models/trained")
MODEL = Path("models/birdclef.onnx")
METRICS = Path("metrics")

# the input files of every training run
INPUT_FILES = [
    *(INDEX / name for name in ("species.csv", "kept.csv", "folds.csv")),
    CLIPS / "index.csv",
]

# suffixes of the audio formats that libsndfile decodes
AUDIO_SUFFIXES = (
    *(".ogg", ".oga", ".opus", ".mp3", ".flac", ".wav", ".aif", ".aiff"),
    *(".aifc", ".au", ".bwf", ".caf", ".mp2", ".rf64", ".snd", ".sph", ".voc", ".w64", ".xi"),
)
# suffixes of sound that it does not decode: such files are named, and are not skipped in silence
OTHER_SOUND_SUFFIXES = (
    *(".m4a", ".m4b", ".aac", ".mp4", ".mov", ".3gp", ".amr", ".wma", ".webm", ".mka"),
    *(".ape", ".wv", ".tta", ".tak", ".mpc", ".ac3", ".dts", ".spx", ".ra", ".dsf"),
)
NOT_DECODED = "libsndfile does not decode this format: convert it with ffmpeg -i FILE FILE.flac"

NO_FOLD = -1  # of a recording that every model trains on, so that no fold scores it
Fold = int | str  # the fold that a model holds out, or full_0, full_1, ...: it holds out nothing

Kind = Literal["unlabeled", "labeled"]  # the two kinds of soundscapes

# names inside the exported file; the image is the mel spectrogram, which the networks read
INPUT, IMAGE, OUTPUT, METADATA = "waveform", "image", "probabilities", "birdclef"
