"""Stage `evaluate`: what is written if teachers saw a student's fold, and if they did not."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from birdclef.common.files import read_json
from birdclef.common.names import METRICS
from birdclef.evaluation.scores import Scored
from birdclef.params import Params
from birdclef.stages import evaluate

SPECIES = ["a", "b", "c"]  # the last one is never present
NAMES = ["s1", "s1", "s2", "s2", "s3", "s3", "s4", "s4"]


def _scored(seed: int) -> dict[str, Scored]:
    """Two levels on eight rows, in which species a and b alternate."""
    rng = np.random.default_rng(seed)
    targets = np.tile(np.array([[1, 0, 0], [0, 1, 0]], np.float32), (4, 1))
    folds, masks = np.arange(8) % 2, np.ones_like(targets)
    return {
        level: Scored(targets, [rng.random(targets.shape)], masks, folds) for level in ("l1", "l2")
    }


@pytest.fixture
def _fake(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Predictions instead of models; everything else is the stage's own."""
    windows = pd.DataFrame({"soundscape_id": NAMES, "group": NAMES})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(evaluate, "load_labeled", lambda _: SimpleNamespace(species=SPECIES))
    monkeypatch.setattr(evaluate, "drop_unlisted", lambda *_: None)
    monkeypatch.setattr(evaluate, "read_curves", lambda _: pd.DataFrame())
    monkeypatch.setattr(evaluate, "labeled_windows", lambda *_: windows)
    monkeypatch.setattr(evaluate, "out_of_fold", lambda *_: _scored(0))
    monkeypatch.setattr(evaluate, "on_soundscapes", lambda *_: _scored(1))


def _run(params: Params, monkeypatch: pytest.MonkeyPatch, teacher: str) -> pd.DataFrame:
    """Run the stage; returns the table of levels."""
    how = {"teacher": teacher, "transform": "none"}
    labels = params.pseudo_label.model_copy(update=how)
    changed = params.model_copy(update={"pseudo_label": labels})
    monkeypatch.setattr(evaluate, "load_params", lambda: changed)
    evaluate.main()
    return pd.read_csv(METRICS / "levels.csv", index_col="level")


@pytest.mark.usefixtures("_fake")
def test_students_of_all_teachers_have_no_out_of_fold_score(
    params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = _run(params, monkeypatch, "mean")
    scores = read_json(METRICS / "evaluate.json")
    assert set(scores) == {
        *("out_of_fold", "seen_through_teachers", "soundscapes", "calibration", "thresholds")
    }
    assert set(scores["out_of_fold"]) == {"l1"}
    assert set(scores["seen_through_teachers"]) == {"l2"}
    assert table["out_of_fold"].isna()["l2"]
    assert table.loc["l2", "seen_through_teachers"] == scores["seen_through_teachers"]["l2"]
    assert scores["soundscapes"]["low"] < scores["soundscapes"]["high"]
    assert table[["tuning_soundscapes", "test_soundscapes"]].notna().all(axis=None)


@pytest.mark.usefixtures("_fake")
def test_students_of_their_own_folds_teacher_have_one(
    params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = _run(params, monkeypatch, "same_fold")
    scores = read_json(METRICS / "evaluate.json")
    assert set(scores) == {"out_of_fold", "soundscapes", "calibration", "thresholds"}
    assert set(scores["out_of_fold"]) == {"l1", "l2"}
    assert table["seen_through_teachers"].isna().all()
    species = pd.read_csv(METRICS / "species.csv")
    assert species["out_of_fold"].isna().tolist() == [False, False, True] * 2  # c is never present
