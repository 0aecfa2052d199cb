"""Training examples: batches of labelled clips and pseudo-labelled windows."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset, Sampler

from birdclef.common.arrays import Indices
from birdclef.dataset.waveforms import Example, LabeledClips, SoundscapeWindows


class ExampleIndex(NamedTuple):
    """Which example to read, and the seed of its crop."""

    kind: Literal["clip", "window"]
    row: int
    seed: tuple[int, ...]


class TrainingExamples(Dataset[Example]):
    """Labelled clips and pseudo-labelled windows, indexed by `ExampleIndex`."""

    def __init__(
        self,
        labeled: LabeledClips,
        windows: SoundscapeWindows | None = None,
        pseudo_labels: npt.NDArray[np.floating] | None = None,
    ) -> None:
        self.labeled, self.windows, self.pseudo_labels = labeled, windows, pseudo_labels

    def __getitem__(self, index: ExampleIndex) -> Example:
        if index.kind == "clip":
            return self.labeled.random_clip(index.row, np.random.default_rng(index.seed))
        assert self.windows is not None
        assert self.pseudo_labels is not None
        targets = torch.from_numpy(self.pseudo_labels[index.row].astype(np.float32))
        return self.windows[index.row], targets, torch.ones_like(targets)


def oversample(primary_labels: Sequence[str], minimum: int) -> Indices:
    """Positions of all recordings; those of rare species are repeated in turn up to `minimum`.

    Call this on the training folds only: if recordings were repeated before the split, the same
    recording could end up on both sides of it.
    """
    labels = np.asarray(primary_labels)
    rows = [np.arange(len(labels))]
    for species in np.unique(labels):
        own = np.flatnonzero(labels == species)
        rows.append(np.resize(own, max(0, minimum - len(own))))
    return np.concatenate(rows)


def _shuffled_cycle(count: int, length: int, rng: np.random.Generator) -> Indices:
    """Draw `length` positions below `count`; each is used once before any is used again."""
    rounds = -(-length // count)
    return np.concatenate([rng.permutation(count) for _ in range(rounds)])[:length]


class EpochBatches(Sampler[list[ExampleIndex]]):
    """Batches of one epoch: each of `clip_rows` at most once, and some windows in every batch.

    An incomplete last batch is left out. Each epoch is shuffled differently, so the clips that are
    left out change.
    """

    def __init__(
        self, clip_rows: Indices, batch: int, n_windows: int, windows_per_batch: int, seed: int
    ) -> None:
        self.clip_rows, self.batch = clip_rows, batch
        self.n_windows, self.windows_per_batch, self.seed = n_windows, windows_per_batch, seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.clip_rows) // self.batch

    def __iter__(self) -> Iterator[list[ExampleIndex]]:
        rng = np.random.default_rng((self.seed, self.epoch))
        order = rng.permutation(self.clip_rows)
        windows = (
            _shuffled_cycle(self.n_windows, len(self) * self.windows_per_batch, rng)
            if self.windows_per_batch
            else np.zeros(0, np.int64)
        )
        for step in range(len(self)):
            first, first_window = step * self.batch, step * self.windows_per_batch
            clips = order[first : first + self.batch]
            seeds = [(self.seed, self.epoch, first + i) for i in range(self.batch)]
            examples = [ExampleIndex("clip", int(i), s) for i, s in zip(clips, seeds, strict=True)]
            chosen = windows[first_window : first_window + self.windows_per_batch]
            yield examples + [ExampleIndex("window", int(i), ()) for i in chosen]
