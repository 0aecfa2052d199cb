"""Logits, probabilities, and probabilities that are calibrated."""

from collections.abc import Mapping
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


class Curves(NamedTuple):
    """A calibration curve per species: p becomes sigmoid(slope * logit(p) + offset).

    A slope is never negative, so that the order of a species' detections stays. A slope of 0 gives
    every detection the frequency of the species, where the order is no better than chance.
    """

    slopes: Matrix  # (species,)
    offsets: Matrix  # (species,)


def calibrate(probabilities: Matrix, curves: Curves) -> Matrix:
    """(row, species) raw probabilities -> calibrated ones."""
    logits = logit(probabilities.astype(np.float32))
    return sigmoid((logits * curves.slopes + curves.offsets).astype(np.float32))


class Calibration(NamedTuple):
    """What a model file carries to make its probabilities mean what they say."""

    curves: Curves
    thresholds: Matrix  # (species,), on raw probabilities; NaN where a species has none
    precision: float  # share of right detections at or above a threshold

    def to_metadata(self) -> dict[str, Any]:
        """The calibration as JSON values, which `of_metadata` reads."""
        thresholds = [None if np.isnan(value) else value for value in self.thresholds.tolist()]
        curves = {name: values.tolist() for name, values in self.curves._asdict().items()}
        return {**curves, "thresholds": thresholds, "precision": self.precision}

    @classmethod
    def of_metadata(cls, metadata: Mapping[str, Any]) -> "Calibration | None":
        """The calibration in the metadata of a model file; None where the file has none."""
        values = metadata.get("calibration")
        if values is None:
            return None
        curves = Curves(np.array(values["slopes"]), np.array(values["offsets"]))
        return cls(curves, np.array(values["thresholds"], np.float32), values["precision"])
