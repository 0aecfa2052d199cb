"""Calibrate and post-process scores, and choose which of them are reported as detections."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from birdclef.common.probabilities import Calibration, calibrate
from birdclef.predict.detector import Detector, RecordingScores
from birdclef.predict.postprocess import add_recording_max, smooth
from birdclef.predict.selection import ChoiceError


class Detection(NamedTuple):
    """One species detected in one window."""

    start_s: float
    end_s: float
    species: int  # index among the model's outputs
    probability: float


class Scoring(NamedTuple):
    """Steps from the model's outputs to the reported probabilities; all are off by default."""

    calibrated: bool = False
    recording_max: float = 0.0  # weight of postprocess.add_recording_max
    smoothed: bool = False  # postprocess.smooth, the last step


def require_calibration(detector: Detector) -> Calibration:
    """The calibration of a model.

    Raises:
        ChoiceError: the model has none.
    """
    calibration = Calibration.of_metadata(detector.metadata)
    if calibration is None:
        raise ChoiceError(
            "this model contains no calibration and no thresholds, because it was exported without"
            " out-of-fold predictions (models.folds holds out nothing) or by an earlier version;"
            " leave out --calibrate and --own-thresholds"
        )
    return calibration


def score(scores: RecordingScores, detector: Detector, scoring: Scoring) -> RecordingScores:
    """Calibrate and post-process the scores of one recording.

    Raises:
        ChoiceError: calibration is requested, but the model has none.
    """
    p = scores.probabilities
    if scoring.calibrated:
        p = calibrate(p, require_calibration(detector).curves).astype(np.float32)
    if scoring.recording_max:
        p = add_recording_max(p, scoring.recording_max)
    return scores._replace(probabilities=smooth(p) if scoring.smoothed else p)


def detections(
    scores: RecordingScores,
    window_s: tuple[float, float],
    minimum: npt.NDArray[np.floating],
    species: npt.NDArray[np.integer],
    top_k: int = 0,
) -> Iterator[Detection]:
    """Yield the species at or above their minimum probability: window by window, highest first.

    Args:
        scores: scores of one recording.
        window_s: seconds between the starts of windows, and length of a window in seconds.
        minimum: (species,) minimum probability for each of the model's outputs, 0..1.
        species: indices of the species to report.
        top_k: maximum number of detections per window; 0 = no limit.
    """
    step_s, length_s = window_s
    for number, row in enumerate(scores.probabilities):
        detected = species[row[species] >= minimum[species]]
        for i in detected[(-row[detected]).argsort(kind="stable")][: top_k or None]:
            start_s = number * step_s
            yield Detection(start_s, start_s + length_s, int(i), float(row[i]))


def minimum_of(
    detector: Detector, min_confidence: float, own_thresholds: bool, calibrated: bool
) -> tuple[npt.NDArray[np.float64], list[str]]:
    """Minimum probability at which each species is reported.

    Args:
        detector: the model; its file may contain thresholds for uncalibrated probabilities.
        min_confidence: 0..1, for all species, or for those without a threshold of their own.
        own_thresholds: use the thresholds in the model file.
        calibrated: calibrate the thresholds, because the probabilities will be calibrated.

    Returns:
        (species,) minimum probabilities, and the codes of the species without a threshold of
        their own; no codes unless `own_thresholds` is set.

    Raises:
        ChoiceError: `own_thresholds` is set, but the file contains no thresholds.
    """
    minimum = np.full(len(detector.species), min_confidence)
    if not own_thresholds:
        return minimum, []
    calibration = require_calibration(detector)
    own = calibration.thresholds
    if calibrated:
        own = np.where(np.isnan(own), own, calibrate(own[None], calibration.curves)[0])
    codes = [s["species"] for s, t in zip(detector.species, own, strict=True) if np.isnan(t)]
    return np.where(np.isnan(own), minimum, own), codes
