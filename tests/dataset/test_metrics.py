"""ROC-AUC agrees with scikit-learn; the bootstrap interval has the properties it must have."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from birdclef.dataset.metrics import bootstrap_difference, macro_roc_auc, roc_auc_per_species


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 40), st.booleans())
def test_each_species_scores_as_in_scikit_learn(seed: int, rows: int, masked: bool) -> None:
    rng = np.random.default_rng(seed)
    targets = (rng.random((rows, 5)) < 0.3).astype(np.float32)
    scores = rng.integers(0, 6, (rows, 5)) / 5  # many ties
    masks = (rng.random((rows, 5)) < 0.8).astype(np.float32) if masked else None
    found = roc_auc_per_species(targets, scores, masks)
    for species in range(5):
        known = np.ones(rows, bool) if masks is None else masks[:, species] > 0
        truth = targets[known, species]
        if len(truth) == 0 or truth.min() == truth.max():
            assert np.isnan(found[species])
        else:
            expected = roc_auc_score(truth, scores[known, species])
            assert found[species] == pytest.approx(expected)


def test_species_without_positives_are_skipped() -> None:
    targets = np.array([[1, 0], [0, 0]], np.float32)
    assert macro_roc_auc(targets, np.array([[0.9, 0.1], [0.2, 0.3]])) == 1.0
    assert np.isnan(macro_roc_auc(np.zeros((2, 2)), np.zeros((2, 2))))


def test_interval_brackets_a_clear_gain_and_is_zero_without_one() -> None:
    rng = np.random.default_rng(0)
    targets = (rng.random((120, 3)) < 0.4).astype(np.float32)
    noise = rng.standard_normal(targets.shape)
    groups = [str(i // 6) for i in range(120)]
    before, after = targets + 3 * noise, targets + noise
    low, high = bootstrap_difference(targets, [before], [after], groups, 300, seed=1)
    assert 0 < low < macro_roc_auc(targets, after) - macro_roc_auc(targets, before) < high
    assert bootstrap_difference(targets, [before], [before], groups, 20, seed=1) == (0.0, 0.0)
    assert bootstrap_difference(targets, [before], [after], groups, 300, seed=1) == (low, high)


def test_whole_soundscapes_are_resampled() -> None:
    # The gain is all in one soundscape: resampling windows would give a far narrower interval.
    targets = np.array([[1], [0]] * 20, np.float32)
    before = 1 - targets
    after = before.copy()
    after[:20] = targets[:20]
    coarse = bootstrap_difference(targets, [before], [after], ["a"] * 20 + ["b"] * 20, 200, seed=0)
    fine = bootstrap_difference(
        targets, [before], [after], [str(i // 2) for i in range(40)], 200, seed=0
    )
    assert coarse == (0.0, 1.0)
    assert fine[1] - fine[0] < 0.8


def test_the_difference_is_averaged_over_seeds() -> None:
    targets = np.array([[1], [0]] * 10, np.float32)
    groups = [str(i // 2) for i in range(20)]
    worst, best = 1 - targets, targets
    interval = bootstrap_difference(targets, [worst, worst], [best, worst], groups, 20, seed=0)
    assert interval == (0.5, 0.5)
