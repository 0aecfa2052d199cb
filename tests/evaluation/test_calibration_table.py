"""The tables of calibration and the scores of thresholds, for every kind of missing data."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from birdclef.common.files import write_csv
from birdclef.evaluation.calibration import calibrate_held_out, calibration_error, reliability
from birdclef.evaluation.calibration_table import (
    COLUMNS,
    calibration_outputs,
    calibration_scores,
    calibration_table,
    read_calibration,
    reliability_table,
    threshold_scores,
)
from birdclef.evaluation.scores import Scored
from birdclef.params import EvaluateParams

SPECIES = ["common", "rare"]
SETTINGS = EvaluateParams(group=None, min_positives=10, precision=0.9)


def drawn(rows: int, folds: int, seed: int = 0) -> Scored:
    """Predictions of a species that is easy to detect, and of one with few recordings."""
    rng = np.random.default_rng(seed)
    targets = (rng.random((rows, 2)) < [0.5, 0.02]).astype(np.float32)
    p = np.clip(0.25 + 0.5 * targets + rng.normal(0, 0.15, targets.shape), 0.01, 0.99)
    worse = 1 - p  # of another seed, which is not exported
    return Scored(
        targets, [p.astype(np.float32), worse], np.ones_like(targets), np.arange(rows) % folds
    )


def test_the_first_seed_gets_curves_and_thresholds_which_come_back(tmp_path: Path) -> None:
    table = calibration_table(SPECIES, drawn(300, 3), 10, 0.9)
    assert tuple(table.columns) == COLUMNS
    assert table["slope"].min() > 0
    assert table["threshold"].isna().tolist() == [False, True]
    write_csv(table, tmp_path / "t.csv")
    found = read_calibration(tmp_path / "t.csv", 0.9)
    assert found is not None
    np.testing.assert_array_equal(
        found.thresholds.astype(np.float32), table["threshold"].astype(np.float32)
    )


def test_scores_of_calibration_are_those_of_its_diagrams() -> None:
    scored = drawn(300, 3)
    assert scored.masks is not None
    assert scored.folds is not None
    table = reliability_table(scored, 10)
    assert table.columns.tolist() == ["probabilities", "probability", "frequency", "cells"]
    assert table.groupby("probabilities")["cells"].sum().to_dict() == {
        "raw": 600,
        "calibrated": 600,
    }
    raw = scored.probabilities[0]
    held_out = calibrate_held_out(scored.targets, raw, scored.masks, scored.folds, 10)
    expected = [
        calibration_error(reliability(scored.targets, p, scored.masks)) for p in (raw, held_out)
    ]
    found = calibration_scores(table)["calibration"]
    assert list(found) == ["before", "after"]
    assert list(found.values()) == pytest.approx(expected, abs=1e-5)


def test_thresholds_are_scored_on_other_folds_and_on_soundscapes() -> None:
    scored = drawn(300, 3)
    table = calibration_table(SPECIES, scored, 10, 0.9)
    heard = Scored(np.array([[1, 1], [1, 0], [0, 0]]), [np.array([[0.9, 0.9], [0, 0], [0.9, 0.0]])])
    found = threshold_scores(table, scored, heard, 10, 0.9)["thresholds"]
    assert (found["species_with"], found["species_without"]) == (1, 1)
    assert found["soundscapes"] == {"precision": 0.5, "recall": 0.5}
    assert found["held_out"]["precision"] > 0.85
    assert 0.5 < found["held_out"]["recall"] < 1
    exact = table.assign(threshold=[0.95, np.nan])  # nothing on soundscapes is as certain
    assert "soundscapes" not in threshold_scores(exact, scored, heard, 10, 0.9)["thresholds"]


def test_what_no_data_can_score_is_left_out() -> None:
    table, diagrams, scores = calibration_outputs(SPECIES, None, drawn(9, 1), SETTINGS)
    assert (len(table), len(diagrams), scores) == (0, 0, {})
    one_fold = drawn(300, 1)
    table, diagrams, scores = calibration_outputs(SPECIES, one_fold, None, SETTINGS)
    assert (len(table), len(diagrams)) == (2, 0)
    assert scores == {"thresholds": {"species_with": 1, "species_without": 1}}
    table, diagrams, scores = calibration_outputs(SPECIES, drawn(300, 3), None, SETTINGS)
    assert isinstance(diagrams, pd.DataFrame)
    assert set(scores) == {"calibration", "thresholds"}
    assert set(scores["thresholds"]) == {"species_with", "species_without", "held_out"}
