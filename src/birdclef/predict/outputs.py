"""Check where `birdclef predict` writes before any recording is read; protect its inputs."""

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from birdclef.predict.selection import ChoiceError

PARTIAL = ".{}.partial"  # name of the folder of partial results, beside the output
_KINDS = {
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a link",
    stat.S_IFREG: "a file",
}


def target_of(out: Path, is_folder: bool) -> Path:
    """The path to write to: `out`, or the file or folder that it links to.

    Args:
        out: value of --out.
        is_folder: whether the format writes a folder.

    Raises:
        ChoiceError: `out` exists and is of another kind, its folder cannot be made or written, or
            its name is too long.
    """
    try:
        target = Path(os.path.realpath(out))
        kind = _kind(out.stat()) if out.exists() else None
        if kind is None and target.is_symlink():
            raise ChoiceError(f"--out {out} is a link that leads to itself; name a file")
        _require_kind(out, kind, is_folder)
        _require_place(out, target, kind)
    except OSError as error:
        raise ChoiceError(f"--out {out} cannot be written: {error.strerror}") from None
    return target


def _kind(status: os.stat_result) -> str:
    return _KINDS.get(stat.S_IFMT(status.st_mode), "no regular file")


def _require_kind(out: Path, kind: str | None, is_folder: bool) -> None:
    wanted = "a folder" if is_folder else "a file"
    if kind not in (None, wanted):
        example = out.with_name("labels") if is_folder else out / "detections.csv"
        way_out = f", such as {example}" if kind in ("a folder", "a file") else ""
        raise ChoiceError(
            f"--out {out} is {kind}, and the format writes {wanted}: name {wanted}{way_out}"
        )


def _require_place(out: Path, target: Path, kind: str | None) -> None:
    """Check the folder that will contain the output, and the length of the names in it."""
    folder = _existing(target.parent)
    if not folder.is_dir():
        raise ChoiceError(f"--out {out}: {folder} is no folder; name another place")
    is_old_writable = kind is None or os.access(target, os.W_OK)
    if not (os.access(folder, os.W_OK | os.X_OK) and is_old_writable):
        raise ChoiceError(f"--out {out} cannot be written: no permission; name another place")
    partial = target.with_name(PARTIAL.format(target.name))
    longest = _longest_name(folder)
    if len(os.fsencode(partial.name)) > longest:
        most = longest - len(PARTIAL.format(""))
        raise ChoiceError(
            f"--out {out}: its name has {len(os.fsencode(target.name))} bytes, at most {most} are"
            " possible here; choose a shorter name"
        )
    if partial.is_symlink() or (partial.exists() and not partial.is_dir()):
        raise ChoiceError(
            f"{partial} must be a folder, because predict keeps partial results there; remove it,"
            " or choose another --out"
        )


def _existing(folder: Path) -> Path:
    """The folder, or the first of those above it that exists."""
    while not folder.exists():
        folder = folder.parent
    return folder


def _longest_name(folder: Path) -> int:
    """Bytes that a name in this folder may have."""
    return os.pathconf(folder, "PC_NAME_MAX") if hasattr(os, "pathconf") else 255


def protect(files: Iterable[Path], inputs: Mapping[str, Sequence[Path]]) -> None:
    """Refuse to replace an input, or anything that is no regular file.

    Args:
        files: the files that will be written.
        inputs: what is read: kind of file, such as "recording" -> paths.

    Raises:
        ChoiceError: a file to write is one of the inputs, under whatever name, or no regular file,
            or its name is too long.
    """
    owners = {
        identity: f"the {kind} {path}"
        for kind, paths in inputs.items()
        for path in paths
        if (identity := _identity(path)) is not None
    }
    for file in files:
        longest = _longest_name(_existing(file.parent))
        if len(os.fsencode(file.name)) > longest:
            raise ChoiceError(
                f"{file} cannot be written, because names here have at most {longest} bytes: rename"
                " the recording, or choose another --format"
            )
        if not os.path.lexists(file):
            continue
        status = file.lstat()
        if _kind(status) != "a file":
            raise ChoiceError(
                f"{file} is {_kind(status)}, which predict would replace: remove it, or name"
                " another --out"
            )
        if (owner := owners.get((status.st_dev, status.st_ino))) is not None:
            raise ChoiceError(f"{file} is {owner}, which predict would replace: name another --out")


def _identity(path: Path) -> tuple[int, int] | None:
    """What is the same for all names of a file; None if there is no such file."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino
