"""Probabilities that mean what they say, and the level at which a species is worth reporting.

Fitted on out-of-fold predictions: one model of an ensemble heard each recording. What is exported
is the mean of them all, which is a little surer than one; and focal recordings are richer in song
than soundscapes. So a calibrated 0.9 is nearer to nine in ten than a raw one, and no promise.
"""

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.metrics import precision_recall_curve

from birdclef.common.arrays import Matrix
from birdclef.common.probabilities import Curves, calibrate, logit

_BINS = 15  # the usual number of reliability diagrams


def _platt(logits: Matrix, targets: Matrix) -> tuple[float, float]:
    """Slope and offset of a logistic regression on slightly softened targets.

    Targets of 0 and 1 move inwards, so that a perfect separation has a finite fit.
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

    # Newton's steps converge quadratically: the digits that are written do not depend on rounding.
    found = minimize(
        loss, [0.0, frequency], method="trust-exact", jac=gradient, hess=hessian, tol=1e-10
    )
    slope, offset = found.x
    if slope < 0:  # the best curve that does not reverse the order
        return 0.0, frequency
    return float(slope), float(offset)


def fit_calibration(
    targets: Matrix, probabilities: Matrix, masks: Matrix, min_positives: int
) -> Curves:
    """Fit every species that has enough recordings, and one curve for all the others.

    Args:
        targets: (row, species), 0 or 1.
        probabilities: (row, species), out of fold.
        masks: (row, species), 0 where the truth is unknown.
        min_positives: a species with fewer positive or negative rows gets the common curve, as
            does one whose own curve would be flat.
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
    """Calibrate each fold by what was fitted on the others: (row, species), for an honest score."""
    calibrated = np.zeros(probabilities.shape, np.float32)
    for fold in np.unique(folds):
        rest, own = folds != fold, folds == fold
        fitted = fit_calibration(targets[rest], probabilities[rest], masks[rest], min_positives)
        calibrated[own] = calibrate(probabilities[own], fitted)
    return calibrated


def calibration_error(targets: Matrix, probabilities: Matrix, masks: Matrix) -> float:
    """Mean distance between probability and frequency, over bins of equally many cells.

    Args:
        targets, probabilities, masks: (row, species); masked cells do not count.

    Returns:
        0 (perfect) .. 1. Bins of equal size, since most probabilities lie near 0.
    """
    known = masks > 0
    order = probabilities[known].argsort(kind="stable")
    sorted_p, sorted_t = probabilities[known][order], targets[known][order]
    parts = np.array_split(np.arange(len(order)), _BINS)
    gaps = [len(i) * abs(sorted_p[i].mean() - sorted_t[i].mean()) for i in parts if len(i)]
    return float(np.sum(gaps) / max(1, len(order)))


def thresholds_at_precision(
    targets: Matrix, probabilities: Matrix, masks: Matrix, precision: float, min_positives: int
) -> Matrix:
    """Lowest probability of each species at which this share of detections is right.

    Args:
        targets, probabilities, masks: (row, species), out of fold.
        precision: 0..1, true detections among all at or above the threshold.
        min_positives: a species with fewer positive rows has no threshold.

    Returns:
        (species,), NaN where the rows are too few or no threshold reaches the precision.
    """
    found = np.full(targets.shape[1], np.nan)
    for s in range(targets.shape[1]):
        known = masks[:, s] > 0
        target, p = targets[known, s], probabilities[known, s]
        if not target.any() or target.sum() < min_positives:
            continue
        reached, _, thresholds = precision_recall_curve(target, p)  # thresholds rise
        good = thresholds[reached[:-1] >= precision]
        if len(good):
            found[s] = good[0]
    return found
