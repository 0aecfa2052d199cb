"""Files are written completely or not at all, and the same values give the same bytes."""

import json
import os
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from birdclef.common.files import replacing, write_bytes, write_csv, write_json


def test_folders_are_made_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_bytes(b"old", tmp_path / "a" / "b.bin")
    write_bytes(b"new", tmp_path / "a" / "b.bin")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.bin"]
    assert (tmp_path / "a" / "b.bin").read_bytes() == b"new"


def test_a_failed_write_leaves_the_old_file_and_no_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bytes(b"old", tmp_path / "b.bin")

    def full(path: Path, data: bytes) -> None:
        with path.open("wb") as file:
            file.write(data[:1])
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_bytes(b"new", tmp_path / "b.bin")
    assert [path.name for path in tmp_path.iterdir()] == ["b.bin"]
    assert (tmp_path / "b.bin").read_bytes() == b"old"


def test_bytes_are_on_the_disk_before_the_name_and_the_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a power failure can leave an empty file under the name."""
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def spy_fsync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        steps.append("folder" if is_folder else f"{os.fstat(descriptor).st_size} bytes")
        fsync(descriptor)

    def spy_replace(self: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(Path, "replace", spy_replace)
    write_bytes(b"new", tmp_path / "b.bin")
    assert steps == ["3 bytes", "rename", "folder"]


def test_a_link_is_replaced_and_its_target_stays(tmp_path: Path) -> None:
    write_bytes(b"kept", tmp_path / "target")
    (tmp_path / "link").symlink_to("target")
    write_bytes(b"new", tmp_path / "link")
    assert (tmp_path / "target").read_bytes() == b"kept"
    assert not (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127])
def test_the_longest_names_can_be_written(tmp_path: Path, name: str) -> None:
    write_bytes(b"new", tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_temporary_names_cannot_be_guessed(tmp_path: Path) -> None:
    with replacing(tmp_path / "b") as one, replacing(tmp_path / "b") as other:
        assert one != other
        one.touch()
        other.touch()


def test_csv_has_fixed_line_ends_and_numbers(tmp_path: Path) -> None:
    frame = pd.DataFrame({"name": ["é,1", ""], "value": [0.1 + 0.2, float("nan")]}, index=[7, 3])
    write_csv(frame, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_bytes() == 'name,value\n"é,1",0.3\n,\n'.encode()


def test_default_digits_bring_a_float32_back(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random(1000).astype(np.float32)
    write_csv(pd.DataFrame({"v": values}), tmp_path / "t.csv")
    read = pd.read_csv(tmp_path / "t.csv")["v"].to_numpy().astype(np.float32)
    np.testing.assert_array_equal(read, values)


def test_json_keeps_the_order_and_ends_the_line(tmp_path: Path) -> None:
    write_json({"b": 1, "a": {"é": 0.5}}, tmp_path / "m.json")
    text = (tmp_path / "m.json").read_text(encoding="utf-8")
    assert list(json.loads(text)) == ["b", "a"]
    assert text.endswith("}\n")
    assert "é" in text


def test_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json({"score": float("nan")}, tmp_path / "m.json")
    assert list(tmp_path.iterdir()) == []
