"""Label cells to training vectors."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from birdclef.common.arrays import Matrix
from birdclef.params import ParamsError


def multi_hot(cells: Sequence[str], species: Sequence[str]) -> Matrix:
    """Cells of blank-separated codes -> (row, species) of 0 and 1.

    Raises:
        ValueError: a code is not in `species`.
    """
    column = {code: i for i, code in enumerate(species)}
    matrix = np.zeros((len(cells), len(species)), np.float32)
    for row, cell in enumerate(cells):
        for code in cell.split():
            if code not in column:
                raise ValueError(f"label {code!r} (row {row}) is not in the species list")
            matrix[row, column[code]] = 1
    return matrix


def targets_and_masks(recordings: pd.DataFrame, species: Sequence[str]) -> tuple[Matrix, Matrix]:
    """Training vectors of a recording table, each (recording, species).

    Targets are 1 for the primary label and the labels joined to it. A secondary label may or may
    not be heard in the clip: it is no target, and its mask is 0, which takes it out of the loss.
    Masks are 1 everywhere else, targets included.
    """
    positives = recordings["primary_label"] + " " + recordings["joint_labels"]
    targets = multi_hot(positives.tolist(), species)
    secondary = multi_hot(recordings["secondary_labels"].tolist(), species)
    return targets, np.maximum(1 - secondary, targets)


def label_windows(windows: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Give windows of soundscapes their labels; windows that nobody labelled are left out.

    Args:
        windows: soundscape_id, start_s, end_s.
        labels: the same and labels, codes separated by blanks, empty where nothing is heard.

    Returns:
        The labelled windows with a column `labels` and their position in `windows` as index.

    Raises:
        ParamsError: there are labels, but none is for a window of this length.
    """
    keys = ["soundscape_id", "start_s", "end_s"]
    labels = labels.astype({"start_s": float, "end_s": float})
    joined = windows.reset_index().merge(labels, on=keys, validate="one_to_one")
    if len(labels) and len(windows) and joined.empty:
        row = labels.iloc[0]
        raise ParamsError(
            f"no label of {len(labels)} is for a window of clips.clip_s ="
            f" {windows['end_s'].iloc[0] - windows['start_s'].iloc[0]:g} s; the first is for"
            f" {row['soundscape_id']} from {row['start_s']:g} to {row['end_s']:g} s"
        )
    return joined.set_index("index")


def read_labels(path: Path) -> pd.DataFrame:
    """Read the labels of soundscapes that indexing wrote."""
    text = {"soundscape_id": str, "labels": str}
    return pd.read_csv(path, dtype=text, keep_default_na=False)


def window_targets(labeled: pd.DataFrame, species: list[str]) -> Matrix:
    """(window, species) of 0 and 1 from the column `labels`."""
    return multi_hot(labeled["labels"].tolist(), species)
