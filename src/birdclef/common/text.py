"""Untrusted text, such as names of files and species, in spreadsheets and on terminals."""

import io
from typing import TextIO

# What spreadsheets read as the start of a formula. Source: OWASP, "CSV Injection".
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def guard(text: str) -> str:
    """Text as a cell of a CSV table, where no spreadsheet reads it as a formula.

    An apostrophe is put before it if the text, without apostrophes that it starts with, looks like
    a formula. So `unguard` gives every text back. Numbers such as -1.5 stay as they are.
    """
    return f"'{text}" if _is_formula(text.lstrip("'")) else text


def unguard(cell: str) -> str:
    """The text that `guard` was given."""
    return cell[1:] if cell.startswith("'") and _is_formula(cell.lstrip("'")) else cell


def _is_formula(text: str) -> bool:
    if not text.startswith(_FORMULA):
        return False
    try:
        float(text)
    except ValueError:
        return True
    return text.startswith(("\t", "\r", "\n"))  # float() accepts blanks around a number


class Rows(io.TextIOBase):
    r"""A file for csv writers with the line terminator \r\n, whose lines end with \n nevertheless.

    With the terminator \n, the csv module of Python 3.11 does not quote a cell that contains \r,
    which readers take for the end of a row.
    """

    def __init__(self, file: TextIO) -> None:
        """Write to `file`, which must be open with newline=""."""
        self._file = file

    def writable(self) -> bool:
        """Say yes."""
        return True

    def write(self, row: str) -> int:
        """Write one row, as csv writers do."""
        ends = row.endswith("\r\n")
        return self._file.write(f"{row[:-2]}\n" if ends else row)


def printable(text: str) -> str:
    r"""Text without control characters, which could move the cursor or change the terminal.

    Each character that is not printable becomes its escape, such as \x1b, \n or \udce9; the last
    stands for a byte of a file name that is not UTF-8.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
