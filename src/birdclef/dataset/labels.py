"""Label cells to training vectors."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from birdclef.common.arrays import Matrix


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
