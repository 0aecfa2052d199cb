"""Logits and probabilities, one to the other."""

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
