"""The report shows each section of the scores under its own name."""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from birdclef.cli.report import scores_table, threshold_lines
from birdclef.common.files import write_json
from birdclef.common.names import METRICS

SOUNDSCAPES = {"l1": 0.8, "l1_sd": 0.02, "l2": 0.875, "l2_sd": 0.01, "difference": 0.075}


def _rows(scores: dict[str, dict[str, float]]) -> list[list[str]]:
    """The cells of each row, as a wide screen shows them."""
    write_json(scores, METRICS / "evaluate.json")
    console = Console(width=200, record=True, file=StringIO())
    console.print(scores_table())
    lines = console.export_text().splitlines()
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_levels_and_the_difference_with_its_interval() -> None:
    scores = {
        "out_of_fold": {"l1": 0.9, "l2": 0.95},
        "soundscapes": SOUNDSCAPES | {"low": -0.01, "high": 0.16},
        "calibration": {"before": 0.1, "after": 0.05},
    }
    assert _rows(scores) == [
        ["out of fold", "0.900", "0.950", "+0.050"],
        ["labelled soundscapes", "0.800 ± 0.020", "0.875 ± 0.010", "+0.075 [-0.010, +0.160]"],
    ]
    assert scores_table().caption is None


def test_what_teachers_have_seen_has_its_own_row_and_a_sentence() -> None:
    scores = {
        "out_of_fold": {"l1": 0.9},
        "seen_through_teachers": {"l2": 0.99},
        "soundscapes": SOUNDSCAPES,
    }
    assert _rows(scores) == [
        ["out of fold", "0.900", "", ""],
        ["seen through teachers", "", "0.990", ""],
        ["labelled soundscapes", "0.800 ± 0.020", "0.875 ± 0.010", "+0.075"],
    ]
    assert "too high" in str(scores_table().caption)


def test_before_a_run_the_way_out_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="run `make repro`"):
        scores_table()


def _line(folder: Path, scores: Mapping[str, object]) -> list[str]:
    write_json(scores, folder / METRICS / "evaluate.json")
    return threshold_lines()


def test_thresholds_are_shown_with_their_scores(
    tmp_path: Path,
) -> None:
    counts = {"species_with": 4, "species_without": 8}
    held_out = {"precision": 0.95, "recall": 0.8125}
    heard = {"precision": 0.5, "recall": 0.25}
    whole = {"thresholds": {**counts, "held_out": held_out, "soundscapes": heard}}
    assert _line(tmp_path, whole) == [
        "4 of 12 species have an own threshold; precision 0.950 and recall 0.812 out of fold;"
        " precision 0.500 and recall 0.250 on soundscapes"
    ]
    assert _line(tmp_path, {"thresholds": {**counts, "soundscapes": heard}}) == [
        "4 of 12 species have an own threshold; precision 0.500 and recall 0.250 on soundscapes"
    ]
    assert _line(tmp_path, {"soundscapes": {"l1": 0.5}}) == []
