"""Which recordings are heard, and what of it counts as a detection."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from birdclef.common.probabilities import Calibration, calibrate
from birdclef.predict.detector import Detector, RecordingScores
from birdclef.predict.postprocess import add_recording_max, smooth
from birdclef.predict.selection import ChoiceError


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


def require_calibration(detector: Detector) -> Calibration:
    """The calibration of a model.

    Raises:
        ChoiceError: the model has none.
    """
    calibration = Calibration.of_metadata(detector.metadata)
    if calibration is None:
        raise ChoiceError(
            "this model holds no calibration and no thresholds: it was exported without out-of-fold"
            " predictions (train.scheme: all, or an earlier version); leave out --calibrate and"
            " --own-thresholds"
        )
    return calibration


def score(scores: RecordingScores, detector: Detector, scoring: Scoring) -> RecordingScores:
    """Calibrate and post-process one recording.

    Raises:
        ChoiceError: calibration is wanted, and the model has none.
    """
    found = scores.probabilities
    if scoring.calibrated:
        found = calibrate(found, require_calibration(detector).curves).astype(np.float32)
    if scoring.recording_max:
        found = add_recording_max(found, scoring.recording_max)
    return scores._replace(probabilities=smooth(found) if scoring.smoothed else found)


def detections(
    scores: RecordingScores,
    window_s: tuple[float, float],
    minimum: npt.NDArray[np.floating],
    species: npt.NDArray[np.integer],
    top_k: int = 0,
) -> Iterator[Detection]:
    """Species at or above their minimum, window by window, the likeliest first.

    Args:
        scores: of one recording.
        window_s: between the starts of windows, and length of one.
        minimum: (species,) 0..1, of all the model's outputs.
        species: positions of those that are of interest.
        top_k: at most so many in a window; 0: no limit.
    """
    step_s, length_s = window_s
    for number, row in enumerate(scores.probabilities):
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
    calibration = require_calibration(detector)
    own = calibration.thresholds
    if calibrated:
        own = np.where(np.isnan(own), own, calibrate(own[None], calibration.curves)[0])
    without = [s["species"] for s, t in zip(detector.species, own, strict=True) if np.isnan(t)]
    return np.where(np.isnan(own), minimum, own), without
