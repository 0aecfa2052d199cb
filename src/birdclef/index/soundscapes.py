"""List the competition's soundscapes, and read the labels of the labelled ones."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from os.path import lexists
from pathlib import Path

import pandas as pd

from birdclef.common.names import NOT_DECODED
from birdclef.common.tables import CODE, read_checked, read_table, to_numbers
from birdclef.common.text import printable
from birdclef.index.folders import (
    SOUND_SUFFIXES,
    file_problem,
    require_folder,
    require_inside,
    scan_audio,
    unread_folders,
)
from birdclef.index.left_out import shorten
from birdclef.index.sources import SET_ASIDE_COLUMNS

SOUNDSCAPE_COLUMNS = ("soundscape_id", "kind", "path")
LABEL_COLUMNS = ("soundscape_id", "start_s", "end_s", "labels", "site")
FOLDERS = {"labeled": "train_soundscapes", "unlabeled": "unlabeled_soundscapes"}
LABELS_TABLE = "train_soundscape_labels.csv"
WINDOW_S = 5.0  # the same in every competition; the tables give only the end of a window
MAX_END_S = 7 * 24 * 3600.0  # no soundscape is longer than a week; larger numbers are slips
BIRDS = rf"\s*(?:{CODE}(?:\s+{CODE})*)?\s*"  # codes separated by blanks, or nothing


@dataclass(frozen=True)
class Soundscapes:
    """The competition's soundscapes and labels, and those that cannot be used."""

    soundscapes: pd.DataFrame  # SOUNDSCAPE_COLUMNS, sorted by soundscape_id
    # LABEL_COLUMNS, sorted; labels are codes separated by spaces, site may be ""
    labels: pd.DataFrame
    set_aside: pd.DataFrame  # SET_ASIDE_COLUMNS
    unknown_labels: int  # number of labels dropped because they are no species of the competition
    notes: tuple[str, ...]  # messages for the screen


def load_soundscapes(folder: Path, root: Path, species: Collection[str]) -> Soundscapes:
    """List a competition's soundscapes and read their labels.

    Args:
        folder: The competition's folder, which contains FOLDERS and LABELS_TABLE; each of them may
            be missing.
        root: data.root; every file must be inside it.
        species: Species codes of the competition.

    Raises:
        TableError: The table of labels is malformed or lacks a column.
        SourceError: A folder or the table is a link that points outside `root`, or is no folder.
    """
    files = _list_soundscapes(folder, root)
    windows = _read_windows(folder, root)
    labeled = files.loc[(files["kind"] == "labeled") & (files["reason"] == ""), "soundscape_id"]
    windows = _match(windows, list(labeled))
    good = windows[windows["reason"] == ""].sort_values(["soundscape_id", "end_s"])
    without = (files["kind"] == "labeled") & ~files["soundscape_id"].isin(good["soundscape_id"])
    files.loc[without & (files["reason"] == ""), "reason"] = "no labelled window"
    labels, unknown = _known_labels(good["birds"], set(species))
    aside = pd.concat([files, windows]).rename(columns={"soundscape_id": "recording_id"})
    aside = aside.loc[aside["reason"] != "", list(SET_ASIDE_COLUMNS)]
    usable = files.loc[files["reason"] == "", list(SOUNDSCAPE_COLUMNS)]
    return Soundscapes(
        soundscapes=usable.sort_values("soundscape_id").reset_index(drop=True),
        labels=good.assign(labels=labels)[list(LABEL_COLUMNS)].reset_index(drop=True),
        set_aside=aside.reset_index(drop=True),
        unknown_labels=unknown,
        notes=(*_missing(usable["kind"]), *_unread(folder)),
    )


def read_soundscapes(path: Path) -> pd.DataFrame:
    """Read the table of soundscapes that `index` writes."""
    table = read_table(path, SOUNDSCAPE_COLUMNS, "run `dvc repro index` to create it")
    return table[list(SOUNDSCAPE_COLUMNS)]


def _missing(kinds: pd.Series) -> Iterator[str]:
    for kind, name in FOLDERS.items():
        if not (kinds == kind).any():
            yield f"no {kind} soundscapes in {name}"


def _unread(folder: Path) -> Iterator[str]:
    for name in FOLDERS.values():
        if (folder / name).is_dir() and (below := unread_folders(folder / name)):
            yield f"not read, because soundscapes must be in {name} itself: {shorten(below)}"


def _list_soundscapes(folder: Path, root: Path) -> pd.DataFrame:
    """List every audio file in FOLDERS, with the reason why it cannot be used, or ""."""
    rows = []
    for kind, name in FOLDERS.items():
        if lexists(folder / name):
            require_folder(folder / name, root)
            for file, entry in sorted(scan_audio(folder / name, SOUND_SUFFIXES).items()):
                path, reason = f"{folder.name}/{name}/{file}", file_problem(entry, root)
                rows.append((f"{folder.name}/{name}", None, Path(file).stem, kind, path, reason))
    columns = ["source", "row", "soundscape_id", "kind", "path", "reason"]
    files = pd.DataFrame(rows, columns=columns).astype({"row": "Int64"})
    odd = ~files["soundscape_id"].astype("str").str.fullmatch(CODE)
    files.loc[odd & (files["reason"] != NOT_DECODED), "reason"] = "odd file name"
    # Labelled soundscapes come first: with an unlabelled copy, training would see evaluation data.
    twice = files["soundscape_id"].duplicated() & (files["reason"] == "")
    files.loc[twice, "reason"] = "same id as another soundscape"
    return files


def _read_windows(folder: Path, root: Path) -> pd.DataFrame:
    """Read LABELS_TABLE and mark invalid windows; a missing file gives no rows.

    The column site is optional, and "" where it is missing.
    """
    path = folder / LABELS_TABLE
    columns = ("audio_id", "seconds", "birds")
    if lexists(path):
        require_inside(path, root)
        table, reason = read_checked(path, columns)
    else:
        table = pd.DataFrame(columns=list(columns), dtype="str")
        reason = pd.Series(dtype="str")
    if "site" not in table:
        table["site"] = pd.Series("", index=table.index, dtype="str")
    ends_s = to_numbers(table["seconds"])
    is_end = (ends_s % WINDOW_S == 0) & ends_s.between(WINDOW_S, MAX_END_S)
    odd_birds = ~table["birds"].str.fullmatch(BIRDS)
    reason = reason.mask(odd_birds & (reason == ""), "birds are no codes separated by blanks")
    reason = reason.mask(
        ~is_end & (reason == ""), f"seconds is not the end of a {WINDOW_S:g} s window"
    )
    return table.assign(
        audio_id=table["audio_id"].map(printable),
        source=f"{folder.name}/{LABELS_TABLE}",
        row=pd.Series(table.index, index=table.index, dtype="Int64"),
        start_s=ends_s - WINDOW_S,
        end_s=ends_s,
        reason=reason,
    )


def _match(windows: pd.DataFrame, soundscapes: list[str]) -> pd.DataFrame:
    """Add soundscape_id to each window: the file `<audio_id>` or `<audio_id>_<site>_<date>`."""
    stems = pd.Series(soundscapes, dtype="str")
    undated = stems.str.rpartition("_")[0] if len(stems) else stems
    by_site = dict(zip(undated, stems, strict=True))
    several = set(undated[undated.duplicated()])
    with_site = windows["audio_id"] + "_" + windows["site"]
    exact = windows["audio_id"].where(windows["audio_id"].isin(stems))
    found = exact.fillna(with_site.where(~with_site.isin(several)).map(by_site))
    several_match = exact.isna() & with_site.isin(several)
    reason = found.isna().map({True: "soundscape missing on disk", False: ""})
    reason = reason.mask(several_match, "several soundscapes match")
    reason = windows["reason"].where(windows["reason"] != "", reason)
    windows = windows.assign(soundscape_id=found.fillna(windows["audio_id"]), reason=reason)
    twice = windows[windows["reason"] == ""].duplicated(["soundscape_id", "end_s"])
    windows.loc[twice.index[twice], "reason"] = "window listed twice"
    return windows


def _known_labels(cells: pd.Series, species: set[str]) -> tuple[pd.Series, int]:
    """Return the known codes of each cell, sorted and joined by spaces, and the number dropped."""
    codes = [set(cell.split()) - {"nocall"} for cell in cells]
    kept = [" ".join(sorted(found & species)) for found in codes]
    unknown = sum(len(found - species) for found in codes)
    return pd.Series(kept, index=cells.index, dtype="str"), unknown
