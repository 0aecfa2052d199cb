"""Predictions that are scored: out of fold, only where a model held something out."""

from pathlib import Path

import numpy as np
import pytest

from birdclef.dataset.labeled import LabeledData
from birdclef.evaluation.predictions import out_of_fold
from birdclef.model.artifacts import OutOfFold, trained_models, write_out_of_fold
from birdclef.params import Params
from small_world import SPECIES, labeled_clips


def test_models_that_hold_out_nothing_have_no_part_in_out_of_fold_scores(
    tmp_path: Path, small_params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    clips = labeled_clips(tmp_path, small_params)
    labels = [SPECIES[i] for i in clips.targets.argmax(axis=1)]
    labeled = LabeledData(clips, labels, np.arange(len(clips)) % 2, SPECIES)
    models = trained_models("l1", 0, ["default"], [1, "full_0"])
    ids = [clips.recording_ids[i] for i in labeled.split(1)[1]]
    probabilities = np.full((len(ids), len(SPECIES)), 0.25, np.float32)
    write_out_of_fold(models[0], OutOfFold(ids, probabilities))
    scored = out_of_fold({"l1": [models]}, labeled)["l1"]  # full_0 has no file, and needs none
    np.testing.assert_array_equal(scored.probabilities[0], probabilities)
    assert scored.folds is not None
    assert set(scored.folds) == {1}
