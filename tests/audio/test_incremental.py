"""An output is made again exactly when it, or anything that shaped it, has changed."""

import json
import os
from functools import partial
from pathlib import Path

import pytest

from birdclef.audio import decode as audio
from birdclef.audio.incremental import ConcurrentWriteError, Task, keep_only, key_of, make_missing
from birdclef.common import files


def _write(path: Path, text: str, log: Path) -> dict[str, str]:
    path.write_text(text)
    with log.open("a") as file:
        file.write(path.name)
    return {"wrote": text}


class World:
    """Outputs in one folder, and a log of which were made."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder, folder / "log"

    def run(self, **keys: str) -> str:
        """Bring outputs up to date with their keys; return the names of those that were made."""
        self.log.write_text("")
        tasks = [
            Task(self.folder / name, key, partial(_write, self.folder / name, key, self.log))
            for name, key in keys.items()
        ]
        made = make_missing(tasks, self.folder / "notes", 1, "files")
        assert made == [{"wrote": key} for key in keys.values()]
        return self.log.read_text()


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    assert world.run(a="1", b="1") == "ab"
    return world


def test_nothing_is_made_twice(world: World) -> None:
    assert world.run(a="1", b="1") == ""


def test_another_key_makes_that_output_alone(world: World) -> None:
    assert world.run(a="1", b="2") == "b"
    assert world.run(a="1", b="1") == "b"


NOTES = [
    "",
    "null",
    "[]",
    "3",
    '"key"',
    "{}",
    '{"key": "1"}',
    '{"key": "1", "made": null}',
    "[" * 9999,
]


@pytest.mark.parametrize("text", NOTES, ids=lambda text: text[:20])
def test_a_damaged_note_counts_as_none(world: World, text: str) -> None:
    (world.folder / "notes" / "b.json").write_text(text)
    assert world.run(a="1", b="1") == "b"


@pytest.mark.parametrize("damage", ["changed", "removed", "no note", "half a note"])
def test_an_output_that_is_not_as_it_was_noted_is_made_again(world: World, damage: str) -> None:
    output, note = world.folder / "b", world.folder / "notes" / "b.json"
    if damage == "changed":
        output.write_text("2")
    elif damage == "removed":
        output.unlink()
    elif damage == "no note":
        note.unlink()
    else:
        note.write_text(note.read_text()[:9])
    assert world.run(a="1", b="1") == "b"


def test_a_task_without_an_output_is_remembered_too(tmp_path: Path) -> None:
    results = iter([["all bad"], ["made twice"]])
    task = Task(tmp_path / "none", "key", lambda: next(results))
    for _ in range(2):
        assert make_missing([task], tmp_path / "notes", 1, "files") == [["all bad"]]


def test_notes_on_outputs_that_no_task_makes_are_removed(world: World) -> None:
    world.run(a="1")
    assert [path.name for path in (world.folder / "notes").iterdir()] == ["a.json"]


def _with_another_run(folder: Path) -> list[Task]:
    """Two tasks; the second acts as another run that overwrites the output of the first."""
    first, second = folder / "first", folder / "second"

    def meddle() -> str:
        first.write_text("another run's")
        second.touch()
        return "made"

    make_first = partial(_write, first, "ours", folder / "log")
    return [Task(first, "key", make_first), Task(second, "key", meddle)]


def test_an_output_that_another_run_overwrote_is_made_again(tmp_path: Path) -> None:
    """Worker processes of a killed run may still write one or two outputs."""
    made = make_missing(_with_another_run(tmp_path), tmp_path / "notes", 1, "files")
    assert made == [{"wrote": "ours"}, "made"]
    assert (tmp_path / "first").read_text() == "ours"


def test_an_output_that_another_run_keeps_overwriting_is_an_error(tmp_path: Path) -> None:
    tasks = _with_another_run(tmp_path)
    again = Task(tmp_path / "third", "key", partial(os.remove, tasks[1].output))
    with pytest.raises(ConcurrentWriteError, match="first was changed by another process"):
        make_missing([*tasks, again], tmp_path / "notes", 1, "files")


def test_keys_differ_by_values_and_by_code() -> None:
    keys = {
        key_of("a", code=[audio]),
        key_of("b", code=[audio]),
        key_of("a", "", code=[audio]),
        key_of("a", code=[files]),
    }
    assert len(keys) == 4
    assert key_of("a", code=[audio]) == key_of("a", code=[audio])


def test_keep_only_removes_files_folders_and_links_but_not_their_targets(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "kept").touch()
    folder = tmp_path / "folder"
    (folder / "old").mkdir(parents=True)
    (folder / "old" / "file").touch()
    (folder / ".half.tmp").touch()
    (folder / "good").touch()
    (folder / "link").symlink_to(tmp_path / "target")
    keep_only(folder, {"good"})
    assert [path.name for path in folder.iterdir()] == ["good"]
    assert (tmp_path / "target" / "kept").exists()


def test_notes_are_plain_json(world: World) -> None:
    note = json.loads((world.folder / "notes" / "a.json").read_text())
    assert set(note) == {"key", "made", "result"}
