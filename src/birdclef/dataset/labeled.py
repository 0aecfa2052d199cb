"""Join index, folds and clip store into the data that each fold is trained and scored on."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from birdclef.common.arrays import Indices
from birdclef.common.names import CLIPS, INDEX, Fold
from birdclef.common.recordings import read_recordings, read_species
from birdclef.common.tables import read_own
from birdclef.dataset.clips import ClipStore
from birdclef.dataset.labels import targets_and_masks
from birdclef.dataset.waveforms import LabeledClips
from birdclef.params import ClipsParams, ParamsError


class LabeledData(NamedTuple):
    """Every usable labelled recording, in a fixed order, and the fold that holds each one out."""

    clips: LabeledClips
    primary_labels: list[str]
    folds: Indices  # (recording,), from 0; -1: no fold holds it out
    species: list[str]

    def split(self, fold: Fold) -> tuple[Indices, Indices]:
        """Split the recordings into training and validation.

        Args:
            fold: the fold to hold out; full_0, full_1, ... hold out nothing.

        Returns:
            Positions to train on and positions to validate on.

        Raises:
            ParamsError: a fold is held out, and one of the two parts is empty.
        """
        if isinstance(fold, str):
            return np.arange(len(self.folds)), np.zeros(0, np.int64)
        held_out = self.folds == fold
        if held_out.all() or not held_out.any():
            raise ParamsError(
                f"fold {fold} holds out {held_out.sum()} of {len(held_out)} recordings, but"
                " training and validation need at least one each; lower folds.count or add"
                " recordings"
            )
        return np.flatnonzero(~held_out), np.flatnonzero(held_out)

    def without_recordings(self, train: Indices) -> list[str]:
        """Species that are the target of none of the training recordings at these positions."""
        positives = self.clips.targets[train].sum(axis=0)
        return [name for name, count in zip(self.species, positives, strict=True) if not count]


def load_labeled(clips: ClipsParams, index: Path = INDEX, store: Path = CLIPS) -> LabeledData:
    """Load the labelled recordings that preprocessing could decode, sorted by id."""
    recordings = read_recordings(index / "kept.csv")
    folds = read_own(index / "folds.csv", fold=int)
    recordings = recordings.merge(folds, on="recording_id", validate="one_to_one")
    clip_store = ClipStore(store, clips)
    stored = np.array([r in clip_store for r in recordings["recording_id"]], dtype=bool)
    recordings = recordings[stored]
    recordings = recordings.sort_values("recording_id").reset_index(drop=True)
    species = read_species(index / "species.csv")["species"].tolist()
    targets, masks = targets_and_masks(recordings, species)
    ids = recordings["recording_id"].tolist()
    return LabeledData(
        LabeledClips(clip_store, ids, targets, masks, clips),
        recordings["primary_label"].tolist(),
        recordings["fold"].to_numpy(dtype=np.int64),
        species,
    )
