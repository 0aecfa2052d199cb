"""The threshold at which a species' detections are precise enough, and how precise they are."""

import math

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from birdclef.common.arrays import Matrix

# Chance, per species, that its threshold does not keep the precision: one in ten. At a precision of
# 0.9 a threshold then needs 22 correct detections without an error; at 0.05 it would need 29, and
# few of the rarer species have as many recordings.
RISK = 0.1
_STEP = 1.5  # factor between numbers of detections whose tests count as different


def _risk_per_test(positives: float, precision: float) -> float:
    """Divide RISK by the number of tests that a search for a threshold amounts to.

    Neighbouring thresholds share nearly all detections, and so do their tests. The search therefore
    amounts to about one test for each _STEP from the fewest detections that can show the precision
    (all are correct) to the most that can have it (no positive is missing). In simulations this
    keeps RISK even in the worst case, a precision that is just below the target everywhere.
    """
    fewest, most = math.log(RISK) / math.log(precision), positives / precision
    return RISK / max(1, math.ceil(math.log(max(most / fewest, 1), _STEP)))


def _lowest_threshold(target: Matrix, p: Matrix, precision: float) -> float:
    """Find the lowest threshold of one species that is shown to reach the precision.

    It is shown if the one-sided lower bound of the precision is at or above the target. The bound
    allows for the search.
    Source of the bound: Clopper and Pearson 1934.

    Args:
        target, p: (row,), 0 or 1, and probability; at least one row is positive.
        precision: above 0, below 1.

    Returns:
        The threshold; NaN if there is none.
    """
    order = (-p).argsort(kind="stable")
    last = np.flatnonzero(np.diff(p[order], append=-np.inf))  # equal p are detected together
    last = last[last < target.sum() / precision]  # more detections cannot reach the precision
    detections, correct = last + 1, target[order].cumsum()[last]
    # The bound is at or above the target where so many correct detections would be a rare chance.
    chance = binom.sf(correct - 1, detections, precision)
    shown = last[chance <= _risk_per_test(float(target.sum()), precision)]
    return float(p[order][shown[-1]]) if len(shown) else math.nan


def thresholds_at_precision(
    targets: Matrix, probabilities: Matrix, masks: Matrix, min_positives: int, precision: float
) -> Matrix:
    """Find the lowest threshold of each species whose detections are shown to reach a precision.

    For each species, the chance that its threshold has a lower precision is at most RISK, among
    recordings like the given ones and as independent as the bound assumes: takes by one recordist
    are more alike.

    Args:
        targets, probabilities, masks: (row, species), out of fold; masked cells do not count.
        min_positives: a species with fewer positive rows gets no threshold.
        precision: above 0, below 1: share of correct detections among all at or above the
            threshold.

    Returns:
        (species,), NaN where the rows are too few or too often wrong to show that precision.
    """
    found = np.full(targets.shape[1], np.nan)
    for s, known in enumerate((masks > 0).T):
        target, p = targets[known, s], probabilities[known, s]
        if target.sum() >= min_positives:
            found[s] = _lowest_threshold(target, p, precision)
    return found


def thresholds_held_out(
    targets: Matrix,
    probabilities: Matrix,
    masks: Matrix,
    folds: npt.NDArray[np.integer],
    min_positives: int,
    precision: float,
) -> Matrix:
    """Choose thresholds for the rows of each fold from the other folds, for an unbiased score.

    Returns:
        (row, species) thresholds; NaN where the other folds give none.
    """
    thresholds = np.full(probabilities.shape, np.nan)
    for fold in np.unique(folds):
        rest = folds != fold
        thresholds[~rest] = thresholds_at_precision(
            targets[rest], probabilities[rest], masks[rest], min_positives, precision
        )
    return thresholds


def precision_and_recall(
    targets: Matrix, probabilities: Matrix, masks: Matrix, thresholds: Matrix
) -> dict[str, float]:
    """Precision and recall over the detections of all species that have a threshold.

    Args:
        targets, probabilities, masks: (row, species); masked cells do not count.
        thresholds: (species,) or (row, species); NaN: neither detections nor positives count.

    Returns:
        `precision` and `recall`, 0..1; without any detection or any positive, empty.
    """
    known = (masks > 0) & ~np.isnan(thresholds)
    present, detected = known & (targets > 0), known & (probabilities >= thresholds)
    correct = int((present & detected).sum())
    if not present.any() or not detected.any():
        return {}
    return {"precision": correct / int(detected.sum()), "recall": correct / int(present.sum())}
