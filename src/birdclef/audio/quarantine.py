"""Files that cannot be used: listed with path and reason, counted, and too many stop the run."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from birdclef.common.files import write_csv


class Quarantined(NamedTuple):
    """One file that was set aside."""

    id: str
    path: str
    reason: str


class QuarantineError(RuntimeError):
    """More files are bad than preprocess.max_quarantined allows."""


def write_quarantine(rows: Sequence[Quarantined], total: int, limit: float, path: Path) -> None:
    """List what was set aside, then judge whether that is too much.

    Args:
        rows: the files set aside.
        total: how many files there were.
        limit: the largest fraction of them that may be bad.
        path: the table to write.

    Raises:
        QuarantineError: above the limit; the table is written all the same.
    """
    write_csv(pd.DataFrame(sorted(rows), columns=list(Quarantined._fields)), path)
    if len(rows) <= limit * total:
        return
    shown = "\n".join(f"  {row.path}: {row.reason}" for row in sorted(rows)[:20])
    raise QuarantineError(
        f"{len(rows)} of {total} files cannot be used, more than preprocess.max_quarantined ="
        f" {limit:g} allows; the first of {path}:\n{shown}\n"
        "Replace them, or raise the limit if the data is meant to be like this"
    )
