"""Rules that decide which recordings enter the recording table, and with which labels."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from birdclef.common.recordings import COLUMNS
from birdclef.common.tables import TableError, read_table

CORRECTION_COLUMNS = ("recording_id", "from_label", "to_label", "reason")


@dataclass(frozen=True)
class Corrected:
    """Recordings after correction, and which corrections could and could not be applied."""

    recordings: pd.DataFrame
    applied: int
    unknown: tuple[str, ...]  # ids not corrected: the true label is not a known species


def find_species(recordings: pd.DataFrame) -> pd.DataFrame:
    """List the species of a competition: its primary labels, sorted, with their names.

    Returns:
        SPECIES_COLUMNS; each name comes from the first recording of the species that has it.
    """
    names = recordings[["primary_label", "scientific_name", "common_name"]].replace("", None)
    species = names.groupby("primary_label", sort=True).first().fillna("")
    return species.rename_axis("species").reset_index()


def correct_labels(
    recordings: pd.DataFrame, corrections: pd.DataFrame, species: Collection[str]
) -> Corrected:
    """Give known mislabelled recordings the correct primary label; their files do not move.

    Args:
        recordings: Rows with recording_id and primary_label.
        corrections: CORRECTION_COLUMNS; a correction applies only if recording_id and from_label
            both match.
        species: Species codes of the competition; a correction to any other code is not applied.
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
    """Read the table of corrections.

    Raises:
        TableError: The table is missing or malformed, lacks a column, or has two rows for the same
            recording_id and from_label.
    """
    columns = ", ".join(CORRECTION_COLUMNS)
    hint = f"index.corrections in params.yaml must name a table with the columns {columns}"
    corrections = read_table(Path(path), CORRECTION_COLUMNS, hint)
    twice = corrections[corrections.duplicated(["recording_id", "from_label"])]
    if len(twice):
        raise TableError(
            f"{path} row {twice.index[0]}: {twice['recording_id'].iloc[0]} is corrected twice;"
            " keep one row"
        )
    return corrections


def merge_same_id(recordings: pd.DataFrame) -> pd.DataFrame:
    """Merge all rows with the same id into one recording that is positive for all their labels.

    The first label in sorted order becomes the primary label; the file of its row is kept.

    Returns:
        Rows sorted by recording_id, with joint_labels added as tuples.
    """
    rows = recordings.sort_values(["recording_id", "primary_label", "path"])
    positive: dict[str, dict[str, None]] = {}  # a dict as an ordered set
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
    """Keep secondary labels that are species of the competition and not positive labels.

    Returns:
        The recordings with sorted secondary labels, and the number of labels dropped because they
        are not species of the competition.
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
    """Keep one recording per id, from the newest source, sorted in the order for `fill_up`.

    Args:
        extras: Recordings of all extra sources.
        taken_ids: Recording ids of the competition; extras with these ids are dropped.
        sources: Every source of `extras`, newest first.

    Returns:
        Rows sorted by source, then by rating with the best first, then by id.
    """
    ranks = {source: rank for rank, source in enumerate(sources)}
    rows = extras[~extras["recording_id"].isin(list(taken_ids))]
    rows = rows.assign(_age=rows["source"].map(ranks), _rating=-rows["rating"].fillna(0.0))
    rows = rows.sort_values(["_age", "_rating", "recording_id"]).drop(columns=["_age", "_rating"])
    return rows.drop_duplicates("recording_id")


def fill_up(own: pd.DataFrame, extras: pd.DataFrame, limit: int) -> pd.DataFrame:
    """Keep the first extras of each species, until own recordings and extras reach the limit.

    Args:
        own: The competition's recordings; none is dropped, even above the limit.
        extras: Candidates in order of preference.
        limit: Maximum number of recordings per species that extras may fill up to.
    """
    free_slots = limit - extras["primary_label"].map(own["primary_label"].value_counts()).fillna(0)
    return extras[extras.groupby("primary_label").cumcount() < free_slots]


def to_table(recordings: pd.DataFrame) -> pd.DataFrame:
    """Convert recordings to the table that is written: COLUMNS, lists as text, sorted by id."""
    rows = recordings.sort_values("recording_id")
    lists = {name: rows[name].str.join(" ") for name in ("joint_labels", "secondary_labels")}
    return rows.assign(**lists)[list(COLUMNS)].reset_index(drop=True)
