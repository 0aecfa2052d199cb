"""Calibration agrees with scikit-learn and hand-computed values; folds held out stay held out."""

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.linear_model import LogisticRegression

from birdclef.common.probabilities import calibrate, sigmoid
from birdclef.evaluation.calibration import (
    calibrate_held_out,
    calibration_error,
    fit_calibration,
    reliability,
)

Array = npt.NDArray[np.floating]


def drawn(rows: int, slope: float, offset: float, seed: int = 0) -> tuple[Array, Array, Array]:
    """Targets, masks and probabilities whose logits are off by a known line."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-1, 2, (rows, 2)).astype(np.float32)
    targets = (rng.random((rows, 2)) < sigmoid(slope * logits + offset)).astype(np.float32)
    return targets, np.ones_like(targets), sigmoid(logits)


def test_curve_is_that_of_a_logistic_regression_on_platts_targets() -> None:
    targets, masks, p = drawn(400, 0.6, -0.5)
    found = fit_calibration(targets, p, masks, 10)
    for s in range(2):
        positives, rows = targets[:, s].sum(), len(targets)
        soft_targets = np.where(
            targets[:, s] > 0, (positives + 1) / (positives + 2), 1 / (rows - positives + 2)
        )
        x = np.log(p[:, s] / (1 - p[:, s]))[:, None]
        reference = LogisticRegression(C=np.inf, tol=1e-8).fit(
            np.concatenate([x, x]),
            np.repeat([1, 0], rows),
            sample_weight=np.concatenate([soft_targets, 1 - soft_targets]),
        )
        assert found.slopes[s] == pytest.approx(reference.coef_[0, 0], rel=1e-3)
        assert found.offsets[s] == pytest.approx(reference.intercept_[0], rel=1e-3, abs=1e-3)


def test_calibration_corrects_logits_that_are_off_by_a_line() -> None:
    targets, masks, p = drawn(20_000, 0.5, -1.0)
    fitted = fit_calibration(targets, p, masks, 10)
    np.testing.assert_allclose(fitted.slopes, 0.5, atol=0.05)
    np.testing.assert_allclose(fitted.offsets, -1.0, atol=0.05)
    before = calibration_error(reliability(targets, p, masks))
    after = calibration_error(reliability(targets, calibrate(p, fitted), masks))
    assert before > 0.1 > 0.015 > after


def test_rare_species_share_a_curve_and_masked_cells_do_not_count() -> None:
    targets, masks, p = drawn(300, 0.7, 0.0)
    rare = np.flatnonzero(targets[:, 1])[3:]
    targets[rare, 1] = 0
    masks[rare, 1] = 0
    fitted = fit_calibration(targets, p, masks, 10)
    alone = fit_calibration(targets[:, :1], p[:, :1], masks[:, :1], 10)
    assert fitted.slopes[0] == alone.slopes[0] != fitted.slopes[1]
    targets[rare, 1], p[rare, 1] = 1, 0.999  # wrong values where the truth is unknown
    np.testing.assert_array_equal(fit_calibration(targets, p, masks, 10), fitted)


def test_order_is_never_reversed() -> None:
    targets, masks, p = drawn(200, -1.0, 0.0)
    fitted = fit_calibration(targets, p, masks, 10)
    assert (fitted.slopes >= 0).all()
    assert np.isfinite(fitted.offsets).all()


def test_a_perfect_separation_has_a_finite_curve() -> None:
    p = np.array([[0.01]] * 20 + [[0.99]] * 20)
    targets = np.repeat([[0.0], [1.0]], 20, axis=0)
    fitted = fit_calibration(targets, p, np.ones_like(p), 10)
    found = calibrate(p, fitted)
    np.testing.assert_allclose(found[[0, -1], 0], [1 / 22, 21 / 22], atol=1e-3)


def test_a_fold_is_calibrated_by_the_others_alone() -> None:
    targets, masks, p = drawn(300, 0.5, -1.0)
    folds = np.arange(300) % 3
    found = calibrate_held_out(targets, p, masks, folds, 10)
    rest = folds != 1
    fitted = fit_calibration(targets[rest], p[rest], masks[rest], 10)
    np.testing.assert_array_equal(found[~rest], calibrate(p[~rest], fitted))
    targets[~rest] = 1 - targets[~rest]
    np.testing.assert_array_equal(
        calibrate_held_out(targets, p, masks, folds, 10)[~rest], found[~rest]
    )


def test_error_by_hand() -> None:
    p = np.array([[0.0] * 150 + [0.2] * 150]).T
    targets = np.array([[0.0] * 150 + [1.0] * 150]).T
    assert calibration_error(reliability(targets, p, np.ones_like(p))) == pytest.approx(0.4)
    assert calibration_error(reliability(targets, targets, np.ones_like(p))) == 0


def test_a_diagram_has_15_bins_of_equally_many_known_cells() -> None:
    rng = np.random.default_rng(0)
    p, masks = rng.random((40, 2)), np.ones((40, 2))
    masks[:3, 0] = 0
    targets = (np.arange(80).reshape(40, 2) % 2).astype(float)
    found = reliability(targets, p, masks)
    assert found.cells.tolist() == [6] * 2 + [5] * 13  # 77 cells
    known = np.sort(p[masks > 0])
    assert found.probability[0] == pytest.approx(known[:6].mean())
    assert found.probability[-1] == pytest.approx(known[-5:].mean())
    assert (found.frequency * found.cells).sum() == pytest.approx(40)  # positives, none masked


def test_a_diagram_of_few_cells_has_one_bin_per_cell() -> None:
    p = np.array([[0.7, 0.2]])
    found = reliability(np.array([[1.0, 0.0]]), p, np.ones_like(p))
    assert [values.tolist() for values in found] == [[0.2, 0.7], [0, 1], [1, 1]]
    assert calibration_error(reliability(p, p, 0 * p)) == 0
