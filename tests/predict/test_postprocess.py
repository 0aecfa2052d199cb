"""Post-processing against the original's formulas, worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from birdclef.common.probabilities import logit, sigmoid
from birdclef.predict.postprocess import add_recording_max, smooth


def test_recording_max_by_hand() -> None:
    logits = np.array([[0.0, -2.0], [2.0, -4.0], [-1.0, -3.0]], np.float32)
    largest = np.array([2.0, -2.0])
    expected = logits + 0.8 * (largest + logits.mean() - largest.mean())
    found = logit(add_recording_max(sigmoid(logits)))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_recording_max_keeps_the_order_within_a_species_and_weight_0_everything() -> None:
    p = np.random.default_rng(0).uniform(0.01, 0.99, (9, 4)).astype(np.float32)
    np.testing.assert_allclose(add_recording_max(p, 0), p, atol=1e-6)
    np.testing.assert_array_equal(add_recording_max(p).argsort(axis=0), p.argsort(axis=0))
    assert add_recording_max(p[:0]).shape == (0, 4)


def test_smoothing_by_hand() -> None:
    p = np.zeros((6, 1), np.float32)
    p[2] = 1
    expected = [0.1 / 0.7, 0.2 / 0.9, 0.4, 0.2, 0.1 / 0.9, 0]
    np.testing.assert_allclose(smooth(p)[:, 0], expected, atol=1e-6)


@given(st.integers(0, 12), st.floats(0, 1))
def test_smoothing_leaves_a_constant(count: int, value: float) -> None:
    p = np.full((count, 2), value, np.float32)
    np.testing.assert_allclose(smooth(p), p, atol=1e-6)


def test_logits_of_certainty_are_finite() -> None:
    found = logit(np.array([0, 0.25, 1], np.float32))
    assert np.isfinite(found).all()
    assert found[1] == pytest.approx(np.log(1 / 3))
