"""Tables of audio files under data.root, refused where a cell could lead anywhere else."""

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from birdclef.common.files import is_inside
from birdclef.common.tables import CODE, TableError, read_table


def read_inputs(table: Path, codes: Sequence[str], root: Path) -> pd.DataFrame:
    """Read which audio files to work on, and what tells one version of a file from another.

    Args:
        table: A CSV file with a column `path`, posix and relative to `root`.
        codes: Columns that name output files, the id first.
        root: data.root.

    Returns:
        Columns `codes`, path, size in bytes and mtime_ns; -1 both where there is no such file.

    Raises:
        TableError: the table is missing or lacks a column, or a row has an id met before, a code
            with other characters than CODE's, or a path that leaves `root`.
    """
    rows = read_table(table, [*codes, "path"], "run the stage that writes it")
    for column in codes:
        _refuse(~rows[column].str.fullmatch(CODE), rows[column], table, f"must be {CODE}")
    _refuse(rows[codes[0]].duplicated(), rows[codes[0]], table, "is listed twice")
    outward = [not _is_plain(path) for path in rows["path"]]
    _refuse(outward, rows["path"], table, "must be relative to data.root, without ..")
    linked = _leave(rows["path"], root)
    _refuse(linked, rows["path"], table, f"is a link that leaves data.root = {root}")
    versions = pd.DataFrame([_version(root / path) for path in rows["path"]], index=rows.index)
    rows[["size", "mtime_ns"]] = versions if len(rows) else 0
    return rows[[*codes, "path", "size", "mtime_ns"]]


def _refuse(bad: Iterable[bool], cells: pd.Series, table: Path, rule: str) -> None:
    for row, cell in cells[np.fromiter(bad, dtype=bool)].items():
        raise TableError(
            f"{table} row {row}: {cells.name} = {cell!r} {rule};"
            " nothing was read: write the table anew with the stages before, or mend the row"
        )


def _is_plain(path: str) -> bool:
    """Whether each part is a name: an absolute path begins with an empty part."""
    return "\0" not in path and not {"", ".", ".."} & set(path.split("/"))


def _leave(paths: pd.Series, root: Path) -> list[bool]:
    """Which files lie outside `root`, links followed; each folder is followed once."""
    folders = {path: PurePosixPath(path).parent for path in paths}
    safe = {folder: is_inside(root / folder, root) for folder in set(folders.values())}

    def leaves(path: str) -> bool:
        file = root / path
        linked = file.is_symlink() and not is_inside(file, root)
        return linked or not safe[folders[path]]

    return [leaves(path) for path in paths]


def _version(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns
