"""Soundscapes and labels are matched by name; labelled soundscapes never enter training."""

from pathlib import Path
from typing import Any

import pytest

from birdclef.common.tables import TableError
from birdclef.index.folders import SourceError
from birdclef.index.soundscapes import LABEL_COLUMNS, Soundscapes, load_soundscapes
from index_data import touch_audio, write_table


def window(audio_id: str, seconds: Any, birds: str, site: str = "SSW") -> dict[str, Any]:
    row_id = f"{audio_id}_{site}_{seconds}"
    return {
        "row_id": row_id,
        "site": site,
        "audio_id": audio_id,
        "seconds": seconds,
        "birds": birds,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("unlabeled_soundscapes/u1.ogg", "train_soundscapes/s1.ogg"):
        touch_audio(tmp_path / "birdclef-2024" / name)
    return tmp_path / "birdclef-2024"


def load(folder: Path, *windows: dict[str, Any]) -> Soundscapes:
    if windows:
        write_table(folder / "train_soundscape_labels.csv", list(windows))
    return load_soundscapes(folder, folder.parent, {"aaa", "bbb"})


def reasons(found: Soundscapes) -> list[list[Any]]:
    return found.set_aside[["recording_id", "reason"]].to_numpy().tolist()


def test_soundscapes_and_windows_are_listed(folder: Path) -> None:
    found = load(folder, window("s1", 10, "nocall"), window("s1", 5, "bbb aaa hergul"))
    assert found.soundscapes.to_numpy().tolist() == [
        ["s1", "labeled", "birdclef-2024/train_soundscapes/s1.ogg"],
        ["u1", "unlabeled", "birdclef-2024/unlabeled_soundscapes/u1.ogg"],
    ]
    assert found.labels.to_numpy().tolist() == [
        ["s1", 0.0, 5.0, "aaa bbb", "SSW"],
        ["s1", 5.0, 10.0, "", "SSW"],
    ]
    assert found.unknown_labels == 1
    assert found.set_aside.empty
    assert found.notes == ()


def test_files_named_by_site_and_date_are_found(folder: Path) -> None:
    for name in ("7_COR_20190904.ogg", "7_SSW_20170303.ogg", "77_SSW_20170303.ogg"):
        touch_audio(folder / "train_soundscapes" / name)
    windows = [window("7", 5, "aaa"), window("7", 5, "bbb", "COR"), window("77", 5, "nocall")]
    found = load(folder, window("s1", 5, ""), *windows).labels
    assert found[["soundscape_id", "labels"]].to_numpy().tolist() == [
        ["77_SSW_20170303", ""],
        ["7_COR_20190904", "bbb"],
        ["7_SSW_20170303", "aaa"],
        ["s1", ""],
    ]


def test_two_dates_of_one_site_are_not_guessed(folder: Path) -> None:
    for date in ("20170303", "20170304"):
        touch_audio(folder / "train_soundscapes" / f"7_SSW_{date}.ogg")
    found = load(folder, window("s1", 5, "aaa"), window("7", 5, "aaa"))
    assert ["7", "several soundscapes match"] in reasons(found)
    assert list(found.labels["soundscape_id"]) == ["s1"]
    touch_audio(folder / "train_soundscapes" / "7.ogg")  # an exact name is no guess
    found = load(folder, window("s1", 5, "aaa"), window("7", 5, "aaa"))
    assert list(found.labels["soundscape_id"]) == ["7", "s1"]


def test_windows_that_cannot_be_used_are_set_aside_with_their_row(folder: Path) -> None:
    found = load(
        folder,
        window("s1", 5, "aaa"),
        window("gone", 5, "aaa"),
        window("s1", "five", "aaa"),
        window("s1", 3, "aaa"),
        window("s1", 5, "bbb"),
    )
    assert found.labels.to_numpy().tolist() == [["s1", 0.0, 5.0, "aaa", "SSW"]]
    assert found.set_aside[["row", "reason"]].to_numpy().tolist() == [
        [3, "soundscape missing on disk"],
        [4, "seconds is not the end of a 5 s window"],
        [5, "seconds is not the end of a 5 s window"],
        [6, "window listed twice"],
    ]
    assert set(found.set_aside["source"]) == {"birdclef-2024/train_soundscape_labels.csv"}


def test_files_that_cannot_be_used_are_set_aside(folder: Path) -> None:
    touch_audio(folder / "unlabeled_soundscapes" / "u2.ogg", b"")
    touch_audio(folder / "unlabeled_soundscapes" / "u 3.ogg")
    touch_audio(folder / "unlabeled_soundscapes" / "a1.ogg")
    touch_audio(folder / "train_soundscapes" / "s2.ogg")
    touch_audio(folder / "train_soundscapes" / "s3.ogg", b"")
    windows = [window("s1", 5, "aaa"), window("s2", 1, "aaa"), window("s3", 5, "aaa")]
    found = load(folder, *windows)
    assert list(found.soundscapes["soundscape_id"]) == ["a1", "s1", "u1"]
    assert list(found.labels["soundscape_id"]) == ["s1"]
    assert reasons(found) == [
        ["s2", "no labelled window"],
        ["s3", "empty file"],
        ["u 3", "odd file name"],
        ["u2", "empty file"],
        ["s2", "seconds is not the end of a 5 s window"],
        ["s3", "soundscape missing on disk"],
    ]


def test_a_labelled_soundscape_is_never_an_unlabelled_one_as_well(folder: Path) -> None:
    touch_audio(folder / "unlabeled_soundscapes" / "s1.ogg")
    found = load(folder, window("s1", 5, "aaa"))
    kinds = dict(zip(found.soundscapes["soundscape_id"], found.soundscapes["kind"], strict=True))
    assert kinds == {"s1": "labeled", "u1": "unlabeled"}
    assert reasons(found) == [["s1", "same id as another soundscape"]]


def test_without_labelled_soundscapes_the_table_is_empty_and_a_line_says_so(folder: Path) -> None:
    (folder / "train_soundscapes" / "s1.ogg").unlink()
    (folder / "train_soundscapes").rmdir()
    found = load(folder)
    assert found.labels.empty
    assert tuple(found.labels) == LABEL_COLUMNS
    assert found.set_aside.empty
    assert found.notes == ("no labeled soundscapes in train_soundscapes",)


def test_no_soundscapes_at_all_are_two_lines(tmp_path: Path) -> None:
    (tmp_path / "birdclef-2024").mkdir()
    found = load(tmp_path / "birdclef-2024")
    assert found.soundscapes.empty
    assert len(found.notes) == 2


def test_a_missing_column_is_an_error(folder: Path) -> None:
    row = window("s1", 5, "aaa")
    del row["birds"]
    with pytest.raises(TableError, match=r"labels\.csv lacks the columns birds"):
        load(folder, row)


def test_a_table_without_sites_leaves_them_blank(folder: Path) -> None:
    row = window("s1", 5, "aaa")
    del row["site"]
    assert load(folder, row).labels.to_numpy().tolist() == [["s1", 0.0, 5.0, "aaa", ""]]


def test_a_folder_that_leads_out_is_an_error(folder: Path) -> None:
    (folder / "unlabeled_soundscapes" / "u1.ogg").unlink()
    (folder / "unlabeled_soundscapes").rmdir()
    (folder / "unlabeled_soundscapes").symlink_to("/")
    with pytest.raises(SourceError, match=r"outside data\.root"):
        load(folder)


def test_a_table_that_leads_out_is_an_error(folder: Path) -> None:
    write_table(folder.parent.parent / "outside.csv", [window("s1", 5, "aaa")])
    (folder / "train_soundscape_labels.csv").symlink_to(folder.parent.parent / "outside.csv")
    with pytest.raises(SourceError, match=r"labels\.csv is a link that points outside"):
        load(folder)
