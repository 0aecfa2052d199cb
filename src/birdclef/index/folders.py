"""List audio files on disk, folder by folder, and refuse files outside data.root."""

from collections.abc import Mapping
from os import DirEntry, scandir
from pathlib import Path

from birdclef.common.files import is_inside
from birdclef.common.names import AUDIO_SUFFIXES

AudioFiles = Mapping[str, DirEntry[str]]  # file name -> directory entry


class SourceError(ValueError):
    """A source is missing or has the wrong layout; the message names the path and the way out."""


def require_inside(path: Path, root: Path) -> None:
    """Refuse a file or folder that links place outside `root`.

    Raises:
        SourceError: The path is outside `root` after all links are resolved.
    """
    if not is_inside(path, root):
        raise SourceError(
            f"{path} is a link that points outside data.root = {root};"
            " set data.root to the folder that contains the sources, or move the sources into it"
        )


def list_audio(folder: Path) -> AudioFiles:
    """List audio files one folder below `folder`; read each folder once and open no file."""
    labels = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    return {
        f"{label}/{name}": entry
        for label in labels
        for name, entry in scan_audio(folder / label).items()
    }


def scan_audio(folder: Path) -> AudioFiles:
    """Map names to audio files in one folder; skip hidden files, left over from file managers."""
    with scandir(folder) as entries:
        found = [entry for entry in entries if entry.name.endswith(AUDIO_SUFFIXES)]
    return {entry.name: entry for entry in found if not entry.name.startswith(".")}


def file_problem(entry: DirEntry[str] | None, root: Path) -> str:
    """Return why a file cannot be used, or ""; only existence, size and links are checked."""
    if entry is None or not Path(entry.path).is_file():
        return "missing on disk"
    path = Path(entry.path)
    if (entry.is_symlink() or path.parent.is_symlink()) and not is_inside(path, root):
        return "link leaves the data folder"
    return "" if entry.stat().st_size else "empty file"
