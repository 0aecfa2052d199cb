"""Atomic file writes: a killed run leaves no half-written file behind."""

import json
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # an installation that only runs an exported model has no pandas
    import pandas as pd


@contextmanager
def replacing(path: str | Path) -> Generator[Path, None, None]:
    """Give the block a temporary file to write, which then replaces `path` in one step.

    If the block raises, the temporary file is deleted and `path` stays as it was. The temporary
    file is in the folder of `path`, because a rename across file systems is a copy. The folder is
    created if it is missing.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def is_inside(path: Path, folder: Path) -> bool:
    """Whether a path is inside a folder after all links are resolved.

    A loop of links is where it lies, because it leads nowhere else.
    """
    # realpath, because Path.resolve raises RuntimeError for a loop in Python 3.11 and 3.12
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


class OutsideError(ValueError):
    """A file is outside the folder that must contain it; the message is the reason alone."""


def find_inside(root: Path, path: str) -> Path:
    """Resolve a path relative to data.root right before the file is opened.

    A table names files that were inside `root` when it was made; a link may have changed since.

    Raises:
        OutsideError: The file is outside `root` after all links are resolved.
    """
    if not is_inside(root / path, root):
        raise OutsideError("link leaves the data folder")
    return root / path


def write_bytes(data: bytes, path: str | Path) -> None:
    """Write `data` to `path` in one step, replacing any existing file."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_csv(frame: "pd.DataFrame", path: str | Path, float_format: str | None = "%.9g") -> None:
    """Write a table as CSV without its index; the same rows always give the same bytes.

    Args:
        frame: The table; missing values become empty cells.
        path: The file to write or replace.
        float_format: A printf-style format. The default keeps every digit of a float32; None keeps
            every digit of a float64.
    """
    text = frame.to_csv(index=False, lineterminator="\n", float_format=float_format)
    write_bytes(text.encode("utf-8"), path)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file written by `write_json`."""
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values


def write_json(values: Mapping[str, Any], path: str | Path) -> None:
    """Write a mapping as indented JSON, with its keys in the order given.

    Raises:
        ValueError: A number is NaN or infinite, which JSON cannot represent.
    """
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
    write_bytes(f"{text}\n".encode(), path)
