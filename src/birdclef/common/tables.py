"""Tables that others wrote: read as text, checked at the edge, never executed."""

import ast
import warnings
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

CODE = r"[A-Za-z0-9_-]+"  # a species code, a recording's id: nothing that a path could abuse
MAX_LIST_CHARS = 10_000  # longest cell parsed as a list; real ones stay below 2,000


class TableError(ValueError):
    """A table is missing or not of the expected form; the message names the file and the cure."""


def read_table(path: Path, required: Sequence[str], cure: str = "") -> pd.DataFrame:
    """Read a CSV file as stripped text.

    Args:
        path: The file.
        required: Columns that it must have.
        cure: What to do where the file is missing, for the message.

    Returns:
        One row a record that is not blank, empty cells as "". The index is the row's number as a
        spreadsheet shows it: the header is row 1.

    Raises:
        TableError: the file is missing, is no CSV in UTF-8, or lacks a required column.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header
            table = pd.read_csv(
                path,
                dtype=str,
                keep_default_na=False,  # "NA" and "null" are text like any other
                skip_blank_lines=False,  # they count as rows
                index_col=False,
            )
    except FileNotFoundError:
        raise TableError(f"{path} not found{cure and '; '}{cure}") from None
    except (ValueError, pd.errors.ParserWarning, OSError) as error:  # ParserError is a ValueError
        raise TableError(f"{path} is not a readable CSV table in UTF-8: {error}") from None
    missing = [name for name in required if name not in table.columns]
    if missing:
        raise TableError(
            f"{path} lacks the columns {', '.join(missing)};"
            f" present are {', '.join(map(str, table.columns))}"
        )
    table.index += 2
    table = table.fillna("")  # rows shorter than the header
    table = table[(table != "").any(axis=1)]
    return pd.DataFrame({name: table[name].str.strip() for name in table})


def to_numbers(cells: pd.Series) -> pd.Series:
    """Numbers from text; NaN for anything else, such as "Not specified", and for infinities."""
    numbers = pd.to_numeric(cells, errors="coerce").astype("float64")
    return numbers.where(numbers.abs() < float("inf"))


def parse_names(cell: str) -> tuple[str, ...] | None:
    """Parse a Python list of strings, such as "['houspa', 'caltow']", without executing it.

    Returns:
        The names that are not blank; none for an empty cell; None where the cell is anything else
        than a list of strings, or longer than MAX_LIST_CHARS.
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
    """Parse a column of lists with `parse_names`, each distinct cell once.

    Returns:
        A series of tuples of names, or None for a bad cell, with the index of `cells`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # odd escapes such as "\d"
        warnings.simplefilter("ignore", DeprecationWarning)
        parsed = {cell: parse_names(cell) for cell in cells.unique()}
    return pd.Series([parsed[cell] for cell in cells], index=cells.index, dtype=object)
