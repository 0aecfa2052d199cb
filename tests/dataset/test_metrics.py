"""ROC-AUC agrees with scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from birdclef.dataset.metrics import macro_roc_auc, roc_auc_per_species


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
