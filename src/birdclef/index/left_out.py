"""Name the sound files of a source that no row of its table names, so that none is lost unseen."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from birdclef.index.folders import SOUND_SUFFIXES, scan_audio, unread_folders
from birdclef.index.layouts import Layout

_SHOWN = 20  # names on one line of the screen; the rest is counted


def describe_left_out(
    layout: Layout, folder: Path, unlisted: Collection[str], files: Collection[str]
) -> tuple[str, ...]:
    """Describe what is on disk and enters no table, one line per kind.

    Args:
        layout: Layout of the source.
        folder: Folder of the source.
        unlisted: Files `<label>/<name>` that no row of the table names.
        files: All files `<label>/<name>` of the source.
    """
    audio = folder / layout.audio
    return (*_unlisted(layout, unlisted, files), *_unread(layout, audio))


def _unlisted(layout: Layout, unlisted: Collection[str], files: Collection[str]) -> Iterator[str]:
    in_folder, left_out = (Counter(map(_label, names)) for names in (files, unlisted))
    whole = [label for label in sorted(left_out) if left_out[label] == in_folder[label]]
    single = sorted(file for file in unlisted if _label(file) not in whole)
    where = f"{layout.source}: no row of {layout.table} names"
    if whole:
        folders = [f"{label} ({left_out[label]} files)" for label in whole]
        yield f"{where} any file of these folders of {layout.audio}: {shorten(folders)}"
    if single:
        yield f"{where} these files of {layout.audio}: {shorten(single)}"


def _unread(layout: Layout, audio: Path) -> Iterator[str]:
    if beside := sorted(scan_audio(audio, SOUND_SUFFIXES)):
        yield (
            f"{layout.source}: not read, because they are in no folder of a label:"
            f" {shorten([f'{layout.audio}/{name}' for name in beside])}"
        )
    labels = sorted(path for path in audio.iterdir() if path.is_dir())
    below = [f"{label.name}/{name}" for label in labels for name in unread_folders(label)]
    if below:
        yield (
            f"{layout.source}: not read, because recordings must be in {layout.audio}/<label>:"
            f" {shorten(below)}"
        )


def shorten(names: Sequence[str]) -> str:
    """Join names for the screen; only the first of many are named, the others are counted."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _label(file: str) -> str:
    return file.split("/")[0]
