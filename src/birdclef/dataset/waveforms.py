"""Datasets for training and validation: clips of labelled recordings, windows of soundscapes.

Random choices take their generator from the caller, which seeds it with (seed, epoch, position in
the epoch). Thus neither the number of loader processes nor a resumed run changes a sample.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset

from birdclef.common.arrays import Matrix
from birdclef.common.lengths import clip_samples
from birdclef.common.names import SOUNDSCAPES, Kind
from birdclef.dataset.clips import ClipStore, first_clip, random_crop
from birdclef.dataset.soundscapes import read_window
from birdclef.params import ClipsParams

Example = tuple[Tensor, Tensor, Tensor]  # waveform (sample,), targets (species,), mask (species,)


class LabeledClips(Dataset[Tensor]):
    """Clips of focal recordings: a random crop for training, the first clip for validation."""

    def __init__(
        self,
        store: ClipStore,
        recording_ids: Sequence[str],
        targets: Matrix,
        masks: Matrix,
        clips: ClipsParams,
    ) -> None:
        self.store, self.recording_ids, self.clips = store, list(recording_ids), clips
        self.targets, self.masks = targets, masks

    def __len__(self) -> int:
        return len(self.recording_ids)

    def __getitem__(self, index: int) -> Tensor:
        """The validation clip, (sample,): the first seconds; a shorter recording is centred."""
        head = self.store.head(self.recording_ids[index])
        return torch.from_numpy(first_clip(head, clip_samples(self.clips)))

    def random_clip(self, index: int, rng: np.random.Generator) -> Example:
        """A training clip: head or tail with equal probability, cropped or padded at random."""
        read = self.store.head if rng.random() < 0.5 else self.store.tail
        waveform = random_crop(read(self.recording_ids[index]), clip_samples(self.clips), rng)
        targets, mask = self.targets[index], self.masks[index]
        return torch.from_numpy(waveform), torch.from_numpy(targets), torch.from_numpy(mask)


class SoundscapeWindows(Dataset[Tensor]):
    """Windows of stored soundscapes, (sample,) each, read one by one.

    Only twelve bytes per window stay in memory, because each loader process has its own copy.
    """

    def __init__(
        self, table: pd.DataFrame, kind: Kind, clips: ClipsParams, store: Path = SOUNDSCAPES
    ) -> None:
        codes, names = pd.factorize(table["soundscape_id"])
        self.soundscape, self.names = codes.astype(np.int32), names.tolist()
        self.start_s = table["start_s"].to_numpy(dtype=np.float64)
        self.folder, self.clips = store / kind, clips

    def __len__(self) -> int:
        return len(self.start_s)

    def __getitem__(self, index: int) -> Tensor:
        path = self.folder / f"{self.names[self.soundscape[index]]}.flac"
        return torch.from_numpy(read_window(path, float(self.start_s[index]), self.clips))
