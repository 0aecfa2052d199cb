"""Every year's table gives the same rows, and unusable rows are marked with a reason."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from birdclef.common.tables import TableError
from birdclef.index.folders import SourceError, list_audio
from birdclef.index.layouts import (
    BIRDCLEF_2021,
    BIRDSONG_2020,
    COMPETITION,
    EXTRAS,
    XENO_CANTO,
    Layout,
    read_rows,
)
from index_data import (
    Row,
    add_source,
    competition_row,
    row_2020,
    row_2021,
    touch_audio,
    write_table,
    xeno_canto_row,
)

SPECIES = pd.DataFrame({"species": ["aaa", "bbb"], "scientific_name": ["Genus aaa", "Genus bbb"]})


def read(layout: Layout, root: Path, rows: list[Row]) -> pd.DataFrame:
    return read_again(layout, root, add_source(root, layout, rows))


def read_again(layout: Layout, root: Path, folder: Path) -> pd.DataFrame:
    return read_rows(layout, folder, root, list_audio(folder / layout.audio), SPECIES)


def reason(tmp_path: Path, **changes: Any) -> str:
    """The reason given for one changed row of the competition's table."""
    folder = tmp_path / COMPETITION.source
    (folder / COMPETITION.audio).mkdir(parents=True)
    write_table(folder / COMPETITION.table, [competition_row("aaa", 1, **changes)])
    return str(read_again(COMPETITION, tmp_path, folder)["reason"].item())


EXAMPLES = {  # source -> a row of its table, and the path of that row's file in the source
    "birdclef-2024": (competition_row("aaa", 7), "train_audio/aaa/XC7.ogg"),
    "birdclef-2023": (competition_row("aaa", 7), "train_audio/aaa/XC7.ogg"),
    "birdclef-2022": (competition_row("aaa", 7, time="8"), "train_audio/aaa/XC7.ogg"),
    "birdclef-2021": (row_2021("aaa", 7), "train_short_audio/aaa/XC7.ogg"),
    "birdsong-recognition": (row_2020("aaa", 7), "train_audio/aaa/XC7.mp3"),
    "birdclef2024-additional-mp3": (xeno_canto_row("aaa", 7), "additional_audio/aaa/XC7.mp3"),
}


@pytest.mark.parametrize("layout", [COMPETITION, *EXTRAS], ids=lambda layout: layout.source)
def test_every_layout_gives_the_same_row(tmp_path: Path, layout: Layout) -> None:
    assert layout.source in EXAMPLES, f"add a row of {layout.source} to EXAMPLES"
    row, file = EXAMPLES[layout.source]
    path = f"{layout.source}/{file}"
    found = read(layout, tmp_path, [row]).iloc[0]
    assert found["path"] == path
    assert (tmp_path / path).is_file()
    same = {
        "recording_id": "XC7",
        "primary_label": "aaa",
        "recordist": "Recordist 7",
        "license": "CC BY",
        "rating": 4.0,
        "scientific_name": "Genus aaa",
        "common_name": "Common aaa",
        "secondary_labels": (),
        "source": layout.source,
        "row": 2,
        "reason": "",
    }
    assert {name: found[name] for name in same} == same


def test_the_label_of_2020_is_ebird_code_and_its_background_is_mapped_by_its_own_table(
    tmp_path: Path,
) -> None:
    rows = [
        row_2020("aaa", 1, secondary_labels="['Other spelling_Common bbb', 'Genus x_Common x']"),
        row_2020("bbb", 2, secondary_labels="['bbb', '_', 'Genus ccc_Common ccc']"),
        row_2020("ccc", 3, species="Common twin"),
        row_2020("ddd", 4, species="Common twin", secondary_labels="['Genus_Common twin']"),
        row_2020("eee", 5, species="", secondary_labels="['Common']"),
    ]
    found = read(BIRDSONG_2020, tmp_path, rows)
    assert list(found["primary_label"]) == ["aaa", "bbb", "ccc", "ddd", "eee"]
    assert list(found["secondary_labels"]) == [
        ("bbb", "Genus x_Common x"),
        ("bbb", "_", "Genus ccc_Common ccc"),  # no such common name in the table
        (),
        ("Genus_Common twin",),  # two codes: that would be a guess
        ("Common",),
    ]


def test_2020_needs_few_columns(tmp_path: Path) -> None:
    few = ("ebird_code", "filename", "secondary_labels", "species", "recordist")
    row = {name: row_2020("aaa", 1)[name] for name in few}
    found = read(BIRDSONG_2020, tmp_path, [row]).iloc[0]
    assert found["reason"] == ""
    assert pd.isna(found["rating"])


def test_background_species_of_xeno_canto_are_mapped_by_scientific_name(tmp_path: Path) -> None:
    row = xeno_canto_row("aaa", 1, also="['Genus bbb', 'Genus unheard', '']")
    found = read(XENO_CANTO, tmp_path, [row])
    assert found["secondary_labels"].item() == ("bbb", "Genus unheard")


def test_a_minimal_table_of_xeno_canto_is_enough(tmp_path: Path) -> None:
    minimal = {"id": "XC7", "rec": "A", "primary_label": "aaa"}
    folder = tmp_path / XENO_CANTO.source
    write_table(folder / XENO_CANTO.table, [minimal])
    touch_audio(folder / XENO_CANTO.audio / "aaa" / "XC7.mp3")
    found = read_again(XENO_CANTO, tmp_path, folder).iloc[0]
    assert (found["file"], found["reason"], found["recordist"]) == ("aaa/XC7.mp3", "", "A")


@pytest.mark.parametrize(("quality", "rating"), [("A", 5.0), ("E", 1.0), ("no score", None)])
def test_quality_becomes_a_rating(tmp_path: Path, quality: str, rating: float | None) -> None:
    found = read(XENO_CANTO, tmp_path, [xeno_canto_row("aaa", 1, q=quality)])["rating"].item()
    assert found == rating or (rating is None and pd.isna(found))


def test_without_a_table_of_xeno_canto_the_tree_is_the_index(tmp_path: Path) -> None:
    folder = tmp_path / XENO_CANTO.source
    for file in ("bbb/XC2.mp3", "aaa/XC1.mp3", "a b/XC3.mp3", "aaa/notes.txt"):
        touch_audio(folder / XENO_CANTO.audio / file)
    found = read_again(XENO_CANTO, tmp_path, folder).set_index("recording_id")
    assert found["primary_label"].to_dict() == {"XC1": "aaa", "XC2": "bbb", "XC3": "a b"}
    assert found["reason"].to_dict() == {"XC1": "", "XC2": "", "XC3": "odd label"}
    assert found["row"].isna().all()
    assert (found["recordist"] == "").all()


def test_every_other_source_needs_its_table(tmp_path: Path) -> None:
    folder = add_source(tmp_path, BIRDCLEF_2021, [row_2021("aaa", 1)])
    (folder / BIRDCLEF_2021.table).unlink()
    match = r"train_metadata\.csv not found; expected .* birdclef-2021/train_short_audio/<label>"
    with pytest.raises(SourceError, match=match):
        read_again(BIRDCLEF_2021, tmp_path, folder)


@pytest.mark.parametrize("column", ["primary_label", "secondary_labels", "filename", "author"])
def test_a_missing_column_is_an_error(tmp_path: Path, column: str) -> None:
    folder = add_source(tmp_path, COMPETITION, [competition_row("aaa", 1)])
    row = competition_row("aaa", 1)
    del row[column]
    write_table(folder / COMPETITION.table, [row])
    with pytest.raises(TableError, match=rf"train_metadata\.csv lacks the columns {column};"):
        read_again(COMPETITION, tmp_path, folder)


@pytest.mark.parametrize(
    "filename",
    [
        "/etc/XC1.ogg",
        "../aaa/XC1.ogg",
        "aaa/../../XC1.ogg",
        "aaa/bbb/XC1.ogg",
        "aaa\\XC1.ogg",
        "..",
        "aaa/",
        "",
        "aaa/XC 1.ogg",
        "aaa/XC1.ogg.exe",
        "aaa/XC1",
        "aaa/.ogg",
        "aaa/XC1xogg",
        "http://x/XC1.ogg",
    ],
)
def test_odd_file_names_are_refused(tmp_path: Path, filename: str) -> None:
    assert reason(tmp_path, filename=filename) == "odd file name"


@pytest.mark.parametrize("label", ["../aaa", "a/b", "a b", "", "..", "a.b", "é", "=1+1"])
def test_odd_labels_are_refused(tmp_path: Path, label: str) -> None:
    assert reason(tmp_path, primary_label=label) == "odd label"


def test_code_among_the_secondary_labels_is_refused(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    cell = f"[open({str(mark)!r}, 'w').name]"
    assert reason(tmp_path, secondary_labels=cell) == "bad secondary labels"
    assert not mark.exists()


def test_numbers_that_cannot_be_parsed_are_missing(tmp_path: Path) -> None:
    row = competition_row("aaa", 1, latitude="Not specified", longitude="", rating="nan")
    found = read(COMPETITION, tmp_path, [row])
    assert found[["latitude", "longitude", "rating"]].isna().all(axis=None)
