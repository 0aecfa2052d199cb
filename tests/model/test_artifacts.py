"""The results of several folds and backbones are read as one."""

from pathlib import Path

import numpy as np
import pytest

from birdclef.common.names import Fold
from birdclef.model.artifacts import (
    OutOfFold,
    TrainedModel,
    parse_fold,
    read_out_of_fold,
    trained_models,
    write_out_of_fold,
)


def test_folds_are_joined_and_backbones_of_a_fold_averaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    models = trained_models("l1", 0, ["one", "two"], [0, 1])
    predicted = {"one": 0.2, "two": 0.6}
    for model in models:
        predicted_here = predicted[model.backbone] + 0.1 * int(model.fold)
        probabilities = np.full((2, 1), predicted_here, np.float32)
        write_out_of_fold(model, OutOfFold([f"a{model.fold}", f"b{model.fold}"], probabilities))
    found = read_out_of_fold(models)
    assert found.recording_ids == ["a0", "b0", "a1", "b1"]
    np.testing.assert_allclose(found.probabilities[:, 0], [0.4, 0.4, 0.5, 0.5], rtol=1e-6)


@pytest.mark.parametrize("fold", [0, 12, "full_0"])
def test_a_fold_is_read_as_it_is_written(fold: Fold) -> None:
    assert parse_fold(str(fold)) == fold
    assert TrainedModel("l1", 0, "default", fold).folder.name == f"fold_{fold}"


def test_models_without_predictions_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    models = trained_models("l2", 3, ["one"], [0, 1])
    write_out_of_fold(models[0], OutOfFold(["a"], np.zeros((1, 1), np.float32)))
    with pytest.raises(FileNotFoundError, match=r"missing models/trained/l2/seed_3/one/fold_1/out"):
        read_out_of_fold(models)
