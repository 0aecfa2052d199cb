"""`birdclef predict` replaces none of its inputs and nothing that is no regular file."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from birdclef.cli.app import app
from birdclef.predict.formats import FORMATS
from birdclef.predict.outputs import target_of
from birdclef.predict.selection import ChoiceError

CODES = "row_id,grewag1,houspa,mallar3\n"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["predict", "in", "--model", "m.onnx", *arguments])


def contents(folder: Path) -> dict[str, object]:
    """What is in a folder: bytes of files, targets of links, kinds of everything else."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        is_file = path.is_file() and not path.is_symlink()
        target = path.readlink() if path.is_symlink() else path.lstat().st_mode
        found[str(path.relative_to(folder))] = path.read_bytes() if is_file else target
    return found


def hard_link(path: Path, target: str) -> None:
    os.link(target, path)


def link(path: Path, target: str) -> None:
    path.symlink_to(target)


def fifo(path: Path, _: str) -> None:
    os.mkfifo(path)


def a_socket(path: Path, _: str) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)


def folder(path: Path, _: str) -> None:
    path.mkdir()


def file(path: Path, _: str) -> None:
    path.write_text(CODES)


def linked_fifo(path: Path, _: str) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


def partial_link(path: Path, _: str) -> None:
    path.with_name(".out.csv.partial").symlink_to("in")


def partial_file(path: Path, _: str) -> None:
    path.with_name(".out.csv.partial").touch()


def label_link(path: Path, _: str) -> None:
    path.mkdir()
    (path / "a.wav.txt").symlink_to("../m.onnx")


def label_fifo(path: Path, _: str) -> None:
    path.mkdir()
    os.mkfifo(path / "b.flac.txt")


def label_is_a_recording(path: Path, _: str) -> None:
    path.mkdir()
    os.link("in/b.flac", path / "a.wav.txt")


def nothing(_: Path, __: str) -> None:
    """Make nothing beforehand."""


AUDACITY = ("--format", "audacity")
REFUSED: list[tuple[str, Callable[[Path, str], None], str, tuple[str, ...], str]] = [
    # --out, what makes it, its target, more options, part of the message
    ("in/a.wav", nothing, "", ("--format", "csv"), "in/a.wav is the recording in/a.wav"),
    ("in/../in/a.wav", nothing, "", ("--format", "csv"), "is the recording in/a.wav"),
    ("out.csv", hard_link, "in/b.flac", (), "is the recording in/b.flac"),
    ("out.csv", link, "in/b.flac", (), "is the recording in/b.flac"),
    ("m.onnx", nothing, "", ("--format", "csv"), "m.onnx is the model m.onnx"),
    ("out.csv", hard_link, "m.onnx", (), "is the model m.onnx"),
    ("out.csv", link, "m.onnx", (), "is the model m.onnx"),
    ("out.csv", file, "", ("--species-list", "out.csv"), "is the species list out.csv"),
    (
        "out.csv",
        file,
        "",
        ("--format", "submission", "--sample-submission", "out.csv"),
        "is the sample submission out.csv",
    ),
    ("/dev/null", nothing, "", ("--format", "csv"), "is a character device"),
    ("/dev/zero", nothing, "", ("--format", "parquet"), "is a character device"),
    ("/dev/full", nothing, "", AUDACITY, "is a character device"),
    ("out.csv", link, "/dev/null", (), "is a character device"),
    ("out.csv", fifo, "", (), "is a named pipe"),
    ("out.csv", linked_fifo, "", (), "is a named pipe"),
    ("out.csv", a_socket, "", (), "is a socket"),
    ("out.csv", folder, "", (), "is a folder, and the format writes a file"),
    ("in", nothing, "", ("--format", "csv"), "is a folder, and the format writes a file"),
    (".", nothing, "", ("--format", "raven"), "is a folder, and the format writes a file"),
    ("out.csv", file, "", AUDACITY, "is a file, and the format writes a folder"),
    ("in/a.wav", nothing, "", AUDACITY, "is a file, and the format writes a folder"),
    ("out.csv", link, "out.csv", (), "out.csv is a link that leads to itself"),
    ("in/a.wav/out.csv", nothing, "", (), "in/a.wav is no folder"),
    ("new/in/a.wav/../../../m.onnx/x.csv", nothing, "", (), "m.onnx is no folder"),
    ("x" * 243 + ".csv", nothing, "", (), "at most 246 are possible here"),
    ("x" * 252 + ".csv", nothing, "", (), "File name too long"),
    ("x" * 300 + "/out.csv", nothing, "", (), "File name too long"),
    ("x/" * 2100 + "out.csv", nothing, "", (), "File name too long"),
    ("out.csv", partial_link, "", (), ".out.csv.partial must be a folder"),
    ("out.csv", partial_file, "", (), ".out.csv.partial must be a folder"),
    ("labels", label_link, "", AUDACITY, "labels/a.wav.txt is a link"),
    ("labels", label_fifo, "", AUDACITY, "labels/b.flac.txt is a named pipe"),
    ("labels", label_is_a_recording, "", AUDACITY, "labels/a.wav.txt is the recording in/b.flac"),
]


@pytest.mark.parametrize(
    ("out", "make", "target", "options", "message"),
    REFUSED,
    ids=[f"{out[:20]}-{make.__name__}-{message[:30]}" for out, make, _, _, message in REFUSED],
)
def test_nothing_is_replaced_that_is_no_earlier_output(
    world: Path,
    out: str,
    make: Callable[[Path, str], None],
    target: str,
    options: tuple[str, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make(world / out, target)
    before = contents(world)
    heard: list[object] = []
    monkeypatch.setattr("birdclef.predict.run.predict_missing", lambda *a: heard.append(a))
    result = run("--out", out, *options)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert message in result.output
    assert not heard
    assert contents(world) == before


@pytest.mark.parametrize("target", ["elsewhere/old.csv", "elsewhere/new.csv"])
def test_a_link_that_the_user_names_is_written_through(world: Path, target: str) -> None:
    (world / "elsewhere").mkdir()
    (world / "elsewhere/old.csv").write_text("old")
    (world / "out.csv").symlink_to(target)
    assert run("--out", "out.csv").exit_code == 0
    assert (world / "out.csv").readlink() == Path(target)
    assert (world / target).read_text().startswith("file,start_s")
    assert sorted(p.name for p in (world / "elsewhere").iterdir()) == sorted(
        {"old.csv", Path(target).name}
    )


def test_an_earlier_output_is_replaced(world: Path) -> None:
    for form in sorted(set(FORMATS) - {"parquet", "submission"}):
        for _ in range(2):
            assert run("--out", f"out.{form}", "--format", form).exit_code == 0
    assert (world / "out.audacity/a.wav.txt").is_file()


def test_without_permission_nothing_is_heard(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ChoiceError, match=r"out\.csv cannot be written: no permission"):
        target_of(world / "out.csv", is_folder=False)


@pytest.mark.usefixtures("world")
def test_a_full_disk_is_noticed_before_anything_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "out.csv")

    heard: list[object] = []
    monkeypatch.setattr("birdclef.predict.partial_results.write_bytes", full)
    monkeypatch.setattr("birdclef.predict.run.predict_missing", lambda *a: heard.append(a))
    result = run("--out", "out.csv")
    assert "No space left on device" in result.output
    assert not heard


def test_a_recording_whose_label_track_has_too_long_a_name_is_named(world: Path) -> None:
    (world / "in/a.wav").rename(world / "in" / ("x" * 250 + ".wav"))
    result = run("--out", "labels", *AUDACITY)
    assert "because names here have at most 255 bytes: rename the" in result.output
    assert run("--out", "out.csv").exit_code == 0
