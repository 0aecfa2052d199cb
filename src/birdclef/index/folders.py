"""List sound files on disk, folder by folder, and refuse files outside data.root."""

from collections.abc import Iterator, Mapping
from os import DirEntry, scandir
from pathlib import Path

from birdclef.common.files import is_inside
from birdclef.common.names import AUDIO_SUFFIXES, NOT_DECODED, OTHER_SOUND_SUFFIXES
from birdclef.common.text import printable

SOUND_SUFFIXES = AUDIO_SUFFIXES + OTHER_SOUND_SUFFIXES

AudioFiles = Mapping[str, DirEntry[str]]  # file name, printable -> directory entry


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


def require_folder(path: Path, root: Path) -> None:
    """Refuse a folder of soundscapes or labels that is no folder, or that is outside `root`.

    Raises:
        SourceError: The path is a file, a broken link or a link that points outside `root`.
    """
    if not path.is_dir():
        raise SourceError(f"{path} is no folder, or a broken link; put the folder in its place")
    require_inside(path, root)


def list_audio(folder: Path, suffixes: tuple[str, ...] = AUDIO_SUFFIXES) -> AudioFiles:
    """List audio files one folder below `folder`; read each folder once and open no file."""
    labels = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    return {
        f"{printable(label)}/{name}": entry
        for label in labels
        for name, entry in scan_audio(folder / label, suffixes).items()
    }


def scan_audio(folder: Path, suffixes: tuple[str, ...] = AUDIO_SUFFIXES) -> AudioFiles:
    """Map names to audio files in one folder; skip hidden files, left over from file managers.

    Capital suffixes count too: field recorders write .WAV.
    """
    with scandir(folder) as entries:
        found = [entry for entry in entries if entry.name.lower().endswith(suffixes)]
    return {printable(entry.name): entry for entry in found if not entry.name.startswith(".")}


def unread_folders(folder: Path) -> list[str]:
    """Names of folders in `folder` that hold sound at any depth, sorted; no stage reads them."""
    below = (path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())
    named = (path for path in below if not path.name.startswith("."))
    return sorted(printable(path.name) for path in named if any(_sounds(path)))


def _sounds(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.name.lower().endswith(SOUND_SUFFIXES))


def file_problem(entry: DirEntry[str] | None, root: Path) -> str:
    """Return why a file cannot be used, or ""; only name, existence, size and links are checked."""
    if entry is None:
        return "missing on disk"
    if entry.name.lower().endswith(OTHER_SOUND_SUFFIXES):
        return NOT_DECODED
    path = Path(entry.path)
    try:
        if not path.is_file():
            return "missing on disk"
        if (entry.is_symlink() or path.parent.is_symlink()) and not is_inside(path, root):
            return "link leaves the data folder"
        return "" if entry.stat().st_size else "empty file"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
