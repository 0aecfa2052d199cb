"""Halves of the labelled soundscapes: settings are chosen on one and reported on the other."""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from birdclef.common.names import INDEX
from birdclef.dataset.labels import label_windows, read_labels
from birdclef.dataset.soundscapes import read_windows
from birdclef.params import ClipsParams, ParamsError


def labeled_windows(clips: ClipsParams, group: str | None) -> pd.DataFrame:
    """List the labelled windows of the stored soundscapes.

    Returns:
        Columns soundscape_id, start_s, end_s, labels, site, and group as `groups_of` returns it.

    Raises:
        ParamsError: no label matches a window, or evaluate.group does not fit the soundscapes.
    """
    labels = read_labels(INDEX / "soundscape_labels.csv")
    windows = label_windows(read_windows("labeled", clips), labels)
    return windows.assign(group=groups_of(windows, group))


def groups_of(windows: pd.DataFrame, group: str | None) -> list[str]:
    """Group of each labelled window; windows of one group are in the same half.

    Args:
        windows: columns soundscape_id and site.
        group: evaluate.group. None: each soundscape is its own group. "site": the column site.
            Otherwise a regular expression with one capturing group, which is searched in the
            soundscape's name.

    Raises:
        ParamsError: a soundscape has no site, the pattern does not match its name, or all
            soundscapes are of one group.
    """
    if group is None:
        return windows["soundscape_id"].tolist()
    if group == "site":
        found = windows["site"]
    else:
        found = windows["soundscape_id"].map(lambda name: _captured(group, name)).astype("str")
    lacking = windows.loc[found == "", "soundscape_id"].unique()
    total = windows["soundscape_id"].nunique()
    if len(lacking):
        rule = "each soundscape must have a site" if group == "site" else "it must match each name"
        raise ParamsError(
            f"evaluate.group = {group}: {rule}, and {len(lacking)} of {total} labelled soundscapes"
            f" break this rule, first {lacking[0]}; set evaluate.group to a regular expression that"
            " captures a part of each soundscape's name, or to null"
        )
    if total and found.nunique() == 1:
        raise ParamsError(
            f"evaluate.group = {group}: two halves need two groups, but all {total} labelled"
            f" soundscapes are of the group {found.iloc[0]}; set evaluate.group to another"
            " regular expression, or to null"
        )
    return found.tolist()


def _captured(pattern: str, name: str) -> str:
    """What the pattern's group captures in a name; empty if nothing."""
    match = re.search(pattern, name)
    return match.group(1) or "" if match else ""


def tuning_rows(groups: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which rows are in the tuning half: those of the first, third, ... group in sorted order."""
    _, number = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    return number % 2 == 0
