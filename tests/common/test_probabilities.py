"""Logits and probabilities belong together; a calibration comes back from a file's metadata."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from birdclef.common.probabilities import Calibration, Curves, calibrate, logit, sigmoid


@given(st.floats(1e-6, 1 - 1e-6))
def test_sigmoid_reverses_logit(p: float) -> None:
    assert sigmoid(logit(np.array([p], np.float32)))[0] == pytest.approx(p, abs=1e-6)


def test_both_ends_are_finite() -> None:
    assert np.isfinite(logit(np.array([0.0, 1.0], np.float32))).all()
    assert sigmoid(np.array([-1e4, 0, 1e4], np.float32)).tolist() == [0, 0.5, 1]


def test_a_curve_shifts_the_logit_by_hand() -> None:
    curves = Curves(np.array([2.0, 0.0]), np.array([-1.0, 0.5]))
    found = calibrate(np.array([[0.5, 0.9]], np.float32), curves)
    expected = 1 / (1 + np.exp([1.0, -0.5]))
    np.testing.assert_allclose(found[0], expected, rtol=1e-6)


def test_a_calibration_comes_back_from_json() -> None:
    curves = Curves(np.array([1.5, 2.5]), np.array([-0.5, 0.25]))
    given = Calibration(curves, np.array([0.375, np.nan]), 0.9)
    metadata = json.loads(json.dumps({"calibration": given.to_metadata()}, allow_nan=False))
    assert metadata["calibration"]["thresholds"] == [0.375, None]
    found = Calibration.of_metadata(metadata)
    assert found is not None
    for one, other in zip(found.curves, given.curves, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(found.thresholds, given.thresholds)
    assert found.precision == 0.9


def test_a_file_without_calibration_has_none() -> None:
    assert Calibration.of_metadata({}) is None
    assert Calibration.of_metadata({"calibration": None}) is None
