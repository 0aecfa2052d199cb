"""Calibrated probabilities, and the threshold at which a species is worth reporting.

Both are fitted on out-of-fold predictions, where only one fold's models predict each recording. The
exported file gives the mean over all folds, which is slightly more certain than one fold; and focal
recordings contain more song than soundscapes. A calibrated 0.9 is therefore closer to nine in ten
than a raw 0.9, but it is not a guarantee.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

from birdclef.common.arrays import Matrix
from birdclef.common.probabilities import Curves, calibrate, logit

_BINS = 15  # the usual number of bins in a reliability diagram


def _platt(logits: Matrix, targets: Matrix) -> tuple[float, float]:
    """Fit slope and offset of a logistic regression on slightly softened targets.

    Targets of 0 and 1 are moved inwards, so that perfectly separated data have a finite fit.
    Source: Platt 1999.
    """
    x = np.stack([logits, np.ones_like(logits)]).astype(np.float64)  # (2, row)
    positives, rows = targets.sum(), len(targets)
    soft = np.where(targets > 0, (positives + 1) / (positives + 2), 1 / (rows - positives + 2))
    frequency = float(np.log((positives + 1) / (rows - positives + 1)))  # as a logit

    def loss(fit: Matrix) -> float:
        return float(np.mean(np.logaddexp(0, fit @ x) - soft * (fit @ x)))

    def gradient(fit: Matrix) -> Matrix:
        return x @ (expit(fit @ x) - soft) / rows

    def hessian(fit: Matrix) -> Matrix:
        p = expit(fit @ x)
        return (x * (p * (1 - p))) @ x.T / rows

    # Newton's method converges quadratically, so rounding does not change the digits written.
    found = minimize(
        loss, [0.0, frequency], method="trust-exact", jac=gradient, hess=hessian, tol=1e-10
    )
    slope, offset = found.x
    if slope < 0:  # this is the best curve that does not reverse the order
        return 0.0, frequency
    return float(slope), float(offset)


def fit_calibration(
    targets: Matrix, probabilities: Matrix, masks: Matrix, min_positives: int
) -> Curves:
    """Fit one curve per species with enough recordings, and a common curve for all others.

    Args:
        targets: (row, species), 0 or 1.
        probabilities: (row, species), out of fold.
        masks: (row, species), 0 where the truth is unknown.
        min_positives: a species with fewer positive or fewer negative rows gets the common curve;
            so does a species whose own curve would be flat.
    """
    logits, known = logit(probabilities.astype(np.float32)), masks > 0
    common = _platt(logits[known], targets[known])
    fits = []
    for logit_s, target, rows in zip(logits.T, targets.T, known.T, strict=True):
        positives = int(target[rows].sum())
        enough = min(positives, int(rows.sum()) - positives) >= min_positives
        own = _platt(logit_s[rows], target[rows]) if enough else common
        fits.append(own if own[0] else common)
    slopes, offsets = np.array(fits).T
    return Curves(slopes, offsets)


def calibrate_held_out(
    targets: Matrix,
    probabilities: Matrix,
    masks: Matrix,
    folds: npt.NDArray[np.integer],
    min_positives: int,
) -> Matrix:
    """Calibrate each fold with curves fitted on the other folds, for an unbiased score.

    Returns:
        (row, species) calibrated probabilities.
    """
    calibrated = np.zeros(probabilities.shape, np.float32)
    for fold in np.unique(folds):
        rest, own = folds != fold, folds == fold
        fitted = fit_calibration(targets[rest], probabilities[rest], masks[rest], min_positives)
        calibrated[own] = calibrate(probabilities[own], fitted)
    return calibrated


class Reliability(NamedTuple):
    """A reliability diagram: one point per bin, in ascending order of probability."""

    probability: Matrix  # (bin,), mean over the cells of a bin
    frequency: Matrix  # (bin,), share of cells whose species is present
    cells: npt.NDArray[np.integer]  # (bin,)


def reliability(targets: Matrix, probabilities: Matrix, masks: Matrix) -> Reliability:
    """Compare probability and frequency in bins of equally many cells.

    The bins have equally many cells because most probabilities are near 0.

    Args:
        targets, probabilities, masks: (row, species); masked cells do not count.
    """
    known = masks > 0
    order = probabilities[known].argsort(kind="stable")
    sorted_p, sorted_t = probabilities[known][order], targets[known][order]
    bins = [cells for cells in np.array_split(np.arange(len(order)), _BINS) if len(cells)]
    means = [[values[cells].mean() for cells in bins] for values in (sorted_p, sorted_t)]
    return Reliability(np.array(means[0]), np.array(means[1]), np.array([len(x) for x in bins]))


def calibration_error(curve: Reliability) -> float:
    """Mean distance between probability and frequency over all cells: 0 (perfect) .. 1."""
    gaps = np.abs(np.subtract(curve.probability, curve.frequency))
    return float((gaps * curve.cells).sum() / max(1, np.sum(curve.cells)))
