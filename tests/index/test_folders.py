"""Files on disk are listed once and checked by name, size and link target."""

from pathlib import Path

import pytest

from birdclef.index.folders import (
    SourceError,
    file_problem,
    list_audio,
    require_inside,
    scan_audio,
)
from index_data import touch_audio


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def problem(folder: Path, name: str, root: Path) -> str:
    return file_problem(scan_audio(folder).get(name), root)


def test_audio_is_listed_by_label(root: Path) -> None:
    for name in ("b/XC2.ogg", "a/XC1.mp3", "a/.XC1.ogg", "a/notes.txt", "XC3.ogg", "a/b/XC4.ogg"):
        touch_audio(root / name)
    assert list(list_audio(root)) == ["a/XC1.mp3", "b/XC2.ogg"]


def test_a_usable_file_exists_and_is_not_empty(root: Path) -> None:
    touch_audio(root / "good.ogg")
    touch_audio(root / "empty.ogg", b"")
    (root / "folder.ogg").mkdir()
    assert problem(root, "good.ogg", root) == ""
    assert problem(root, "empty.ogg", root) == "empty file"
    assert problem(root, "folder.ogg", root) == "missing on disk"
    assert problem(root, "other.ogg", root) == "missing on disk"


def test_links_must_not_point_outside_the_root(root: Path) -> None:
    inside = touch_audio(root / "x" / "inside.ogg")
    outside = touch_audio(root.parent / "secret" / "outside.ogg")
    (root / "a").mkdir()
    (root / "a" / "in.ogg").symlink_to(inside)
    (root / "a" / "out.ogg").symlink_to(outside)
    (root / "a" / "broken.ogg").symlink_to(root / "nothing")
    (root / "a" / "loop.ogg").symlink_to(root / "a" / "loop.ogg")
    assert problem(root / "a", "in.ogg", root) == ""
    assert problem(root / "a", "out.ogg", root) == "link leaves the data folder"
    assert problem(root / "a", "broken.ogg", root) == "missing on disk"
    assert problem(root / "a", "loop.ogg", root) == "missing on disk"


def test_linked_folders_must_not_point_outside_the_root_either(root: Path) -> None:
    touch_audio(root.parent / "secret" / "outside.ogg")
    (root / "b").symlink_to(root.parent / "secret")
    files = list_audio(root)
    assert file_problem(files["b/outside.ogg"], root) == "link leaves the data folder"


def test_the_root_itself_may_be_a_link(root: Path) -> None:
    touch_audio(root / "a" / "XC1.ogg")
    link = root.parent / "link"
    link.symlink_to(root)
    require_inside(link / "a", link)
    assert problem(link / "a", "XC1.ogg", link) == ""


def test_leaving_the_root_is_an_error_that_names_the_way_out(root: Path) -> None:
    (root / "birdclef-2024").symlink_to(root.parent)
    match = r"birdclef-2024 is a link that points outside data\.root"
    with pytest.raises(SourceError, match=match):
        require_inside(root / "birdclef-2024", root)
