"""A hostile table is refused before any file is opened, and the error names the row."""

import os
from pathlib import Path

import pandas as pd
import pytest

from birdclef.audio.inputs import read_inputs
from birdclef.common.tables import TableError

CODES = ("recording_id", "primary_label")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "raw" / "a").mkdir(parents=True)
    (tmp_path / "raw" / "a" / "x.ogg").write_bytes(b"123")
    (tmp_path / "secret.ogg").write_bytes(b"secret")
    return tmp_path / "raw"


def _read(root: Path, *rows: tuple[str, str, str]) -> pd.DataFrame:
    table = root.parent / "index.csv"
    pd.DataFrame(rows, columns=[*CODES, "path"]).to_csv(table, index=False)
    return read_inputs(table, CODES, root)


def test_files_come_with_size_and_time(root: Path) -> None:
    os.utime(root / "a" / "x.ogg", ns=(5, 7))
    rows = _read(root, ("x", "bird", "a/x.ogg"), ("y", "bird", "a/y.ogg"))
    assert rows.to_numpy().tolist() == [
        ["x", "bird", "a/x.ogg", 3, 7],
        ["y", "bird", "a/y.ogg", -1, -1],
    ]


def test_an_empty_table_is_no_error(root: Path) -> None:
    assert list(_read(root)) == [*CODES, "path", "size", "mtime_ns"]


@pytest.mark.parametrize(
    "path", ["../secret.ogg", "a/../../secret.ogg", "/etc/passwd", "a//x.ogg", "./a/x.ogg", ".."]
)
def test_a_path_that_could_lead_outside_is_refused(root: Path, path: str) -> None:
    with pytest.raises(TableError, match=r"index\.csv row 3: path = .* without \.\."):
        _read(root, ("x", "bird", "a/x.ogg"), ("y", "bird", path))


@pytest.mark.parametrize("label", ["a/b", "../bird", "", "a b", "a\\b", ".", "bird\n"])
@pytest.mark.parametrize("column", CODES)
def test_a_code_that_is_no_plain_name_is_refused(root: Path, column: str, label: str) -> None:
    row = {"recording_id": "x", "primary_label": "bird", "path": "a/x.ogg"} | {column: label}
    if label == "bird\n":  # cells are stripped of blanks around them
        assert len(_read(root, tuple(row.values()))) == 1  # type: ignore[arg-type]
        return
    with pytest.raises(TableError, match=f"row 2: {column} = "):
        _read(root, tuple(row.values()))  # type: ignore[arg-type]


def test_a_link_is_followed_when_the_file_is_opened(root: Path) -> None:
    (root / "a" / "in.ogg").symlink_to(root / "a" / "x.ogg")
    (root / "a" / "loop.ogg").symlink_to(root / "a" / "loop.ogg")
    (root / "c").symlink_to(root / "c")
    paths = ("a/in.ogg", "a/loop.ogg", "c/x.ogg")
    rows = _read(root, *((f"x{i}", "bird", path) for i, path in enumerate(paths)))
    assert rows["size"].tolist() == [3, -1, -1]


def test_an_id_is_listed_once(root: Path) -> None:
    with pytest.raises(TableError, match="row 3: recording_id = 'x' is listed twice"):
        _read(root, ("x", "bird", "a/x.ogg"), ("x", "bird", "a/x.ogg"))
