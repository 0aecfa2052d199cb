"""Which recordings a fold trains and validates on, and the error when there are none."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from birdclef.common.recordings import COLUMNS
from birdclef.dataset.labeled import LabeledData, load_labeled
from birdclef.params import Params
from small_world import SPECIES, labeled_clips


def _labeled(folder: Path, params: Params) -> LabeledData:
    clips = labeled_clips(folder, params)
    labels = [SPECIES[i] for i in clips.targets.argmax(axis=1)]
    return LabeledData(clips, labels, np.arange(len(clips)) % 4, SPECIES)


def test_a_fold_trains_on_the_others_and_validates_on_its_own(
    tmp_path: Path, small_params: Params
) -> None:
    labeled = _labeled(tmp_path, small_params)
    train, held_out = labeled.split(1)
    assert set(labeled.folds[held_out]) == {1}
    assert sorted([*train, *held_out]) == list(range(16))
    assert 1 not in labeled.folds[train]


def test_recordings_of_no_fold_are_always_trained_on(tmp_path: Path, small_params: Params) -> None:
    folds = np.arange(16) % 4 - 1
    labeled = _labeled(tmp_path, small_params)._replace(folds=folds)
    for fold in range(3):
        train, held_out = labeled.split(fold)
        assert set(np.flatnonzero(folds == -1)) <= set(train)
        assert sorted([*train, *held_out]) == list(range(16))


def test_a_full_fit_holds_nothing_out(tmp_path: Path, small_params: Params) -> None:
    train, held_out = _labeled(tmp_path, small_params).split("full_0")
    assert train.tolist() == list(range(16))
    assert held_out.size == 0


@pytest.mark.parametrize(("folds", "held"), [(np.zeros(16, int), 16), (np.ones(16, int), 0)])
def test_a_fold_with_nothing_to_train_or_validate_on_is_an_error(
    tmp_path: Path, small_params: Params, folds: np.ndarray, held: int
) -> None:
    labeled = _labeled(tmp_path, small_params)._replace(folds=folds)
    with pytest.raises(ValueError, match=rf"fold 0 holds out {held} of 16 .* lower folds\.count"):
        labeled.split(0)


def test_species_without_training_recordings_are_named(
    tmp_path: Path, small_params: Params
) -> None:
    labeled = _labeled(tmp_path, small_params)
    of_first = np.flatnonzero(labeled.clips.targets[:, 0])
    assert labeled.without_recordings(of_first) == [SPECIES[1]]
    assert labeled.without_recordings(np.arange(16)) == []


def test_tables_and_clips_are_put_together(tmp_path: Path, small_params: Params) -> None:
    """Sorted by id; a recording without stored clips is left out, a secondary label is masked."""
    labeled_clips(tmp_path, small_params)
    rows = [("low1", "low", "high", 2), ("gone", "low", "", 0), ("high0", "high", "", 1)]
    table = pd.DataFrame("", index=range(3), columns=list(COLUMNS))
    table["recording_id"] = [row[0] for row in rows]
    table["primary_label"] = [row[1] for row in rows]
    table["secondary_labels"] = [row[2] for row in rows]
    table.to_csv(tmp_path / "kept.csv", index=False)
    folds = pd.DataFrame({"recording_id": [r[0] for r in rows], "fold": [r[3] for r in rows]})
    folds.to_csv(tmp_path / "folds.csv", index=False)
    species = pd.DataFrame({"species": SPECIES, "scientific_name": "", "common_name": ""})
    species.to_csv(tmp_path / "species.csv", index=False)
    labeled = load_labeled(small_params.clips, tmp_path, tmp_path)
    assert labeled.clips.recording_ids == ["high0", "low1"]
    assert labeled.primary_labels == ["high", "low"]
    assert labeled.folds.tolist() == [1, 2]
    assert labeled.clips.targets.tolist() == [[1, 0], [0, 1]]
    assert labeled.clips.masks.tolist() == [[1, 1], [0, 1]]
    _, targets, mask = labeled.clips.random_clip(1, np.random.default_rng(0))
    assert (targets.tolist(), mask.tolist()) == ([0, 1], [0, 1])
