"""Teachers' logits on soundscape windows to the soft labels that each student learns from."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from birdclef.datasets import SoundscapeWindows
from birdclef.files import write_bytes, write_csv
from birdclef.params import ClipsParams, PseudoLabelParams
from birdclef.prediction import Logits, sigmoid

FOLDER = Path("data/pseudo_labels")
_WINDOWS = FOLDER / "windows.csv"


class PseudoLabels(NamedTuple):
    """What one student reads of the soundscapes."""

    windows: SoundscapeWindows
    probabilities: npt.NDArray[np.float16]  # (window, species)
    files: list[Path]


def _path(fold: int) -> Path:
    return FOLDER / f"fold_{fold}.npy"


def _max_over_models(logits: Logits) -> Logits:
    """sigmoid's argument (l_f + M + mean(l_f) - mean(M)) / 2, M the largest over models.

    The mean runs over all windows and species of a model: M is shifted to that model's level.

    Source: 3rd place of BirdCLEF-2024, the published notebook.
    """
    largest = logits.max(axis=0)  # (window, species)
    level = logits.mean(axis=(1, 2), keepdims=True) - largest.mean()  # (model, 1, 1)
    return (logits + largest + level) / 2


def _max_over_windows(logits: Logits, soundscape_ids: Sequence[str]) -> Logits:
    """The same with M the largest over the windows of the window's own soundscape.

    Source: 3rd place of BirdCLEF-2024, the team's write-up.
    """
    _, soundscape_of = np.unique(np.asarray(soundscape_ids), return_inverse=True)
    n_models, _, n_species = logits.shape
    largest = np.full((n_models, soundscape_of.max() + 1, n_species), -np.inf, logits.dtype)
    for model in range(n_models):
        np.maximum.at(largest[model], soundscape_of, logits[model])
    spread = largest[:, soundscape_of]  # (model, window, species)
    level = logits.mean(axis=(1, 2), keepdims=True) - spread.mean(axis=(1, 2), keepdims=True)
    return (logits + spread + level) / 2


def soft_labels(logits: Logits, soundscape_ids: Sequence[str], params: PseudoLabelParams) -> Logits:
    """Pseudo labels of every student.

    Args:
        logits: (model, window, species), model f being the teacher of fold f.
        soundscape_ids: (window,).
        params: clipping, transform, which teachers a student learns from, and the power.

    Returns:
        (model, window, species) probabilities.
    """
    logits = logits.clip(-params.max_logit, params.max_logit)
    if params.transform == "max_over_models":
        logits = _max_over_models(logits)
    elif params.transform == "max_over_windows":
        logits = _max_over_windows(logits, soundscape_ids)
    probabilities = sigmoid(logits)
    if params.teacher == "mean":
        mean = probabilities.mean(axis=0, keepdims=True)
        probabilities = np.repeat(mean, len(probabilities), axis=0)
    return probabilities**params.power


def write_pseudo_labels(windows: pd.DataFrame, folds: Sequence[int], labels: Logits) -> None:
    """Write the window table and one (window, species) array a fold.

    Half precision: its steps are at most 0.0005, far below what a teacher knows.
    """
    write_csv(windows, _WINDOWS)
    for fold, probabilities in zip(folds, labels, strict=True):
        buffer = io.BytesIO()
        np.save(buffer, probabilities.astype(np.float16))
        write_bytes(buffer.getvalue(), _path(fold))


def read_pseudo_labels(fold: int, clips: ClipsParams) -> PseudoLabels:
    """Read what the student of a fold learns from; neither windows nor labels are loaded whole."""
    table = pd.read_csv(_WINDOWS, dtype={"soundscape_id": str})
    windows = SoundscapeWindows(table, "unlabeled", clips)
    return PseudoLabels(windows, np.load(_path(fold), mmap_mode="r"), [_WINDOWS, _path(fold)])
