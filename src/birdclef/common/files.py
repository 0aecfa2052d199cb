"""Write files whole or not at all: a killed run leaves no half-written table behind."""

import json
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # who only runs an exported model has no pandas
    import pandas as pd


@contextmanager
def replacing(path: str | Path) -> Generator[Path, None, None]:
    """A new file beside `path`, which takes its place when the block ends well, and goes if not.

    It lies in the same folder, since a rename across file systems is a copy; the folder is made
    where needed.
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
    """Whether a path lies in a folder once links are followed."""
    return path.resolve().is_relative_to(folder.resolve())


def write_bytes(data: bytes, path: str | Path) -> None:
    """Replace `path` by `data` in one step."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_csv(frame: "pd.DataFrame", path: str | Path, float_format: str | None = "%.9g") -> None:
    """Write the columns of a table without its index; the same rows give the same bytes.

    Args:
        frame: The table; missing values become empty cells.
        path: The file to replace.
        float_format: printf-style; the default keeps every digit of a float32, None those of a
            float64.
    """
    text = frame.to_csv(index=False, lineterminator="\n", float_format=float_format)
    write_bytes(text.encode("utf-8"), path)


def read_json(path: Path) -> dict[str, Any]:
    """Read a mapping that `write_json` wrote."""
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values


def write_json(values: Mapping[str, Any], path: str | Path) -> None:
    """Write a mapping as indented JSON, its keys in the order given.

    Raises:
        ValueError: a number is NaN or infinite, which JSON cannot hold.
    """
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
    write_bytes(f"{text}\n".encode(), path)
