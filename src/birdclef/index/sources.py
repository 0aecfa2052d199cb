"""Turn each source's table and audio folder into recordings of the competition's species."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from birdclef.common.text import printable
from birdclef.index.folders import (
    SOUND_SUFFIXES,
    AudioFiles,
    SourceError,
    file_problem,
    list_audio,
    require_inside,
)
from birdclef.index.layouts import COMPETITION, EXTRAS, UNTRUSTED, Layout, expected, read_rows
from birdclef.index.left_out import describe_left_out
from birdclef.index.rules import (
    correct_labels,
    fill_up,
    find_species,
    known_secondary,
    merge_same_id,
    newest_first,
)

SET_ASIDE_COLUMNS = ("source", "row", "recording_id", "reason")
_NONE_SET_ASIDE = pd.DataFrame(columns=list(SET_ASIDE_COLUMNS)).astype({"row": "Int64"})


@dataclass(frozen=True)
class Loaded:
    """One source's recordings, and an account of its other rows."""

    recordings: pd.DataFrame
    species: pd.DataFrame
    set_aside: pd.DataFrame  # SET_ASIDE_COLUMNS
    counts: dict[str, int]  # rows left after each rule, and counts of what the rules dropped
    notes: tuple[str, ...]  # messages for the screen


def find_source(layout: Layout, root: Path) -> Path | None:
    """Find the folder of a source; None if data.root does not contain the source.

    Raises:
        SourceError: The source is there under two names, has no audio folder, or its audio folder
            is outside data.root after all links are resolved.
    """
    found = [root / name for name in (layout.source, *layout.aliases) if (root / name).is_dir()]
    if len(found) > 1:
        raise SourceError(f"{found[0]} and {found[1]} are the same source; keep one of them")
    if not found:
        return None
    audio = found[0] / layout.audio
    if not audio.is_dir():
        raise SourceError(f"{audio} not found; {expected(layout)}")
    require_inside(audio, root)
    return found[0]


def require_source(layout: Layout, root: Path) -> Path:
    """Find the folder of a source that is required.

    Raises:
        SourceError: The source is missing or does not have the expected layout.
    """
    folder = find_source(layout, root)
    if folder is None:
        raise SourceError(
            f"{root / layout.source} not found; {expected(layout)}."
            f" Put the data there, set data.root in params.yaml to the parent of {layout.source},"
            " or create the demo dataset with `dvc repro demo`"
        )
    return folder


def require_two_species(species: pd.DataFrame, table: Path) -> None:
    """Check for two or more species, before hours of computation are spent.

    Raises:
        SourceError: The competition has only one species.
    """
    if len(species) < 2:
        raise SourceError(
            f"{table} has only one species, {species['species'].iloc[0]}, and a classifier needs"
            " at least two; add recordings of another species"
        )


def load_source(
    layout: Layout,
    folder: Path,
    root: Path,
    corrections: pd.DataFrame,
    species: pd.DataFrame | None = None,
) -> Loaded:
    """Read one source and apply the rules that need no other source.

    Args:
        layout: Layout of the source.
        folder: Folder of the source, from `find_source`.
        root: data.root; every file must be inside it.
        corrections: Corrections of known mislabelled recordings.
        species: The competition's species; None for the competition, whose labels define them.

    Raises:
        SourceError: A required table is missing, the table is a link that points outside `root`,
            or the competition has no usable recording.
        TableError: The table is malformed.
    """
    files = list_audio(folder / layout.audio, SOUND_SUFFIXES)
    rows = read_rows(layout, folder, root, files, species)
    if species is None:
        species = find_species(rows[~rows["reason"].isin(UNTRUSTED)])
    known = set(species["species"])
    corrected = correct_labels(rows, corrections, known)
    rows = corrected.recordings
    same_species = rows["primary_label"].isin(known)
    checked = check_files(rows[same_species | rows["reason"].isin(UNTRUSTED)], files, root)
    usable = checked[checked["reason"] == ""]
    unique, unknown = known_secondary(merge_same_id(usable), known)
    set_aside = _set_aside(checked)
    if layout is COMPETITION and unique.empty:
        raise _nothing_usable(layout, folder, len(rows), set_aside)
    unlisted = files.keys() - set(rows["file"])
    counts = {
        "rows": len(rows),
        "same_species": int(same_species.sum()),
        "usable": len(usable),
        "unique": len(unique),
        "set_aside": len(set_aside),
        "corrected": corrected.applied,
        "unknown_secondary_labels": unknown,
        "unlisted_files": len(unlisted),
    }
    notes = _notes(layout, folder, corrected.unknown)
    notes += describe_left_out(layout, folder, unlisted, files)
    return Loaded(unique, species, set_aside, counts, notes)


def _nothing_usable(layout: Layout, folder: Path, n: int, set_aside: pd.DataFrame) -> SourceError:
    reasons = count_reasons(set_aside) or "it is empty"
    table = folder / layout.table
    return SourceError(
        f"{table} has no usable recording in {n} rows: {reasons}; {expected(layout)}"
    )


def _set_aside(checked: pd.DataFrame) -> pd.DataFrame:
    rows = checked.loc[checked["reason"] != "", list(SET_ASIDE_COLUMNS)]
    return rows.assign(recording_id=rows["recording_id"].map(printable))


def _notes(layout: Layout, folder: Path, not_corrected: tuple[str, ...]) -> tuple[str, ...]:
    notes = []
    if not (folder / layout.table).is_file():
        notes.append(
            f"{layout.source}: no {layout.table}; recordings are listed from the folders, and"
            " recordists are unknown"
        )
    if not_corrected:
        notes.append(
            f"{layout.source}: not corrected, because the true label is not a species of the"
            f" competition: {', '.join(not_corrected)}"
        )
    return tuple(notes)


def check_files(rows: pd.DataFrame, files: AudioFiles, root: Path) -> pd.DataFrame:
    """Mark rows whose file is missing, empty or outside `root`."""
    reasons = [
        reason or file_problem(files.get(file), root)
        for reason, file in zip(rows["reason"], rows["file"], strict=True)
    ]
    return rows.assign(reason=pd.Series(reasons, index=rows.index, dtype="str"))


def count_reasons(set_aside: pd.DataFrame) -> dict[str, int]:
    """Count rows set aside per reason, in alphabetical order, with reasons as keys."""
    counts = set_aside["reason"].value_counts().sort_index()
    return {str(reason).replace(" ", "_"): int(count) for reason, count in counts.items()}


@dataclass(frozen=True)
class Extras:
    """Recordings that earlier years and Xeno-Canto add, and an account of their other rows."""

    recordings: pd.DataFrame
    set_aside: pd.DataFrame  # SET_ASIDE_COLUMNS
    counts: dict[str, dict[str, int]]  # source -> rows left after each rule
    notes: tuple[str, ...]  # messages for the screen


def load_extras(
    root: Path, own: pd.DataFrame, species: pd.DataFrame, corrections: pd.DataFrame, limit: int
) -> Extras:
    """Read every extra source that exists, and choose recordings for species that have few.

    Args:
        root: data.root.
        own: The competition's recordings; they are never dropped.
        species: The competition's species.
        corrections: Corrections of known mislabelled recordings.
        limit: Maximum number of recordings per species that extras may fill up to.
    """
    folders = [(layout, find_source(layout, root)) for layout in EXTRAS]
    loaded = {
        layout.source: load_source(layout, folder, root, corrections, species)
        for layout, folder in folders
        if folder is not None
    }
    parts = list(loaded.values())
    found = pd.concat([own.iloc[:0], *(part.recordings for part in parts)])
    new = newest_first(found, own["recording_id"], list(loaded))
    selected = fill_up(own, new, limit)
    new_counts, selected_counts = (rows["source"].value_counts() for rows in (new, selected))
    counts = {
        source: part.counts
        | {"new": int(new_counts.get(source, 0)), "kept": int(selected_counts.get(source, 0))}
        for source, part in loaded.items()
    }
    return Extras(
        recordings=selected,
        set_aside=pd.concat([_NONE_SET_ASIDE, *(part.set_aside for part in parts)]),
        counts=counts,
        notes=(
            *(f"{x.source}: not under {root}, skipped" for x, folder in folders if folder is None),
            *(note for part in parts for note in part.notes),
        ),
    )
