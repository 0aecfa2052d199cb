"""CSV tables from outside the pipeline: read as text, checked on reading, never executed."""

import ast
import warnings
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from birdclef.common.text import unguard

CODE = r"[A-Za-z0-9_-]+"  # a species code or recording id; always safe as part of a path
MAX_LIST_CHARS = 10_000  # longest cell that is parsed as a list; real cells are below 2,000


class TableError(ValueError):
    """A table is missing or malformed; the message names the file and the way out."""


def read_table(path: Path, required: Sequence[str], hint: str = "") -> pd.DataFrame:
    """Read a CSV file as stripped text.

    Args:
        path: The file.
        required: Names of the columns that the table must have.
        hint: What to do if the file is missing, for the error message.

    Returns:
        One row per record that is not blank, with "" in empty cells. The index is the row number
        that a spreadsheet shows: the header is row 1.

    Raises:
        TableError: The file is missing, is not a CSV table in UTF-8, or lacks a required column.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header
            table = pd.read_csv(
                path,
                dtype=str,
                keep_default_na=False,  # "NA" and "null" are ordinary text
                skip_blank_lines=False,  # blank lines count in the row numbers
                index_col=False,
            )
    except FileNotFoundError:
        raise TableError(f"{path} not found{hint and '; '}{hint}") from None
    except (ValueError, pd.errors.ParserWarning, OSError) as error:  # ParserError is a ValueError
        raise TableError(f"{path} is not a readable CSV table in UTF-8: {error}") from None
    table = table.rename(columns=unguard)
    missing = [name for name in required if name not in table.columns]
    if missing:
        raise TableError(
            f"{path} lacks the columns {', '.join(missing)};"
            f" its columns are {', '.join(map(str, table.columns))}"
        )
    table.index += 2
    table = table.fillna("")  # rows shorter than the header
    table = table[(table != "").any(axis=1)]
    return pd.DataFrame({name: table[name].str.strip().map(unguard) for name in table})


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
