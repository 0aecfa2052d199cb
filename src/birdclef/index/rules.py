"""The recording table, and the rules by which recordings get into it."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from birdclef.common.recordings import COLUMNS
from birdclef.common.tables import TableError, read_table

CORRECTION_COLUMNS = ("recording_id", "from_label", "to_label", "reason")


@dataclass(frozen=True)
class Corrected:
    """Recordings after the corrections, and which of these could and could not be made."""

    recordings: pd.DataFrame
    applied: int
    unknown: tuple[str, ...]  # recordings left as they are, since their true label is unknown


def find_species(recordings: pd.DataFrame) -> pd.DataFrame:
    """The species of a competition: its primary labels, sorted, with their names.

    Returns:
        SPECIES_COLUMNS; the names are those of the first recording that has any.
    """
    names = recordings[["primary_label", "scientific_name", "common_name"]].replace("", None)
    species = names.groupby("primary_label", sort=True).first().fillna("")
    return species.rename_axis("species").reset_index()


def correct_labels(
    recordings: pd.DataFrame, corrections: pd.DataFrame, species: Collection[str]
) -> Corrected:
    """Move known mislabelled recordings to the right species; their files stay where they are.

    Args:
        recordings: Rows with recording_id and primary_label.
        corrections: CORRECTION_COLUMNS; applied only where recording and from_label match.
        species: Codes known to the competition; a move to any other is left undone.
    """
    moves = corrections.set_index(["recording_id", "from_label"])["to_label"]
    keys = pd.MultiIndex.from_frame(recordings[["recording_id", "primary_label"]])
    to_label = pd.Series(moves.reindex(keys).to_numpy(), index=recordings.index)
    known = to_label.isin(list(species))
    unknown = recordings["recording_id"][to_label.notna() & ~known]
    labels = recordings["primary_label"].mask(known, to_label)
    return Corrected(
        recordings=recordings.assign(primary_label=labels),
        applied=int(known.sum()),
        unknown=tuple(sorted(unknown)),
    )


def read_corrections(path: str | Path) -> pd.DataFrame:
    """Read the corrections.

    Raises:
        TableError: it is missing, lacks a column, or moves one recording of one species twice.
    """
    cure = f"index.corrections in params.yaml names a table of {', '.join(CORRECTION_COLUMNS)}"
    corrections = read_table(Path(path), CORRECTION_COLUMNS, cure)
    twice = corrections[corrections.duplicated(["recording_id", "from_label"])]
    if len(twice):
        raise TableError(
            f"{path} row {twice.index[0]}: {twice['recording_id'].iloc[0]} is corrected twice;"
            " keep one row"
        )
    return corrections


def merge_same_id(recordings: pd.DataFrame) -> pd.DataFrame:
    """Make one recording of all rows with one id, positive for each of their labels.

    The first label in sorted order becomes the primary one, and its row's file is kept.

    Returns:
        Rows sorted by recording_id, with joint_labels added as tuples.
    """
    rows = recordings.sort_values(["recording_id", "primary_label", "path"])
    positive: dict[str, dict[str, None]] = {}  # a dictionary keeps the order, a set does not
    secondary: dict[str, set[str]] = {}
    columns = rows[["recording_id", "primary_label", "secondary_labels"]]
    for recording, label, background in columns.itertuples(index=False):
        positive.setdefault(recording, {})[label] = None
        secondary.setdefault(recording, set()).update(background)
    merged = rows.drop_duplicates("recording_id").reset_index(drop=True)
    joint = [tuple(positive[recording])[1:] for recording in merged["recording_id"]]
    background = [tuple(sorted(secondary[recording])) for recording in merged["recording_id"]]
    return merged.assign(joint_labels=_tuples(joint), secondary_labels=_tuples(background))


def _tuples(values: list[tuple[str, ...]]) -> pd.Series:
    return pd.Series(values, dtype=object)


def known_secondary(recordings: pd.DataFrame, species: Collection[str]) -> tuple[pd.DataFrame, int]:
    """Keep of the secondary labels those known to the competition, less the positives, sorted.

    Returns:
        The recordings, and the number of labels dropped because nobody knows them.
    """
    known = set(species)
    kept, unknown = [], 0
    columns = recordings[["primary_label", "joint_labels", "secondary_labels"]]
    for primary, joint, secondary in columns.itertuples(index=False):
        kept.append(tuple(sorted((set(secondary) & known) - {primary, *joint})))
        unknown += len(set(secondary) - known)
    return recordings.reset_index(drop=True).assign(secondary_labels=_tuples(kept)), unknown


def newest_first(
    extras: pd.DataFrame, taken_ids: Collection[str], sources: Collection[str]
) -> pd.DataFrame:
    """Keep one recording an id, the newest source winning, in the order in which they fill up.

    Args:
        extras: Recordings of all extra sources.
        taken_ids: Recordings that the competition has; these are dropped.
        sources: Every source of `extras`, newest first.

    Returns:
        Rows by source, then from the best rating down, then by id.
    """
    ranks = {source: rank for rank, source in enumerate(sources)}
    rows = extras[~extras["recording_id"].isin(list(taken_ids))]
    rows = rows.assign(_age=rows["source"].map(ranks), _rating=-rows["rating"].fillna(0.0))
    rows = rows.sort_values(["_age", "_rating", "recording_id"]).drop(columns=["_age", "_rating"])
    return rows.drop_duplicates("recording_id")


def fill_up(own: pd.DataFrame, extras: pd.DataFrame, limit: int) -> pd.DataFrame:
    """Keep the first extras of each species, as many as the competition's own leave room for.

    Args:
        own: The competition's recordings; never dropped, however many.
        extras: Candidates in the order of preference.
        limit: Largest number of recordings that extras may bring a species up to.
    """
    free_slots = limit - extras["primary_label"].map(own["primary_label"].value_counts()).fillna(0)
    return extras[extras.groupby("primary_label").cumcount() < free_slots]


def to_table(recordings: pd.DataFrame) -> pd.DataFrame:
    """The table as it is written: COLUMNS, lists as text, sorted by recording_id."""
    rows = recordings.sort_values("recording_id")
    lists = {name: rows[name].str.join(" ") for name in ("joint_labels", "secondary_labels")}
    return rows.assign(**lists)[list(COLUMNS)].reset_index(drop=True)
