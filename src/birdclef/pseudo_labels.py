"""Pseudo labels: from teachers' logits on soundscape windows to soft labels for each student."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.lib.format import open_memmap

from birdclef.common.arrays import Logits
from birdclef.common.files import write_csv
from birdclef.common.names import PSEUDO_LABELS, Fold
from birdclef.common.probabilities import sigmoid
from birdclef.common.tables import read_own
from birdclef.dataset.soundscapes import read_windows
from birdclef.dataset.waveforms import SoundscapeWindows
from birdclef.params import ClipsParams, ParamsError, PseudoLabelParams

_WINDOWS = "windows.csv"
_BLOCK = 4096  # windows processed at a time, so that memory use does not grow with their number


class PseudoLabels(NamedTuple):
    """The soundscape windows that one student learns from, and their labels."""

    windows: SoundscapeWindows
    probabilities: npt.NDArray[np.float16]  # (window, species)
    files: list[Path]  # the two files that hold them


def _name(fold: Fold) -> str:
    return f"fold_{fold}.npy"


def _folder(level: str, seed: int) -> Path:
    return PSEUDO_LABELS / level / f"seed_{seed}"


def _blocks(soundscape_ids: Sequence[str]) -> Iterator[slice]:
    """Split the windows into blocks of about `_BLOCK`; a soundscape is never divided."""
    start = stop = 0
    for _, windows in groupby(soundscape_ids):
        stop += len(list(windows))
        if stop - start >= _BLOCK:
            yield slice(start, stop)
            start = stop
    if stop > start:
        yield slice(start, stop)


def _transformed(logits: Logits, soundscape_ids: Sequence[str], transform: str) -> Logits:
    """Transform the clipped logits of whole soundscapes, (backbone, fold, window, species).

    A model's logit l becomes (l + M + mean(l) - mean(M)) / 2. M is the largest logit over models
    (as in the published notebook) or over the windows of the soundscape (as in the team's
    write-up). Both means run over the windows and species of one soundscape, so that the mean of
    the model's logits in each soundscape does not change.

    Source: 3rd place of BirdCLEF-2024.
    """
    if transform == "none":
        return logits
    _, first = np.unique(np.asarray(soundscape_ids), return_index=True)
    first.sort()
    counts = np.diff(np.append(first, len(soundscape_ids)))
    if transform == "max_over_models":
        largest = logits.max(axis=(0, 1), keepdims=True)  # (1, 1, window, species)
    else:
        largest = np.maximum.reduceat(logits, first, axis=2).repeat(counts, axis=2)
    gap = (logits - largest).mean(axis=3, keepdims=True, dtype=np.float64)
    means = np.add.reduceat(gap, first, axis=2) / counts[:, None]  # (..., soundscape, 1)
    return (logits + largest + means.repeat(counts, axis=2).astype(np.float32)) / 2


def soft_labels(
    logits: Logits, soundscape_ids: Sequence[str], params: PseudoLabelParams
) -> Iterator[Logits]:
    """Compute the pseudo labels for the students of every fold, one block of windows at a time.

    Args:
        logits: teachers' logits, (backbone, fold, window, species); may be an array on disk.
        soundscape_ids: (window,); the windows of each soundscape are adjacent.
        params: clipping, transform, which teachers a student learns from, and the power.

    Yields:
        (fold, window, species) probabilities: the mean over the backbones of a fold's teachers,
        or the mean over all teachers.
    """
    for rows in _blocks(soundscape_ids):
        clipped = logits[:, :, rows].clip(-params.max_logit, params.max_logit)
        transformed = _transformed(clipped, soundscape_ids[rows], params.transform)
        probabilities = sigmoid(transformed).mean(axis=0)
        if params.teacher == "mean":
            mean = probabilities.mean(axis=0, keepdims=True)
            probabilities = mean.repeat(len(probabilities), axis=0)
        yield probabilities**params.power


def unlabeled_windows(clips: ClipsParams) -> pd.DataFrame:
    """List the windows of the unlabelled soundscapes, as `read_windows` does.

    Raises:
        ParamsError: no unlabelled soundscape is stored.
    """
    table = read_windows("unlabeled", clips)
    if table.empty:
        raise ParamsError(
            "no unlabelled soundscape is stored, so there are no windows to pseudo-label; add"
            " birdclef-2024/unlabeled_soundscapes to data.root, or train only teachers with"
            " `dvc repro train_l1`"
        )
    return table


def write_pseudo_labels(
    level: str,
    seed: int,
    windows: pd.DataFrame,
    folds: Sequence[Fold],
    labels: Iterable[Logits],
    shuffled: bool = False,
) -> None:
    """Write the window table and one (window, species) array per fold, one block at a time.

    Half precision is enough: its steps are at most 0.0005, far below the accuracy of a teacher.

    Args:
        level: level of the students.
        seed: one of models.seeds.
        windows: table of windows as `read_windows` lists them.
        folds: folds of the students.
        labels: blocks of (fold, window, species) that together cover every window.
        shuffled: give each window the labels of a random other one. What a student then gains, it
            does not gain from the labels.
    """
    folder, start, rows = _folder(level, seed), 0, np.arange(len(windows))
    if shuffled:
        rows = np.random.default_rng(seed).permutation(rows)
    folder.mkdir(parents=True, exist_ok=True)
    arrays: list[npt.NDArray[np.float16]] = []
    for block in labels:
        if not arrays:
            shape = (len(windows), block.shape[2])
            arrays = [open_memmap(folder / _name(f), "w+", np.float16, shape) for f in folds]
        for array, probabilities in zip(arrays, block, strict=True):
            array[rows[start : start + block.shape[1]]] = probabilities
        start += block.shape[1]
    write_csv(windows, folder / _WINDOWS)


def read_pseudo_labels(level: str, seed: int, fold: Fold, clips: ClipsParams) -> PseudoLabels:
    """Read what the student of a fold learns from; sound and labels stay on disk until used."""
    files = [_folder(level, seed) / name for name in (_WINDOWS, _name(fold))]
    # category: one string per soundscape, not one per window
    table = read_own(files[0], soundscape_id="category", start_s=float, end_s=float)
    windows = SoundscapeWindows(table, "unlabeled", clips)
    return PseudoLabels(windows, np.load(files[1], mmap_mode="r"), files)
