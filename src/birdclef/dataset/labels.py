"""Turn labels of recordings and soundscape windows into target vectors."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from birdclef.common.arrays import Matrix
from birdclef.common.tables import read_own
from birdclef.params import ParamsError


def multi_hot(cells: Sequence[str], species: Sequence[str]) -> Matrix:
    """Encode cells of blank-separated species codes as a matrix of 0 and 1, (row, species).

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
    """Compute targets and loss masks of a table of recordings, (recording, species) each.

    Targets are 1 for the primary label and the joint labels. A species that is only in the
    secondary labels may or may not be audible in the clip: its target is 0, and its mask is 0,
    which excludes it from the loss. Masks are 1 everywhere else, targets included.
    """
    positives = recordings["primary_label"] + " " + recordings["joint_labels"]
    targets = multi_hot(positives.tolist(), species)
    secondary = multi_hot(recordings["secondary_labels"].tolist(), species)
    return targets, np.maximum(1 - secondary, targets)


def label_windows(windows: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Join windows of soundscapes with their labels, and leave out windows without a label row.

    Args:
        windows: Columns soundscape_id, start_s, end_s.
        labels: The same columns, and `labels`: codes separated by blanks, empty for a window
            without any species.

    Returns:
        The labelled windows with the column `labels`; the index is the position in `windows`.

    Raises:
        ParamsError: there are labels, but none of them matches a window.
    """
    keys = ["soundscape_id", "start_s", "end_s"]
    labels = labels.astype({"start_s": float, "end_s": float})
    joined = windows.reset_index().merge(labels, on=keys, validate="one_to_one")
    if len(labels) and len(windows) and joined.empty:
        row = labels.iloc[0]
        raise ParamsError(
            f"none of {len(labels)} labels is for a window of clips.clip_s ="
            f" {windows['end_s'].iloc[0] - windows['start_s'].iloc[0]:g} s; the first label is for"
            f" {row['soundscape_id']} from {row['start_s']:g} to {row['end_s']:g} s;"
            " set clips.clip_s to the length of the labelled windows"
        )
    return joined.set_index("index")


def read_labels(path: Path) -> pd.DataFrame:
    """Read the table of soundscape labels that the stage index wrote."""
    return read_own(path, start_s=float, end_s=float)


def window_targets(labeled: pd.DataFrame, species: list[str]) -> Matrix:
    """Targets of windows from their column `labels`: 0 and 1, (window, species)."""
    return multi_hot(labeled["labels"].tolist(), species)
