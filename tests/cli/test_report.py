"""The report shows what the last run measured, and leaves out what it could not."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from birdclef.cli.report import threshold_lines


def _line(folder: Path, scores: Mapping[str, object]) -> list[str]:
    (folder / "metrics").mkdir(exist_ok=True)
    (folder / "metrics/evaluate.json").write_text(json.dumps(scores))
    return threshold_lines()


def test_thresholds_are_shown_with_their_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
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
