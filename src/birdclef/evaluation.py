"""The truth to score against, and the tables of scores."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from birdclef.fold_outputs import Level
from birdclef.labels import Matrix, multi_hot
from birdclef.metrics import roc_auc_per_species


def label_windows(windows: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Give windows of soundscapes their labels; windows that nobody labelled are left out.

    Args:
        windows: soundscape_id, start_s, end_s.
        labels: the same and labels, codes separated by blanks, empty where nothing is heard.

    Returns:
        The labelled windows with a column `labels` and their position in `windows` as index.

    Raises:
        ValueError: there are labels, but none is for a window of this length.
    """
    keys = ["soundscape_id", "start_s", "end_s"]
    labels = labels.astype({"start_s": float, "end_s": float})
    joined = windows.reset_index().merge(labels, on=keys, validate="one_to_one")
    if len(labels) and len(windows) and joined.empty:
        row = labels.iloc[0]
        raise ValueError(
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


def species_table(
    species: list[str],
    out_of_fold: Mapping[Level, tuple[Matrix, Matrix, Matrix]],
    soundscapes: Mapping[Level, tuple[Matrix, Matrix]],
) -> pd.DataFrame:
    """ROC-AUC of each species at each level, empty where a species has no positive.

    Args:
        species: codes, in the order of the columns of every matrix.
        out_of_fold: targets, scores and masks of each level.
        soundscapes: targets and scores of each level.

    Returns:
        Columns level, species, out_of_fold, soundscapes.
    """
    rows = []
    for level, (targets, scores, masks) in out_of_fold.items():
        table = pd.DataFrame({"level": level, "species": species})
        table["out_of_fold"] = roc_auc_per_species(targets, scores, masks)
        table["soundscapes"] = np.nan
        if level in soundscapes:
            table["soundscapes"] = roc_auc_per_species(*soundscapes[level])
        rows.append(table)
    return pd.concat(rows, ignore_index=True)
