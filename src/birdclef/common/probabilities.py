"""Logits, probabilities and calibrated probabilities."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from birdclef.common.arrays import Matrix

_EDGE = 1e-7  # probabilities are kept this far from 0 and 1, where logits are infinite


def logit(probabilities: Matrix) -> Matrix:
    """Convert probabilities to log odds, which stay finite even for 0 and 1."""
    inside = np.clip(probabilities.astype(np.float64), _EDGE, 1 - _EDGE)
    odds: Matrix = (np.log(inside) - np.log1p(-inside)).astype(np.float32)
    return odds


def sigmoid(logits: Matrix) -> Matrix:
    """Convert logits to probabilities without overflow for very large or very small logits."""
    return (0.5 * (1 + np.tanh(0.5 * logits))).astype(np.float32)


class Curves(NamedTuple):
    """One calibration curve per species: p becomes sigmoid(slope * logit(p) + offset).

    A slope is never negative, so calibration does not reverse the order of a species' detections.
    A slope of 0 gives every detection of a species the frequency of that species; it is used where
    the order is no better than chance.
    """

    slopes: Matrix  # (species,)
    offsets: Matrix  # (species,)


def calibrate(probabilities: Matrix, curves: Curves) -> Matrix:
    """Apply the curves to raw probabilities of shape (row, species)."""
    logits = logit(probabilities.astype(np.float32))
    return sigmoid((logits * curves.slopes + curves.offsets).astype(np.float32))


class Calibration(NamedTuple):
    """The calibration that a model file carries: curves and detection thresholds."""

    curves: Curves
    thresholds: Matrix  # (species,), for raw probabilities; NaN if a species has none
    precision: float  # share of correct detections for which the thresholds were chosen

    def to_metadata(self) -> dict[str, Any]:
        """Convert the calibration to JSON values, which `of_metadata` reads."""
        thresholds = [None if np.isnan(value) else value for value in self.thresholds.tolist()]
        curves = {name: values.tolist() for name, values in self.curves._asdict().items()}
        return {**curves, "thresholds": thresholds, "precision": self.precision}

    @classmethod
    def of_metadata(cls, metadata: Mapping[str, Any]) -> "Calibration | None":
        """Read the calibration from the metadata of a model file; None if the file has none."""
        values = metadata.get("calibration")
        if values is None:
            return None
        curves = Curves(np.array(values["slopes"]), np.array(values["offsets"]))
        return cls(curves, np.array(values["thresholds"], np.float32), values["precision"])
