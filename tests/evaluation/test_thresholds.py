"""Thresholds keep their precision on new data; the search agrees with values found by hand."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import beta

from birdclef.evaluation.thresholds import (
    RISK,
    precision_and_recall,
    thresholds_at_precision,
    thresholds_held_out,
)

Array = npt.NDArray[np.floating]


def threshold(targets: list[float], p: list[float], precision: float, least: int = 0) -> float:
    """The threshold of one species whose rows are all known."""
    column, ones = np.array([targets]).T, np.ones((len(p), 1))
    return float(thresholds_at_precision(column, np.array([p]).T, ones, least, precision)[0])


DOWN = np.linspace(0.99, 0.8, 20).round(2).tolist()  # 0.99, 0.98, ...


def test_thresholds_by_hand() -> None:
    """At a precision of 0.5, 5 of 5 are right by a chance of 1/32, and 5 of 6 by one of 7/64.

    Five positives allow at most 10 detections, 3.01 times the 3.3 that can show it, which counts
    as three tests: 1.5 ** 3 = 3.4. The chance must therefore be at most 1/30.
    """
    five = [1.0] * 5
    assert threshold([*five, 0.0, 0.0], DOWN[:7], 0.5) == DOWN[4]
    assert np.isnan(threshold([*five[1:], 0.0, 0.0], DOWN[:6], 0.5))  # 4 of 4: 1/16
    assert np.isnan(threshold([*five, 0.0], [*DOWN[:4], 0.1, 0.1], 0.5))  # detected together
    assert np.isnan(threshold([*five, 0.0, 0.0], DOWN[:7], 0.5, least=6))
    assert np.isnan(threshold([0.0] * 6, DOWN[:6], 0.5, least=1))


def test_an_early_error_does_not_end_the_search() -> None:
    """Nine positives count as five tests, of 1/50 each: 9 of 10 passes (11/1024), 9 of 11 not."""
    assert threshold([0.0, *[1.0] * 9, *[0.0] * 10], DOWN, 0.5) == DOWN[9]


def test_the_bound_is_that_of_clopper_and_pearson() -> None:
    """At a precision of 0.9, 22 right detections without an error are enough, and 21 are not."""
    assert threshold([1.0] * 22, np.linspace(0.9, 0.1, 22).tolist(), 0.9) == pytest.approx(0.1)
    assert np.isnan(threshold([1.0] * 21, np.linspace(0.9, 0.1, 21).tolist(), 0.9))
    assert beta.ppf(RISK, 22, 1) > 0.9 > beta.ppf(RISK, 21, 1)  # lower bounds, all correct


def _slow(u: Array) -> Array:
    return u


def _flat(u: Array) -> Array:
    return np.full_like(u, 0.899)


def _steep(u: Array) -> Array:
    return np.where(u > 0.7, 0.95, 0.05)


# Precision of the detections at or above t: the mean of the curve from t to 1.
PRECISIONS: dict[Callable[[Array], Array], Callable[[Array], Array]] = {
    _slow: lambda t: (1 + t) / 2,
    _flat: lambda t: _flat(t),
    _steep: lambda t: np.where(t > 0.7, 0.95, (0.3 * 0.95 + 0.05 * (0.7 - t)) / (1 - t)),
}


@pytest.mark.parametrize("curve", PRECISIONS, ids=lambda curve: curve.__name__)
def test_thresholds_keep_the_precision_in_the_stated_share_of_data_sets(
    curve: Callable[[Array], Array],
) -> None:
    """Each column is a data set; a row is positive with a chance that its probability decides."""
    rng = np.random.default_rng(0)
    p = rng.random((1200, 400))
    targets = (rng.random(p.shape) < curve(p)).astype(np.float64)
    thresholds = thresholds_at_precision(targets, p, np.ones_like(p), 10, 0.9)
    found = thresholds[np.isfinite(thresholds)]
    wrong = (PRECISIONS[curve](found) < 0.9).sum() / p.shape[1]
    assert 0 < wrong <= RISK
    if curve is not _flat:  # there every threshold is wrong
        assert len(found) / p.shape[1] > 0.6


def test_the_best_threshold_of_a_sample_does_not_keep_the_precision() -> None:
    """The simulation above can fail: without the bound more than half of the thresholds do."""
    rng = np.random.default_rng(0)
    p = -np.sort(-rng.random((1200, 200)), axis=0)
    correct = (rng.random(p.shape) < _slow(p)).cumsum(axis=0)
    reached = correct / np.arange(1, 1201)[:, None] >= 0.9
    lowest = np.where(reached, p, 1).min(axis=0)
    assert (PRECISIONS[_slow](lowest) < 0.9).mean() > 0.5


def _two_species(rows: int) -> tuple[Array, Array, Array]:
    rng = np.random.default_rng(1)
    p = rng.random((rows, 2))
    return (rng.random(p.shape) < p**0.2).astype(float), p, np.ones_like(p)


def test_masked_cells_do_not_count() -> None:
    targets, p, masks = _two_species(300)
    masks[:100, 0] = 0
    found = thresholds_at_precision(targets, p, masks, 10, 0.8)
    alone = thresholds_at_precision(targets[100:], p[100:], masks[100:], 10, 0.8)
    assert found[0] == alone[0]
    assert found[1] != alone[1]


def test_the_thresholds_of_a_fold_come_from_the_others_alone() -> None:
    targets, p, masks = _two_species(300)
    folds = np.arange(300) % 3
    found = thresholds_held_out(targets, p, masks, folds, 10, 0.8)
    rest = folds != 1
    others = thresholds_at_precision(targets[rest], p[rest], masks[rest], 10, 0.8)
    assert np.isfinite(others).all()
    np.testing.assert_array_equal(found[~rest], np.tile(others, (100, 1)))
    targets[~rest] = 1 - targets[~rest]
    changed = thresholds_held_out(targets, p, masks, folds, 10, 0.8)
    np.testing.assert_array_equal(changed[~rest], found[~rest])
    assert (changed[rest] != found[rest]).any()


def test_precision_and_recall_by_hand() -> None:
    targets = np.array([[1, 1, 1], [0, 1, 1], [1, 0, 1], [1, 0, 1]], float)
    p = np.array([[0.5, 0.9, 1], [0.6, 0.1, 1], [0.9, 0.9, 1], [0.2, 0.0, 1]])
    masks = np.ones_like(p)
    masks[2, 1] = 0  # neither right nor wrong
    thresholds = np.array([0.5, 0.4, np.nan])
    found = precision_and_recall(targets, p, masks, thresholds)
    assert found == {"precision": 3 / 4, "recall": 3 / 5}
    per_row = np.tile(thresholds, (4, 1))
    assert precision_and_recall(targets, p, masks, per_row) == found
    per_row[1, 0] = 0.7
    expected = {"precision": 1.0, "recall": 3 / 5}
    assert precision_and_recall(targets, p, masks, per_row) == expected


def test_without_detections_there_is_no_precision() -> None:
    ones = np.ones((3, 1))
    assert precision_and_recall(ones, ones / 2, ones, np.array([0.6])) == {}
    assert precision_and_recall(ones, ones, ones, np.array([np.nan])) == {}
    assert precision_and_recall(0 * ones, ones, ones, np.array([0.6])) == {}
