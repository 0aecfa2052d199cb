"""Files are written completely or not at all, and the same values give the same bytes."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from birdclef.common.files import write_bytes, write_csv, write_json


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
