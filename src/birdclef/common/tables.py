"""CSV tables: those from outside are checked and never executed; ours have one reader."""

import ast
import csv
import warnings
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from birdclef.common.text import unguard

# A species code or recording id; always safe as part of a path. File systems allow 255 bytes per
# name, and what we add to a code (suffixes, process ids) takes up to 40 of them.
CODE = r"[A-Za-z0-9_-]{1,200}"
MAX_LIST_CHARS = 10_000  # longest cell that is parsed as a list; real cells are below 2,000

SHORT_ROW = "fewer cells than the header"
LONG_ROW = "more cells than the header"
JOINED_ROWS = "an odd quote joins it with the rows below"
FAULTS = (SHORT_ROW, LONG_ROW, JOINED_ROWS)  # of a row; its cells may stand in wrong columns


class TableError(ValueError):
    """A table is missing or malformed; the message names the file and the way out."""


class CheckedTable(NamedTuple):
    """A table from outside, and the fault of each row."""

    rows: pd.DataFrame  # text
    faults: pd.Series  # one of FAULTS, or "" for a sound row; the index is that of `rows`


def read_table(path: Path, required: Sequence[str], hint: str = "") -> pd.DataFrame:
    """Read a CSV file as `read_checked` does, but refuse a table with a faulty row.

    Text that `write_csv` has guarded comes back as it was.

    Raises:
        TableError: As in `read_checked`, or a row is faulty.
    """
    rows, faults = read_checked(path, required, hint)
    for row, fault in faults[faults != ""].items():
        raise TableError(f"{path} row {row}: {fault}; correct the row")
    return rows.map(unguard)


def read_checked(path: Path, required: Sequence[str], hint: str = "") -> CheckedTable:
    """Read a CSV file as stripped text, and find the rows that cannot be trusted.

    Args:
        path: The file.
        required: Names of the columns that the table must have.
        hint: What to do if the file is missing, for the error message.

    Returns:
        One row per record that is not blank, with "" in empty cells. The index is the row number
        that a spreadsheet shows: the header is row 1.

    Raises:
        TableError: The file is missing, no regular file or no CSV table in UTF-8, has two columns
            of one name, or lacks a required column.
    """
    header, *records = _read_records(path, hint)
    header = [unguard(name) for name in header]
    _check_header(path, header, required)
    width = max((i for i, name in enumerate(header, start=1) if name), default=0)
    filled = {n: cells for n, cells in enumerate(records, start=2) if any(map(str.strip, cells))}
    index = pd.Index(list(filled), dtype="int64")
    columns = {
        name: pd.Series([_clean(cells, i) for cells in filled.values()], index, dtype="str")
        for i, name in enumerate(header)
        if name
    }
    faults = pd.Series([_fault(cells, width) for cells in filled.values()], index, dtype="str")
    return CheckedTable(pd.DataFrame(columns, index), faults)


def _read_records(path: Path, hint: str) -> list[list[str]]:
    """The cells of each record, the header included; not by pandas, which fills up short rows."""
    if path.exists() and not path.is_file():  # to open a named pipe would wait forever
        raise TableError(f"{path} is no regular file; put a CSV table in its place")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            records = list(csv.reader(file))
        if not records:
            raise ValueError("it is empty")
    except FileNotFoundError:
        raise TableError(f"{path} not found{hint and '; '}{hint}") from None
    except (ValueError, csv.Error, OSError) as error:
        raise TableError(f"{path} is not a readable CSV table in UTF-8: {error}") from None
    return records


def _clean(cells: Sequence[str], i: int) -> str:
    """A cell without blanks around it, "" if it is absent."""
    return cells[i].strip() if i < len(cells) else ""


def _check_header(path: Path, header: Sequence[str], required: Sequence[str]) -> None:
    twice = [name for name in dict.fromkeys(header) if name and header.count(name) > 1]
    if twice:
        raise TableError(
            f"{path} has several columns named {', '.join(twice)}, and any choice among them would"
            " be a guess; rename or remove all but one"
        )
    missing = [name for name in required if name not in header]
    if missing:
        raise TableError(
            f"{path} lacks the columns {', '.join(missing)}; its columns are {', '.join(header)}"
        )


def _fault(cells: Sequence[str], width: int) -> str:
    """Find the fault of a row of a table with `width` columns: one of FAULTS, or "".

    A quote without its partner swallows all text up to the next odd quote. Between both lie the
    rest of one row and the start of another: with the same number of columns in all rows, that is
    a line break and at least as many commas as one row has. A remark of several lines has fewer.
    """
    commas = max(1, width - 1)
    if any(cell.count(",") >= commas and ("\n" in cell or "\r" in cell) for cell in cells):
        return JOINED_ROWS
    if len(cells) < width:
        return SHORT_ROW
    return LONG_ROW if any(map(str.strip, cells[width:])) else ""


def read_own(path: str | Path, **types: Any) -> pd.DataFrame:
    """Read a table that a stage has written with `write_csv`.

    Args:
        path: The file.
        types: Columns that are no plain text: int, float or "category". Every other column is
            text, so that an id such as NA, null or 007 comes back as it was, and so does text that
            `write_csv` has guarded.

    Returns:
        The table. Empty cells are NaN in columns of float and "" in columns of text.
    """
    # pandas would make numbers of categories such as 007
    dtype = defaultdict(lambda: str, {n: t for n, t in types.items() if t != "category"})
    empty = {name: [""] for name, type_ in types.items() if type_ is float}
    table = pd.read_csv(path, dtype=dtype, keep_default_na=False, na_values=empty)
    for name in table.columns.astype(str):
        if types.get(name, "category") == "category":
            table[name] = table[name].map(unguard)
        if name in types:
            table[name] = table[name].astype(types[name])
    return table.rename(columns=unguard)


def to_numbers(cells: pd.Series) -> pd.Series:
    """Convert text to numbers; infinities and other text, such as "Not specified", become NaN."""
    numbers = pd.to_numeric(cells, errors="coerce").astype("float64")
    return numbers.where(numbers.abs() < float("inf"))


def parse_names(cell: str) -> tuple[str, ...] | None:
    """Parse a Python list of strings, such as "['houspa', 'caltow']", without executing it.

    Returns:
        The names that are not blank; an empty tuple for an empty cell. None if the cell is not a
        list of strings or is longer than MAX_LIST_CHARS.
    """
    if not cell:
        return ()
    if len(cell) > MAX_LIST_CHARS:
        return None
    try:
        names = ast.literal_eval(cell)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    return tuple(name.strip() for name in names if name.strip())


def parse_name_lists(cells: pd.Series) -> pd.Series:
    """Parse a column of lists with `parse_names`; each distinct cell is parsed only once.

    Returns:
        A series with the index of `cells`: a tuple of names per cell, or None for an invalid cell.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # invalid escapes such as "\d"
        warnings.simplefilter("ignore", DeprecationWarning)
        parsed = {cell: parse_names(cell) for cell in cells.unique()}
    return pd.Series([parsed[cell] for cell in cells], index=cells.index, dtype=object)
