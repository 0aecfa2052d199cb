"""Each source's table and audio folder -> one table of recordings of the competition's species."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from birdclef.index.folders import (
    AudioFiles,
    SourceError,
    file_problem,
    list_audio,
    require_inside,
)
from birdclef.index.layouts import COMPETITION, EXTRAS, Layout, expected, read_rows
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
    """One source's recordings, and what became of its other rows."""

    recordings: pd.DataFrame
    species: pd.DataFrame
    set_aside: pd.DataFrame  # SET_ASIDE_COLUMNS
    counts: dict[str, int]  # rows left after each rule, and what the rules dropped
    notes: tuple[str, ...]  # what the reader of the screen should know


def find_source(layout: Layout, root: Path) -> Path | None:
    """The folder of a source, or None where data.root has none.

    Raises:
        SourceError: it is there under two names, or leads out of data.root.
    """
    found = [root / name for name in (layout.source, *layout.also) if (root / name).is_dir()]
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
    """The folder of a source that cannot be done without.

    Raises:
        SourceError: there is none, or it is not as expected.
    """
    folder = find_source(layout, root)
    if folder is None:
        raise SourceError(
            f"{root / layout.source} not found; {expected(layout)}."
            " Put the data there, set data.root in params.yaml to where it is,"
            " or make the demo dataset with `dvc repro demo`"
        )
    return folder


def require_two_species(species: pd.DataFrame, table: Path) -> None:
    """Check, before hours are spent, that there is something to tell apart.

    Raises:
        SourceError: the competition has one species.
    """
    if len(species) < 2:
        raise SourceError(
            f"{table} has one species, {species['species'].iloc[0]}: there is nothing to tell"
            " apart; add recordings of another"
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
        layout: What the source looks like.
        folder: Where it is, from `find_source`.
        root: data.root, which no file may leave.
        corrections: Known mislabelled recordings.
        species: The competition's; None for the competition itself, whose labels they are.

    Raises:
        SourceError: the source has no table and needs one.
        TableError: the table is not of the expected form.
    """
    files = list_audio(folder / layout.audio)
    rows = read_rows(layout, folder, root, files, species)
    if species is None:
        species = find_species(rows[rows["reason"] != "odd label"])
    known = set(species["species"])
    corrected = correct_labels(rows, corrections, known)
    same = corrected.recordings
    same = same[same["primary_label"].isin(known) | (same["reason"] == "odd label")]
    checked = check_files(same, files, root)
    usable = checked[checked["reason"] == ""]
    unique, unknown = known_secondary(merge_same_id(usable), known)
    set_aside = checked.loc[checked["reason"] != "", list(SET_ASIDE_COLUMNS)]
    if layout is COMPETITION and unique.empty:
        raise SourceError(
            f"{folder / layout.table} leaves no usable recording of {len(rows)} rows:"
            f" {count_reasons(set_aside) or 'it is empty'}; {expected(layout)}"
        )
    counts = {
        "rows": len(rows),
        "same_species": int(same["primary_label"].isin(known).sum()),
        "usable": len(usable),
        "unique": len(unique),
        "set_aside": len(set_aside),
        "corrected": corrected.applied,
        "unknown_secondary_labels": unknown,
        "unlisted_files": len(files.keys() - set(rows["file"])),
    }
    return Loaded(unique, species, set_aside, counts, _notes(layout, folder, corrected.unknown))


def _notes(layout: Layout, folder: Path, not_corrected: tuple[str, ...]) -> tuple[str, ...]:
    notes = []
    if not (folder / layout.table).is_file():
        notes.append(
            f"{layout.source}: no {layout.table}, so the folders are the index and"
            " recordists are unknown"
        )
    if not_corrected:
        notes.append(
            f"{layout.source}: left uncorrected, since the competition does not know their true"
            f" label: {', '.join(not_corrected)}"
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
    """Rows set aside by reason, in alphabetical order, the reasons as keys."""
    counts = set_aside["reason"].value_counts().sort_index()
    return {str(reason).replace(" ", "_"): int(count) for reason, count in counts.items()}


@dataclass(frozen=True)
class Extras:
    """Recordings that earlier years and Xeno-Canto add, and how they came to be so few."""

    recordings: pd.DataFrame
    set_aside: pd.DataFrame  # SET_ASIDE_COLUMNS
    counts: dict[str, dict[str, int]]  # source -> rows left after each rule
    notes: tuple[str, ...]  # what the reader of the screen should know


def load_extras(
    root: Path, own: pd.DataFrame, species: pd.DataFrame, corrections: pd.DataFrame, limit: int
) -> Extras:
    """Read every extra source that is there and choose the recordings that fill up.

    Args:
        root: data.root.
        own: The competition's recordings, never dropped.
        species: The competition's.
        corrections: Known mislabelled recordings.
        limit: Largest number of recordings that extras may bring a species up to.
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
