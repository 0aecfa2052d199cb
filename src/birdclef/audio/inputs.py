"""Read tables of audio files under data.root; refuse a cell that could lead outside it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from birdclef.common.tables import CODE, TableError, read_table


def read_inputs(table: Path, codes: Sequence[str], root: Path) -> pd.DataFrame:
    """Read the list of audio files to process, with the size and time of each file.

    Args:
        table: CSV file with a column `path`: POSIX paths relative to `root`.
        codes: Columns whose values name output files; the first is the id.
        root: data.root.

    Returns:
        Columns `codes`, path, size in bytes and mtime_ns. Size and time show whether a file has
        changed; both are -1 if the file is missing.

    Raises:
        TableError: the table is missing or lacks a column, or a row has a repeated id, a code
            that does not match CODE, or a path that is absolute or contains `..`. Links are
            followed when the file is opened, by `find_inside`.
    """
    rows = read_table(table, [*codes, "path"], "run the stage that writes it")
    for column in codes:
        _refuse(~rows[column].str.fullmatch(CODE), rows[column], table, f"must match {CODE}")
    _refuse(rows[codes[0]].duplicated(), rows[codes[0]], table, "is listed twice")
    not_plain = [not _is_plain(path) for path in rows["path"]]
    _refuse(not_plain, rows["path"], table, "must be relative to data.root, without ..")
    versions = pd.DataFrame([_version(root / path) for path in rows["path"]], index=rows.index)
    rows[["size", "mtime_ns"]] = versions if len(rows) else 0
    return rows[[*codes, "path", "size", "mtime_ns"]]


def _refuse(bad: Iterable[bool], cells: pd.Series, table: Path, rule: str) -> None:
    for row, cell in cells[np.fromiter(bad, dtype=bool)].items():
        raise TableError(
            f"{table} row {row}: {cells.name} = {cell!r} {rule};"
            " no audio was read; run the earlier stages again to rewrite the table,"
            " or correct the row"
        )


def _is_plain(path: str) -> bool:
    """Whether every part is a name; an absolute path is not plain: its first part is empty."""
    return "\0" not in path and not {"", ".", ".."} & set(path.split("/"))


def _version(path: Path) -> tuple[int, int]:
    """Size in bytes and modification time in ns; -1 for both if the file is missing."""
    try:
        status = path.stat()
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns
