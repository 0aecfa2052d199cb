"""Logits and probabilities, one to the other."""

from typing import Any, NamedTuple

import numpy as np

from birdclef.common.arrays import Matrix

_EDGE = 1e-7  # probabilities are kept this far from 0 and 1, where logits are infinite


def logit(probabilities: Matrix) -> Matrix:
    """Log odds of probabilities, finite for 0 and 1 too."""
    inside = np.clip(probabilities.astype(np.float64), _EDGE, 1 - _EDGE)
    odds: Matrix = (np.log(inside) - np.log1p(-inside)).astype(np.float32)
    return odds


def sigmoid(logits: Matrix) -> Matrix:
    """Logits to probabilities, without overflow at either end."""
    return (0.5 * (1 + np.tanh(0.5 * logits))).astype(np.float32)


class Calibration(NamedTuple):
    """Of each species, (species,): p becomes sigmoid(slope * logit(p) + offset).

    A slope is never negative, so that the order of a species' detections stays; 0 gives all of
    them its frequency, where a model's order is no better than chance.
    """

    slopes: Matrix
    offsets: Matrix


def calibrate(probabilities: Matrix, calibration: Calibration) -> Matrix:
    """(row, species) raw probabilities -> calibrated ones."""
    logits = logit(probabilities.astype(np.float32))
    return sigmoid((logits * calibration.slopes + calibration.offsets).astype(np.float32))


def of_metadata(about: dict[str, Any] | None) -> Calibration | None:
    """The calibration that an exported file carries, if any."""
    if about is None:
        return None
    return Calibration(np.array(about["slopes"]), np.array(about["offsets"]))
