"""Folds without leaks: recordings that belong together are always in the same fold."""

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold

from birdclef.common.names import NO_FOLD

FOLD_COLUMNS = ("recording_id", "group", "fold")
UNKNOWN_RECORDISTS = ("", "-", "?", "anonymous", "n/a", "nan", "none", "unknown")


class FoldsError(ValueError):
    """The recordings cannot be split as requested; the message names the key and the way out."""


def assign_folds(
    recordings: pd.DataFrame,
    count: int,
    seed: int,
    together: Sequence[tuple[str, str]] = (),
) -> pd.DataFrame:
    """Split recordings into folds; keep groups whole and spread each species evenly.

    Args:
        recordings: Columns recording_id (unique), primary_label, joint_labels (codes separated by
            spaces) and recordist; the order of the rows does not matter.
        count: Number of folds.
        seed: Seed of the shuffle among similar groups.
        together: More pairs of recording ids that must be in the same fold, such as duplicates by
            sound.

    Returns:
        FOLD_COLUMNS, sorted by recording_id. A group is named after the first of its recordings;
        folds are numbered from 0. A species whose recordings form a single group has fold -1: if
        its fold were held out, the model would learn from every clip that the species is absent.
        So every model trains on this group, and no fold scores it.

    Raises:
        FoldsError: There are fewer groups to hold out than folds.
        ValueError: A pair names an unknown recording.
    """
    rows = recordings.sort_values("recording_id").reset_index(drop=True)
    groups = find_groups(rows, together)
    spread = np.flatnonzero(~_alone(rows, groups))  # rows that a fold may hold out
    if groups[spread].nunique() < count:
        raise FoldsError(
            f"folds.count = {count} needs at least {count} groups of recordings to hold out, but"
            f" {len(rows)} recordings form only {groups[spread].nunique()}, because recordings of"
            " one species by one recordist stay in one group, and the only group of a species is"
            " held out by no fold; lower folds.count, or add recordings by other recordists"
        )
    folds = np.full(len(rows), NO_FOLD)
    strata = _strata(rows.iloc[spread], count)
    for fold, held_out in enumerate(_split(strata, groups[spread], count, seed)):
        folds[spread[held_out]] = fold
    return pd.DataFrame({"recording_id": rows["recording_id"], "group": groups, "fold": folds})


def find_groups(recordings: pd.DataFrame, together: Sequence[tuple[str, str]] = ()) -> pd.Series:
    """Group recordings that share an id apart from the take, or a species and a recordist.

    Groups are connected components, so a chain of such recordings forms one group.

    Returns:
        The first recording_id of the group, for each row.
    """
    ids = recordings["recording_id"].reset_index(drop=True)
    members, keys = _memberships(recordings.reset_index(drop=True), together)
    key_codes, unique_keys = pd.factorize(keys)
    size = len(ids) + len(unique_keys)  # recordings first, then one node per key
    edges = coo_array((np.ones(len(keys)), (members, len(ids) + key_codes)), shape=(size, size))
    component = connected_components(edges, directed=False)[1][: len(ids)]
    return ids.groupby(component).transform("min").rename("group")


def _alone(rows: pd.DataFrame, groups: pd.Series) -> np.ndarray:
    """Whether the group of each row has all recordings of some species."""
    labels = (rows["primary_label"] + " " + rows["joint_labels"]).str.split().explode()
    groups_of = groups[labels.index].groupby(labels.to_numpy())
    only = groups_of.first()[groups_of.nunique() == 1]
    return groups.isin(only).to_numpy()


def _memberships(
    rows: pd.DataFrame, together: Sequence[tuple[str, str]]
) -> tuple[np.ndarray, pd.Series]:
    """Return row numbers and keys of equal length; rows with a common key belong to one group."""
    takes = "take " + rows["recording_id"].map(take_of)
    recordist = rows["recordist"].map(recordist_key)
    labels = (rows["primary_label"] + " " + rows["joint_labels"]).str.split().explode()
    labels = labels[recordist[labels.index] != ""]
    authored = "by " + recordist[labels.index] + " of " + labels
    pairs = _pair_keys(rows["recording_id"], together)
    keys = pd.concat([takes, authored, pairs])
    return keys.index.to_numpy(), keys


def _pair_keys(ids: pd.Series, together: Sequence[tuple[str, str]]) -> pd.Series:
    row_of = pd.Series(ids.index, index=ids)
    unknown = sorted({recording for pair in together for recording in pair} - set(ids))
    if unknown:
        raise ValueError(f"pairs to keep together contain unknown recordings: {', '.join(unknown)}")
    members = [row_of[recording] for pair in together for recording in pair]
    keys = [f"pair {number}" for number in range(len(together)) for _ in range(2)]
    return pd.Series(keys, index=members, dtype="str")


def take_of(recording_id: str) -> str:
    """Remove the take letter from a recording id: FS37806B -> FS37806."""
    ends_with_take = len(recording_id) > 1 and recording_id[-1].isalpha()
    return recording_id[:-1] if ends_with_take and recording_id[-2].isdigit() else recording_id


def recordist_key(name: str) -> str:
    """Normalise case and spaces in a recordist's name; "" for an unknown recordist."""
    key = " ".join(name.casefold().split())
    return "" if key in UNKNOWN_RECORDISTS else key


def _strata(rows: pd.DataFrame, count: int) -> pd.Series:
    """Use species as strata, or one stratum if no species has `count` recordings.

    scikit-learn refuses to split if every stratum has fewer members than there are folds.
    """
    labels = rows["primary_label"]
    return labels if labels.value_counts().max() >= count else pd.Series("", index=labels.index)


def _split(strata: pd.Series, groups: pd.Series, count: int, seed: int) -> list[np.ndarray]:
    splitter = StratifiedGroupKFold(n_splits=count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # Species with fewer recordings than folds are common; they are spread as far as possible.
        warnings.filterwarnings("ignore", message="The least populated class")
        return [held_out for _, held_out in splitter.split(strata, strata, groups)]


def count_straddling(
    recordings: pd.DataFrame, folds: pd.DataFrame, together: Sequence[tuple[str, str]] = ()
) -> int:
    """Count leaks: sets of recordings that belong in one fold but are in more than one.

    The count uses only the rules, applied to one recording after another. It does not use the
    groups, so that it also finds errors in them.

    Args:
        recordings: As for `assign_folds`.
        folds: Columns recording_id and fold.
        together: As for `assign_folds`.
    """
    fold_of = dict(zip(folds["recording_id"], folds["fold"], strict=True))
    folds_of: dict[tuple[str, ...], set[int]] = {}
    columns = recordings[["recording_id", "primary_label", "joint_labels", "recordist"]]
    for recording, primary, joint, recordist in columns.itertuples(index=False):
        author = recordist_key(recordist)
        labels = [primary, *joint.split()] if author else []
        for key in [(take_of(recording),), *((author, label) for label in labels)]:
            folds_of.setdefault(key, set()).add(fold_of[recording])
    split_pairs = sum(fold_of[one] != fold_of[other] for one, other in together)
    return split_pairs + sum(len(found) > 1 for found in folds_of.values())
