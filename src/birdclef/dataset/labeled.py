"""Put index, folds and clip store together into what one fold trains and is scored on."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from birdclef.common.arrays import Indices
from birdclef.common.names import CLIPS, INDEX
from birdclef.common.recordings import read_recordings, read_species
from birdclef.dataset.clips import ClipStore
from birdclef.dataset.labels import targets_and_masks
from birdclef.dataset.waveforms import LabeledClips
from birdclef.params import ClipsParams, ParamsError, Scheme


class LabeledData(NamedTuple):
    """Every usable labelled recording, in a fixed order, and the fold that holds it out."""

    clips: LabeledClips
    primary_labels: list[str]
    folds: Indices
    species: list[str]

    def split(self, fold: int, scheme: Scheme) -> tuple[Indices, Indices]:
        """Positions to train on and to validate on; with scheme `all` every one and none.

        Raises:
            ParamsError: either is empty in scheme `grouped`.
        """
        if scheme == "all":
            return np.arange(len(self.folds)), np.zeros(0, np.int64)
        held_out = self.folds == fold
        if held_out.all() or not held_out.any():
            raise ParamsError(
                f"fold {fold} holds {held_out.sum()} of {len(held_out)} recordings: nothing is left"
                " to train or to validate on; lower folds.count or add recordings"
            )
        return np.flatnonzero(~held_out), np.flatnonzero(held_out)

    def without_recordings(self, train: Indices) -> list[str]:
        """Species that a model trained on these positions has never heard."""
        heard = self.clips.targets[train].sum(axis=0)
        return [name for name, count in zip(self.species, heard, strict=True) if not count]


def load_labeled(clips: ClipsParams, index: Path = INDEX, store: Path = CLIPS) -> LabeledData:
    """Read the labelled recordings that preprocessing could decode."""
    recordings = read_recordings(index / "kept.csv")
    folds = pd.read_csv(index / "folds.csv", dtype={"recording_id": str})
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
