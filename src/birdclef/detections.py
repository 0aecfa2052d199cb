"""Windows of many recordings to one table of detections."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from birdclef.inference import Detector, Window

AUDIO_SUFFIXES = {".ogg", ".oga", ".opus", ".mp3", ".flac", ".wav", ".aif", ".aiff"}


class Detection(NamedTuple):
    """One species that was heard in one window."""

    file: str
    start_s: float
    end_s: float
    species: str
    common_name: str
    probability: float


def find_recordings(paths: Sequence[Path]) -> list[Path]:
    """Files as given, and every audio file inside folders, sorted.

    Raises:
        FileNotFoundError: a path does not exist.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist")
        inside = path.rglob("*") if path.is_dir() else [path]
        found += sorted(p for p in inside if path.is_file() or p.suffix.lower() in AUDIO_SUFFIXES)
    return list(dict.fromkeys(found))


def detections(
    detector: Detector, file: str, windows: Iterable[Window], min_confidence: float
) -> Iterator[Detection]:
    """Species at or above `min_confidence` (0..1), window by window, the likeliest first."""
    for window in windows:
        for i in (-window.probabilities).argsort(kind="stable"):
            probability = float(window.probabilities[i])
            if probability < min_confidence:
                break
            about = detector.species[i]
            names = about["species"], about["common_name"]
            yield Detection(file, window.start_s, window.end_s, *names, probability)
