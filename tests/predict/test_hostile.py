"""Each file of a hostile corpus is read rightly or set aside by name; all other files are read.

`pytest -s` prints the table: family, tried, read rightly, set aside.
"""

import math
import re
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from birdclef.common.tables import read_table
from birdclef.predict.detections import Scoring
from birdclef.predict.run import Choices, Done, detect
from hostile_sounds import WHOLE_S, Case, cases
from small_model import CLIP_S, write_model
from sounds import RATE_HZ, ramp, write

GOOD = ("00_first.wav", "zz_last.flac")  # the first and the last file to be read


class Run:
    """One run of predict over a folder with the corpus."""

    def __init__(self, folder: Path) -> None:
        self.cases = cases()
        write_model(folder / "m.onnx")
        (folder / "in").mkdir()
        for case in self.cases:
            case.write(folder / "in" / case.name)
        for name in GOOD:
            write(folder / "in" / name, ramp(WHOLE_S))
        out = folder / "out.csv"
        wide, plain = Choices("wide"), Scoring()
        self.done: Done = detect([folder / "in"], folder / "m.onnx", out, wide, plain)
        self.table = read_table(out, ["file"])
        self.windows = Counter(self.table["file"])
        self.lines = [line.replace(f"{folder}/in/", "") for line in self.done.lines]

    def line(self, kind: str, name: str) -> str:
        """What was said of a file."""
        start = f"{kind} {name}: "
        return next((line[len(start) :] for line in self.lines if line.startswith(start)), "")

    def windows_of(self, name: str) -> int:
        """Number of windows in the output of a file."""
        written = name.encode("utf-8", "backslashreplace").decode()
        return sum(n for file, n in self.windows.items() if Path(file).name == written)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("hostile"))


def windows(seconds: float) -> int:
    return max(1, math.ceil(round(seconds * RATE_HZ) / round(CLIP_S * RATE_HZ)))


def test_the_corpus_is_large_and_every_file_is_accounted_for(run: Run) -> None:
    assert len(run.cases) >= 150
    assert len({case.name for case in run.cases}) == len(run.cases)
    for name in GOOD:
        assert run.windows_of(name) == windows(WHOLE_S)
    for case in run.cases:
        assert bool(run.line("skipped", case.name)) != bool(run.windows_of(case.name)), case.name
    print()
    print(summary(run).to_string())


def fault(run: Run, case: Case) -> str:
    """What is wrong about what became of a file; "" if it was read rightly or set aside."""
    reason, note = run.line("skipped", case.name), run.line("read in part", case.name)
    count = run.windows_of(case.name)
    if case.reason:
        right = re.search(case.reason, reason) is not None
    elif case.note:
        right = re.search(case.note, note) is not None and count > 0
    elif case.length_s is not None:
        # Joined parts and codecs with blocks may be longer by less than a window.
        allowed = case.family in {"joined", "codec"}
        right = not reason and not note and abs(count - windows(case.length_s)) <= allowed
    elif case.family == "changed bytes":
        right = bool(reason or note) or count >= windows(WHOLE_S) - 1
    else:
        right = bool(reason or note)
    said = f"{count} windows, skipped {reason!r}, read in part {note!r}"
    return "" if right else f"{case.family} {case.name!r}: {said}"


def test_each_file_is_read_rightly_or_set_aside_by_name(run: Run) -> None:
    faults = [found for case in run.cases if (found := fault(run, case))]
    assert not faults, "\n".join(faults)


def summary(run: Run) -> pd.DataFrame:
    """Number of cases per family: tried, read rightly, read in part, set aside."""
    rows = [
        (
            case.family,
            1,
            int(run.windows_of(case.name) > 0 and not run.line("read in part", case.name)),
            int(bool(run.line("read in part", case.name))),
            int(bool(run.line("skipped", case.name))),
        )
        for case in run.cases
    ]
    columns = ["family", "tried", "read", "read in part", "set aside"]
    table = pd.DataFrame(rows, columns=columns).groupby("family", sort=False).sum()
    table.loc["all"] = table.sum()
    return table
