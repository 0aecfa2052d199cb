"""List the files that cannot be used, with path and reason; stop the run if there are too many."""

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
    """More files cannot be used than preprocess.max_quarantined allows."""


def write_quarantine(rows: Sequence[Quarantined], total: int, limit: float, path: Path) -> None:
    """Write the table of files set aside, then check that they are not too many.

    Args:
        rows: The files set aside.
        total: Number of all files.
        limit: Largest fraction of all files that may be set aside.
        path: The table to write.

    Raises:
        QuarantineError: the fraction is above the limit; the table is written first.
    """
    write_csv(pd.DataFrame(sorted(rows), columns=list(Quarantined._fields)), path)
    if len(rows) <= limit * total:
        return
    shown = "\n".join(f"  {row.path}: {row.reason}" for row in sorted(rows)[:20])
    raise QuarantineError(
        f"{len(rows)} of {total} files cannot be used, more than preprocess.max_quarantined ="
        f" {limit:g} allows; the first in {path} are:\n{shown}\n"
        "Replace these files, or raise the limit if such files are expected"
    )
