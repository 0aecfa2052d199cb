"""Audio files on disk: listed folder by folder, and never outside data.root."""

from collections.abc import Mapping
from os import DirEntry, scandir
from pathlib import Path

from birdclef.common.files import is_inside
from birdclef.common.names import AUDIO_SUFFIXES

AudioFiles = Mapping[str, DirEntry[str]]  # name -> file


class SourceError(ValueError):
    """A source is missing or not laid out as expected; the message names the path and the cure."""


def require_inside(path: Path, root: Path) -> None:
    """Refuse a file or folder that links lead out of `root`.

    Raises:
        SourceError: it does.
    """
    if not is_inside(path, root):
        raise SourceError(
            f"{path} is a link that leaves data.root = {root};"
            " set data.root to the folder that holds the sources, or move them into it"
        )


def list_audio(folder: Path) -> AudioFiles:
    """Audio files one folder below `folder`; each folder is read once, and no file touched."""
    labels = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    return {
        f"{label}/{name}": entry
        for label in labels
        for name, entry in scan_audio(folder / label).items()
    }


def scan_audio(folder: Path) -> AudioFiles:
    """Audio files in one folder, by name; hidden ones are leftovers of some file manager."""
    with scandir(folder) as entries:
        found = [entry for entry in entries if entry.name.endswith(AUDIO_SUFFIXES)]
    return {entry.name: entry for entry in found if not entry.name.startswith(".")}


def file_problem(entry: DirEntry[str] | None, root: Path) -> str:
    """Why a file cannot be used, or "": only its name, its size and where links lead are read."""
    if entry is None or not Path(entry.path).is_file():
        return "missing on disk"
    path = Path(entry.path)
    if (entry.is_symlink() or path.parent.is_symlink()) and not is_inside(path, root):
        return "link leaves the data folder"
    return "" if entry.stat().st_size else "empty file"
