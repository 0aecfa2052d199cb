"""Probabilities that mean what they say, and the level at which a species is worth reporting.

Fitted on out-of-fold predictions: one model of an ensemble heard each recording. What is exported
is the mean of them all, which is a little surer than one; and focal recordings are richer in song
than soundscapes. So a calibrated 0.9 is nearer to nine in ten than a raw one, and no promise.
"""

import numpy as np
import numpy.typing as npt

from birdclef.common.arrays import Matrix
from birdclef.common.probabilities import Calibration, calibrate, logit

_BINS = 15


def _platt(logits: Matrix, targets: Matrix) -> tuple[float, float]:
    """Slope and offset of a logistic regression, by Newton's method.

    Targets are drawn a little inwards, so that a perfect separation has a finite fit.
    Source: Platt 1999, with the iteration of Lin, Lin and Weng 2007.
    """
    x = np.stack([logits, np.ones_like(logits)]).astype(np.float64)  # (2, row)
    positives = targets.sum()
    high, low = (positives + 1) / (positives + 2), 1 / (len(targets) - positives + 2)
    goal = np.where(targets > 0, high, low)
    fit = np.array([0.0, np.log((positives + 1) / (len(targets) - positives + 1))])

    def loss(fit: Matrix) -> float:
        scores = fit @ x
        return float((np.logaddexp(0, scores) - goal * scores).sum())

    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(fit @ x, -50, 50)))
        gradient = x @ (p - goal)
        if np.abs(gradient).max() < 1e-6 * len(goal):
            break
        step = np.linalg.solve((x * (p * (1 - p))) @ x.T + 1e-9 * np.eye(2), gradient)
        size = 1.0
        while loss(fit - size * step) > loss(fit) and size > 1e-6:
            size /= 2
        fit = fit - size * step
    if fit[0] < 0:  # the best without turning the order round
        return 0.0, float(np.log((positives + 1) / (len(targets) - positives + 1)))
    return float(fit[0]), float(fit[1])


def fit_calibration(
    targets: Matrix, probabilities: Matrix, masks: Matrix, min_positives: int
) -> Calibration:
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
    return Calibration(slopes, offsets)


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
    """Lowest probability of each species above which this share of detections is right.

    Args:
        targets, probabilities, masks: (row, species), out of fold.
        precision: 0..1, true detections among all at or above the threshold.
        min_positives: with fewer positive rows a species gets none.

    Returns:
        (species,), NaN where the rows are too few or the precision is never reached.
    """
    found = np.full(targets.shape[1], np.nan)
    for s in range(targets.shape[1]):
        rows = masks[:, s] > 0
        order = (-probabilities[rows, s]).argsort(kind="stable")
        p, right = probabilities[rows, s][order], targets[rows, s][order].cumsum()
        if not len(p) or right[-1] < min_positives:
            continue
        last_of_ties = np.append(p[1:] < p[:-1], True)
        good = np.flatnonzero(last_of_ties & (right >= precision * np.arange(1, len(p) + 1)))
        if len(good):
            found[s] = p[good[-1]]
    return found
