"""`birdclef predict` as its users call it: what it writes and skips, and how it continues."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from birdclef.cli.app import app
from birdclef.predict.detector import Detector
from birdclef.predict.partial_results import PartialResults, predict_missing
from small_model import CLIP_S, SPECIES, expected_probabilities
from sounds import RATE_HZ, ramp, write

CODES = [s["species"] for s in SPECIES]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["predict", "in", "--model", "m.onnx", *arguments])


def test_detections_are_the_models(world: Path) -> None:
    assert run("--out", "found.csv", "--min-confidence", "0.4").exit_code == 0
    found = pd.read_csv("found.csv")
    sound, length = ramp(1.0), round(CLIP_S * RATE_HZ)
    expected = expected_probabilities(sound.reshape(2, length))
    own = found[found["file"] == "in/a.wav"]
    assert len(own) == (expected >= 0.4).sum()
    for start_s, species, p in own[["start_s", "species", "probability"]].to_numpy().tolist():
        predicted = expected[round(start_s / CLIP_S), CODES.index(species)]
        assert p == pytest.approx(predicted, abs=1e-4)
    assert sorted(p.name for p in world.iterdir()) == ["found.csv", "in", "m.onnx"]


def test_bad_files_are_named_and_skipped_and_the_exit_code_is_1(world: Path) -> None:
    (world / "in" / "broken.ogg").write_bytes(b"broken")
    result = run("--out", "found.csv", "--min-confidence", "0")
    assert result.exit_code == 1
    assert "skipped in/broken.ogg: unreadable" in result.output
    assert "18 rows from 2 recordings: found.csv" in result.output
    assert len(pd.read_csv("found.csv")) == 18


def test_species_list_top_k_and_overlap(world: Path) -> None:
    (world / "list.txt").write_text("House Sparrow\nAnas platyrhynchos\ndodo\n")
    result = run(
        *("--out", "found.csv", "--species-list", "list.txt", "--overlap", "0.25"),
        *("--top-k", "1", "--min-confidence", "0"),
    )
    assert "the model does not know 1 names in the list: dodo" in result.output
    found = pd.read_csv("found.csv")
    assert set(found["species"]) <= {"houspa", "mallar3"}
    assert found["start_s"].tolist() == [0, 0.25, 0.5, 0, 0.25, 0.5, 0.75, 1.0, 1.25]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--format", "wide", "--top-k", "2"), "--top-k cannot be used"),
        (("--format", "csv", "--sample-submission", "m.onnx"), "is for format submission"),
        (
            (
                "--format",
                "submission",
            ),
            "needs --sample-submission",
        ),
        (("--calibrate",), "contains no calibration"),
        (("--own-thresholds",), "no thresholds"),
        (("--overlap", "0.5"), "the length of a window"),
        (("--recording-max", "inf"), "--recording-max must be a finite number"),
        (("--engine", "tpu"), "'tpu' is not one of"),
        (("--model", "in/a.wav"), "cannot be loaded"),
        (("--model", "gone.onnx"), "gone.onnx not found"),
        (("--species-list", "gone.txt"), "gone.txt"),
        (("gone.wav",), "gone.wav does not exist"),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_written(
    world: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = run("--out", "found.csv", *arguments)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert message in result.output
    assert sorted(p.name for p in world.iterdir()) == ["in", "m.onnx"]


def test_an_empty_folder_is_an_error(world: Path) -> None:
    (world / "empty").mkdir()
    result = CliRunner().invoke(app, ["predict", "empty", "--model", "m.onnx", "--out", "f.csv"])
    assert result.exit_code == 1
    assert "no recording" in result.output


class Killed(BaseException):
    """Stands in for a kill, because nothing catches it."""


def test_a_stopped_run_continues_and_writes_the_same(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("--out", "whole.csv")
    save = PartialResults.save
    saved: list[object] = []

    def save_once(self: PartialResults, found: object) -> None:
        if saved:
            raise Killed
        saved.append(found)
        save(self, found)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(PartialResults, "save", save_once)
        with pytest.raises(Killed):
            run("--out", "found.csv").exit_code  # noqa: B018
    assert not (world / "found.csv").exists()
    predicted: list[Path] = []
    predict = Detector.predict

    def spy(self: Detector, paths: list[Path], *rest: object) -> object:
        predicted.extend(paths)
        return predict(self, paths, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Detector, "predict", spy)
    result = run("--out", "found.csv")
    assert result.exit_code == 0
    assert "1 of 2 recordings already done" in result.output
    assert [p.name for p in predicted] == ["b.flac"]
    assert (world / "found.csv").read_bytes() == (world / "whole.csv").read_bytes()
    assert not list(world.glob(".found*"))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"x" * 999])
def test_a_damaged_partial_result_is_computed_again(
    world: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    assert run("--out", "whole.csv").exit_code == 0
    with monkeypatch.context() as patch:
        patch.setattr(PartialResults, "discard", lambda _: None)
        assert run("--out", "found.csv").exit_code == 0
    for file in (world / ".found.csv.partial").iterdir():
        file.write_bytes(content)
    result = run("--out", "found.csv")
    assert result.exit_code == 0
    assert "already done" not in result.output
    assert (world / "found.csv").read_bytes() == (world / "whole.csv").read_bytes()


def test_two_runs_with_one_output_both_finish(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other run ends first: it writes the output and removes the partial results."""
    assert run("--out", "whole.csv").exit_code == 0

    def slower(*arguments: object) -> object:
        found = predict_missing(*arguments)  # type: ignore[arg-type]
        monkeypatch.undo()
        monkeypatch.chdir(world)
        assert run("--out", "found.csv").exit_code == 0
        return found

    monkeypatch.setattr("birdclef.predict.run.predict_missing", slower)
    result = run("--out", "found.csv")
    assert "rows from 2 recordings" in result.output
    assert result.exit_code == 0
    assert (world / "found.csv").read_bytes() == (world / "whole.csv").read_bytes()
    assert not list(world.glob(".found*"))


def test_what_is_read_in_part_is_named_also_after_a_stop(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(world / "in" / "c.wav", ramp(4.0))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    line = "read in part in/c.wav: 2.0 of 4.0 s could be read; the file is cut short"
    with monkeypatch.context() as patch:
        patch.setattr(PartialResults, "discard", lambda _: None)
        assert line in run("--out", "found.csv").output
    again = run("--out", "found.csv")
    assert "3 of 3 recordings already done" in again.output
    assert line in again.output
    assert again.exit_code == 0


def test_names_that_command_a_terminal_are_escaped(world: Path) -> None:
    (world / "in" / "red\x1b[31m\n.wav").write_bytes(b"broken")
    (world / "in" / os.fsdecode(b"\xe9.wav")).write_bytes(b"broken")
    result = run("--out", "found.csv", "--species-list", "gone\x1b.txt")
    assert "\x1b" not in result.output
    result = run("--out", "found.csv")
    assert "\x1b" not in result.output
    assert r"skipped in/red\x1b[31m\n.wav: unreadable" in result.output
    assert r"skipped in/\udce9.wav: unreadable" in result.output
    assert "rows from 2 recordings" in result.output


@pytest.mark.usefixtures("world")
def test_a_recording_that_gives_no_probabilities_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    predict_part = Detector._predict_part

    def nan_for_a(self: Detector, part: Any) -> Any:
        part, probabilities = predict_part(self, part)
        return part, probabilities * (np.nan if part.path.name == "a.wav" else 1)

    monkeypatch.setattr(Detector, "_predict_part", nan_for_a)
    result = run("--out", "found.csv")
    assert "skipped in/a.wav: the model gives no probabilities for 2 of 2 windows" in result.output
    assert "rows from 1 recordings" in result.output


@pytest.mark.usefixtures("world")
def test_predict_needs_none_of_the_training_packages() -> None:
    absent = "torch torchaudio timm pandas yaml onnx onnxscript sklearn scipy joblib dvc"
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({absent.split()}));"
        "from birdclef.cli.app import app; app()"
    )
    arguments = ["predict", "in", "--model", "m.onnx", "--out", "found.csv"]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True)
    assert len(pd.read_csv("found.csv"))
