"""Which recordings are heard, and what of it counts as a detection."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile

from birdclef.evaluation.calibration import calibrate, of_metadata
from birdclef.predict.detector import Detector, Heard
from birdclef.predict.postprocess import add_recording_max, smooth

AUDIO_SUFFIXES = {
    *(".ogg", ".oga", ".opus", ".mp3", ".flac", ".wav", ".aif", ".aiff"),
    *(".au", ".caf", ".rf64", ".w64"),
}


class ChoiceError(ValueError):
    """Options that the model, the recordings or each other do not allow."""


class Detection(NamedTuple):
    """One species that was heard in one window."""

    start_s: float
    end_s: float
    species: int  # position among the model's outputs
    probability: float


class Scoring(NamedTuple):
    """From what the model says to probabilities; all off unless asked for."""

    calibrated: bool = False
    recording_max: float = 0.0  # weight of postprocess.add_recording_max
    smoothed: bool = False  # postprocess.smooth, last


def find_recordings(paths: Sequence[Path]) -> list[Path]:
    """Files as given, and every audio file inside folders, sorted; hidden ones are left out.

    Raises:
        FileNotFoundError: a path does not exist.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist")
        found += sorted(filter(_is_audio, path.rglob("*"))) if path.is_dir() else [path]
    return list(dict.fromkeys(found))


def _is_audio(path: Path) -> bool:
    audio = path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".")
    return audio and not path.is_dir()


def score(heard: Heard, detector: Detector, scoring: Scoring) -> Heard:
    """Calibrate and post-process one recording.

    Raises:
        ChoiceError: calibration is wanted, and the model has none.
    """
    found = heard.probabilities
    if scoring.calibrated:
        calibration = of_metadata(detector.about.get("calibration"))
        if calibration is None:
            raise ChoiceError(
                "this model holds no calibration: it was exported without out-of-fold predictions"
                " (train.scheme: all, or an earlier version); leave --calibrate out"
            )
        found = calibrate(found, calibration).astype(np.float32)
    if scoring.recording_max:
        found = add_recording_max(found, scoring.recording_max)
    return heard._replace(probabilities=smooth(found) if scoring.smoothed else found)


def detections(
    heard: Heard,
    window_s: tuple[float, float],
    minimum: npt.NDArray[np.floating],
    species: npt.NDArray[np.integer],
    top_k: int = 0,
) -> Iterator[Detection]:
    """Species at or above their minimum, window by window, the likeliest first.

    Args:
        heard: one recording.
        window_s: between the starts of windows, and length of one.
        minimum: (species,) 0..1, of all the model's outputs.
        species: positions of those that are of interest.
        top_k: at most so many in a window; 0: no limit.
    """
    step_s, length_s = window_s
    for number, row in enumerate(heard.probabilities):
        loud = species[row[species] >= minimum[species]]
        for i in loud[(-row[loud]).argsort(kind="stable")][: top_k or None]:
            start_s = number * step_s
            yield Detection(start_s, start_s + length_s, int(i), float(row[i]))


def minimum_of(
    detector: Detector, min_confidence: float, own_thresholds: bool, calibrated: bool
) -> tuple[npt.NDArray[np.float64], list[str]]:
    """Least probability of each species that is reported.

    Args:
        detector: its file may hold thresholds, on raw probabilities.
        min_confidence: 0..1, for all species, or for those without a threshold of their own.
        own_thresholds: use those of the file.
        calibrated: the probabilities will be, and so the thresholds must be.

    Returns:
        (species,), and the codes of the species that have none of their own.

    Raises:
        ChoiceError: the file holds no thresholds.
    """
    minimum = np.full(len(detector.species), min_confidence)
    if not own_thresholds:
        return minimum, []
    about = detector.about.get("calibration")
    if about is None:
        raise ChoiceError("this model holds no thresholds; leave --own-thresholds out")
    own = np.array(about["thresholds"], np.float32)  # None becomes NaN
    calibration = of_metadata(about)
    if calibrated and calibration is not None:
        own = np.where(np.isnan(own), own, calibrate(own[None], calibration)[0])
    without = [s["species"] for s, t in zip(detector.species, own, strict=True) if np.isnan(t)]
    return np.where(np.isnan(own), minimum, own), without


def choose_species(
    lines: Iterable[str], species: Sequence[dict[str, str]]
) -> tuple[npt.NDArray[np.int64], list[str]]:
    """Positions of the species that a list names, by code, scientific or common name.

    Lines of `Scientific name_Common name`, as BirdNET's lists have them, count too. Case and blanks
    around do not matter; blank lines and those that begin with # are passed over.

    Returns:
        The positions in the model's order, and the names that the model does not know.

    Raises:
        ChoiceError: it knows none of them.
    """
    known: dict[str, set[int]] = {}
    for i, about in enumerate(species):
        both = f"{about['scientific_name']}_{about['common_name']}"
        for name in (about["species"], about["scientific_name"], about["common_name"], both):
            known.setdefault(name.strip().casefold(), set()).add(i)
    names = [line.strip() for line in lines]
    names = [name for name in names if name and not name.startswith("#")]
    unknown = [name for name in names if name.casefold() not in known]
    if len(unknown) == len(names):
        raise ChoiceError(
            f"the model knows none of the {len(names)} names in the species list; it takes codes,"
            f" scientific and common names such as {species[0]['species']},"
            f" {species[0]['scientific_name']}, {species[0]['common_name']}"
        )
    chosen = {i for name in names for i in known.get(name.casefold(), ())}
    return np.array(sorted(chosen), np.int64), unknown


def declared_s(path: Path) -> float:
    """Seconds that a file's header promises; only to show progress, so 0 where there is none."""
    try:
        return float(soundfile.info(path).duration) if path.is_file() else 0.0
    except (soundfile.LibsndfileError, OSError, TypeError, ZeroDivisionError):
        return 0.0
