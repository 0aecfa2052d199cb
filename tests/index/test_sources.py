"""One source after its own rules, and the extras after the rules among sources."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from birdclef.index.counts import describe
from birdclef.index.folders import SourceError
from birdclef.index.layouts import (
    BIRDCLEF_2021,
    BIRDCLEF_2022,
    BIRDCLEF_2023,
    BIRDSONG_2020,
    COMPETITION,
    EXTRAS,
    XENO_CANTO,
    Layout,
)
from birdclef.index.rules import to_table
from birdclef.index.sources import (
    Extras,
    Loaded,
    count_reasons,
    find_source,
    load_extras,
    load_source,
    require_source,
)
from index_data import (
    NO_CORRECTIONS,
    Row,
    add_source,
    competition_row,
    corrections,
    row_2020,
    row_2021,
    touch_audio,
    xeno_canto_row,
)


def load(root: Path, fixes: pd.DataFrame = NO_CORRECTIONS) -> Loaded:
    return load_source(COMPETITION, require_source(COMPETITION, root), root, fixes)


def load_rows(root: Path, rows: list[Row], fixes: pd.DataFrame = NO_CORRECTIONS) -> Loaded:
    add_source(root, COMPETITION, rows)
    return load(root, fixes)


def extras(root: Path, fixes: pd.DataFrame = NO_CORRECTIONS, limit: int = 500) -> Extras:
    loaded = load(root)
    return load_extras(root, to_table(loaded.recordings), loaded.species, fixes, limit)


def ids(frame: pd.DataFrame) -> list[str]:
    return sorted(frame["recording_id"])


# --- finding a source


def test_a_missing_competition_names_the_way_out(tmp_path: Path) -> None:
    match = r"birdclef-2024 not found; expected .*train_metadata\.csv.*set data\.root"
    with pytest.raises(SourceError, match=match):
        require_source(COMPETITION, tmp_path)


def test_a_source_without_its_audio_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "birdclef-2023").mkdir()
    with pytest.raises(SourceError, match=r"train_audio not found; expected"):
        find_source(BIRDCLEF_2023, tmp_path)


@pytest.mark.parametrize(
    ("layout", "name"),
    [
        (BIRDCLEF_2023, "Birdclef23"),
        (BIRDCLEF_2022, "Birdclef22"),
        (BIRDCLEF_2021, "Birdclef21"),
        (BIRDSONG_2020, "Birdclef20"),
    ],
)
def test_other_names_of_a_folder_are_accepted(tmp_path: Path, layout: Layout, name: str) -> None:
    (tmp_path / name / layout.audio).mkdir(parents=True)
    assert find_source(layout, tmp_path) == tmp_path / name


def test_one_source_under_two_names_is_an_error(tmp_path: Path) -> None:
    for name in ("birdclef-2023", "Birdclef23"):
        (tmp_path / name / "train_audio").mkdir(parents=True)
    with pytest.raises(SourceError, match="are the same source; keep one"):
        find_source(BIRDCLEF_2023, tmp_path)


def test_a_source_that_is_a_link_out_is_an_error(tmp_path: Path) -> None:
    add_source(tmp_path / "elsewhere", COMPETITION, [competition_row("aaa", 1)])
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "birdclef-2024").symlink_to(tmp_path / "elsewhere" / "birdclef-2024")
    with pytest.raises(SourceError, match=r"outside data\.root"):
        find_source(COMPETITION, tmp_path / "data")


# --- one source


def test_the_species_are_the_primary_labels_even_of_missing_files(tmp_path: Path) -> None:
    rows = [competition_row(label, i) for i, label in enumerate(("ccc", "aaa", "bbb"))]
    folder = add_source(tmp_path, COMPETITION, rows)
    (folder / "train_audio" / "bbb" / "XC2.ogg").unlink()
    loaded = load(tmp_path)
    assert loaded.species.to_dict("list") == {
        "species": ["aaa", "bbb", "ccc"],
        "scientific_name": ["Genus aaa", "Genus bbb", "Genus ccc"],
        "common_name": ["Common aaa", "Common bbb", "Common ccc"],
    }
    assert ids(loaded.recordings) == ["XC0", "XC1"]


def test_rows_that_are_refused_still_name_species_unless_the_label_is_odd(tmp_path: Path) -> None:
    rows = [
        competition_row("aaa", 1),
        competition_row("bbb", 2, secondary_labels="exit()"),
        competition_row("../ccc", 3, filename="aaa/XC3.ogg"),
    ]
    loaded = load_rows(tmp_path, rows)
    assert list(loaded.species["species"]) == ["aaa", "bbb"]
    assert loaded.set_aside[["row", "recording_id", "reason"]].to_numpy().tolist() == [
        [3, "XC2", "bad secondary labels"],
        [4, "XC3", "odd label"],
    ]


def test_a_table_that_is_a_link_out_is_an_error(tmp_path: Path) -> None:
    root = tmp_path / "data"
    folder = add_source(root, COMPETITION, [competition_row("aaa", 1)])
    table = folder / COMPETITION.table
    table.rename(tmp_path / "outside.csv")
    table.symlink_to(tmp_path / "outside.csv")
    with pytest.raises(SourceError, match=r"train_metadata\.csv is a link that points outside"):
        load(root)


def test_unusable_rows_are_set_aside_with_their_row(tmp_path: Path) -> None:
    outside = touch_audio(tmp_path / "outside.ogg")
    root = tmp_path / "data"
    rows = [competition_row("aaa", i) for i in range(4)]
    rows.append(competition_row("aaa", 4, secondary_labels="exit()"))
    folder = add_source(root, COMPETITION, rows)
    audio = folder / "train_audio" / "aaa"
    (audio / "XC1.ogg").unlink()
    touch_audio(audio / "XC2.ogg", b"")
    (audio / "XC3.ogg").unlink()
    (audio / "XC3.ogg").symlink_to(outside)
    loaded = load(root)
    assert ids(loaded.recordings) == ["XC0"]
    assert loaded.set_aside.to_numpy().tolist() == [
        ["birdclef-2024", 3, "XC1", "missing on disk"],
        ["birdclef-2024", 4, "XC2", "empty file"],
        ["birdclef-2024", 5, "XC3", "link leaves the data folder"],
        ["birdclef-2024", 6, "XC4", "bad secondary labels"],
    ]
    assert (loaded.counts["rows"], loaded.counts["usable"]) == (5, 1)
    assert list(count_reasons(loaded.set_aside).items()) == [
        ("bad_secondary_labels", 1),
        ("empty_file", 1),
        ("link_leaves_the_data_folder", 1),
        ("missing_on_disk", 1),
    ]


def test_one_id_under_two_species_is_one_recording_with_both(tmp_path: Path) -> None:
    rows = [
        competition_row("ccc", 1, secondary_labels="['ddd']"),
        competition_row("bbb", 1, secondary_labels="['ccc', 'aaa']"),
        competition_row("ccc", 1),
        competition_row("aaa", 2),
        competition_row("ddd", 3),
    ]
    loaded = load_rows(tmp_path, rows)
    found = to_table(loaded.recordings).set_index("recording_id")
    assert list(found.index) == ["XC1", "XC2", "XC3"]
    one = found.loc["XC1"]
    assert (one["primary_label"], one["joint_labels"]) == ("bbb", "ccc")
    assert one["path"] == "birdclef-2024/train_audio/bbb/XC1.ogg"
    assert one["secondary_labels"] == "aaa ddd"  # never one of the positives
    assert (loaded.counts["usable"], loaded.counts["unique"]) == (5, 3)


def test_unknown_secondary_labels_are_dropped_and_counted(tmp_path: Path) -> None:
    rows = [
        competition_row("aaa", 1, secondary_labels="['hergul', 'bbb', 'aaa', 'bbb']"),
        competition_row("bbb", 2, secondary_labels="['hergul', 'x y']"),
    ]
    loaded = load_rows(tmp_path, rows)
    assert list(to_table(loaded.recordings)["secondary_labels"]) == ["bbb", ""]
    assert loaded.counts["unknown_secondary_labels"] == 3


def test_a_correction_moves_the_label_and_not_the_file(tmp_path: Path) -> None:
    rows = [competition_row("aaa", 1), competition_row("bbb", 2), competition_row("aaa", 3)]
    fixes = corrections(("XC1", "aaa", "bbb"), ("XC2", "aaa", "bbb"), ("XC9", "aaa", "bbb"))
    loaded = load_rows(tmp_path, rows, fixes)
    found = to_table(loaded.recordings)
    assert list(found["primary_label"]) == ["bbb", "bbb", "aaa"]
    assert found["path"][0] == "birdclef-2024/train_audio/aaa/XC1.ogg"
    assert loaded.counts["corrected"] == 1


def test_a_correction_that_makes_two_rows_alike_leaves_one_recording(tmp_path: Path) -> None:
    rows = [competition_row("aaa", 1), competition_row("bbb", 1), competition_row("aaa", 2)]
    found = to_table(load_rows(tmp_path, rows, corrections(("XC1", "aaa", "bbb"))).recordings)
    assert found[["primary_label", "joint_labels"]].to_numpy().tolist()[0] == ["bbb", ""]


def test_a_correction_to_an_unknown_label_is_left_and_reported(tmp_path: Path) -> None:
    rows = [competition_row("aaa", 1)]
    fixes = corrections(("XC1", "aaa", "zzz"), ("XC8", "aaa", "zzz"))
    loaded = load_rows(tmp_path, rows, fixes)
    assert list(loaded.recordings["primary_label"]) == ["aaa"]
    assert loaded.counts["corrected"] == 0
    assert [note for note in loaded.notes if "XC1" in note and "XC8" not in note]


def test_files_that_no_row_lists_are_ignored_and_counted(tmp_path: Path) -> None:
    folder = add_source(tmp_path, COMPETITION, [competition_row("aaa", 1)])
    touch_audio(folder / "train_audio" / "aaa" / "XC2.ogg")
    touch_audio(folder / "train_audio" / "zzz" / "XC3.ogg")
    loaded = load(tmp_path)
    assert ids(loaded.recordings) == ["XC1"]
    assert loaded.counts["unlisted_files"] == 2


def test_a_competition_without_a_usable_recording_is_an_error(tmp_path: Path) -> None:
    folder = add_source(tmp_path, COMPETITION, [competition_row("aaa", 1)])
    (folder / "train_audio" / "aaa" / "XC1.ogg").unlink()
    with pytest.raises(SourceError, match=r"no usable recording in 1 rows: .*missing_on_disk"):
        load(tmp_path)


def test_takes_with_letters_are_recordings_of_their_own(tmp_path: Path) -> None:
    rows = [competition_row("aaa", 1, filename=f"aaa/FS1{take}.ogg") for take in "AB"]
    assert ids(load_rows(tmp_path, rows).recordings) == ["FS1A", "FS1B"]


# --- extras


def test_missing_sources_are_one_line_each_and_nothing_is_added(tmp_path: Path) -> None:
    add_source(tmp_path, COMPETITION, [competition_row("aaa", 1)])
    found = extras(tmp_path)
    assert to_table(found.recordings).empty
    assert found.set_aside.empty
    assert [note.split(":")[0] for note in found.notes] == [layout.source for layout in EXTRAS]


def test_an_id_comes_from_the_competition_or_else_the_newest_source(tmp_path: Path) -> None:
    add_source(tmp_path, COMPETITION, [competition_row("aaa", 1), competition_row("bbb", 9)])
    add_source(tmp_path, BIRDCLEF_2023, [competition_row("aaa", n) for n in (1, 2)])
    add_source(tmp_path, BIRDCLEF_2022, [competition_row("bbb", n) for n in (2, 3)])
    add_source(tmp_path, BIRDCLEF_2021, [row_2021("aaa", n) for n in (3, 4)])
    add_source(tmp_path, BIRDSONG_2020, [row_2020("aaa", n) for n in (4, 5)])
    add_source(tmp_path, XENO_CANTO, [xeno_canto_row("aaa", n) for n in (1, 5, 6)])
    found = extras(tmp_path)
    source = to_table(found.recordings).set_index("recording_id")["source"]
    assert source.to_dict() == {
        "XC2": "birdclef-2023",
        "XC3": "birdclef-2022",
        "XC4": "birdclef-2021",
        "XC5": "birdsong-recognition",
        "XC6": "birdclef2024-additional-mp3",
    }
    kept = {name: (counts["unique"], counts["new"]) for name, counts in found.counts.items()}
    assert kept == dict(zip(source, [(2, 1), (2, 1), (2, 1), (2, 1), (3, 1)], strict=True))
    others = {layout.source for layout in EXTRAS} - set(source)
    assert {note.split(":")[0] for note in found.notes} == others


def test_other_species_are_dropped_and_counted_and_never_guessed(tmp_path: Path) -> None:
    add_source(tmp_path, COMPETITION, [competition_row("amhgul1", 1)])
    renamed = competition_row("hergul", 2, scientific_name="Genus amhgul1")
    odd = competition_row("other", 3, secondary_labels="exit()")
    add_source(tmp_path, BIRDCLEF_2023, [renamed, odd, competition_row("amhgul1", 4)])
    found = extras(tmp_path)
    assert ids(found.recordings) == ["XC4"]
    counts = found.counts["birdclef-2023"]
    assert (counts["rows"], counts["same_species"]) == (3, 1)
    assert found.set_aside.empty


def test_a_corrected_extra_is_selected_by_its_true_label(tmp_path: Path) -> None:
    add_source(tmp_path, COMPETITION, [competition_row("aaa", 1)])
    add_source(tmp_path, BIRDCLEF_2023, [competition_row("zzz", 2), competition_row("zzz", 3)])
    found = extras(tmp_path, corrections(("XC2", "zzz", "aaa")))
    assert to_table(found.recordings)[["recording_id", "primary_label"]].to_numpy().tolist() == [
        ["XC2", "aaa"]
    ]


def test_extras_only_fill_up(tmp_path: Path) -> None:
    own = [competition_row("aaa", n) for n in range(5)] + [competition_row("bbb", 5)]
    add_source(tmp_path, COMPETITION, own)
    add_source(
        tmp_path, BIRDCLEF_2023, [competition_row("aaa", 10), competition_row("bbb", 11, rating=1)]
    )
    older = {12: "3", 13: "5", 14: "", 15: "5"}
    add_source(
        tmp_path, BIRDCLEF_2022, [competition_row("bbb", n, rating=r) for n, r in older.items()]
    )
    assert ids(extras(tmp_path, limit=4).recordings) == ["XC11", "XC13", "XC15"]
    assert ids(extras(tmp_path, limit=5).recordings) == ["XC11", "XC12", "XC13", "XC15"]
    assert ids(extras(tmp_path, limit=1).recordings) == []


def test_a_recording_set_aside_in_the_competition_may_come_from_an_earlier_year(
    tmp_path: Path,
) -> None:
    folder = add_source(tmp_path, COMPETITION, [competition_row("aaa", n) for n in (1, 2)])
    (folder / "train_audio" / "aaa" / "XC1.ogg").unlink()
    add_source(tmp_path, BIRDCLEF_2023, [competition_row("aaa", 1)])
    assert ids(extras(tmp_path).recordings) == ["XC1"]


def test_files_that_xeno_canto_lists_and_lacks_are_set_aside(tmp_path: Path) -> None:
    add_source(tmp_path, COMPETITION, [competition_row("aaa", 1)])
    folder = add_source(tmp_path, XENO_CANTO, [xeno_canto_row("aaa", n) for n in (2, 3)])
    (folder / "additional_audio" / "aaa" / "XC2.mp3").unlink()
    found = extras(tmp_path)
    assert ids(found.recordings) == ["XC3"]
    assert found.set_aside["recording_id"].tolist() == ["XC2"]


def test_xeno_canto_without_its_table_says_so(tmp_path: Path) -> None:
    add_source(tmp_path, COMPETITION, [competition_row("aaa", 1)])
    folder = add_source(tmp_path, XENO_CANTO, [xeno_canto_row("aaa", 2)])
    (folder / XENO_CANTO.table).unlink()
    found = extras(tmp_path)
    assert ids(found.recordings) == ["XC2"]
    assert any("recordings are listed from the folders" in note for note in found.notes)


def test_the_screen_shows_every_count() -> None:
    metrics: dict[str, Any] = {
        "recordings": 24459,
        "sources": {"birdclef-2023": {"same_species": 1132}},
        "set_aside_by_reason": {},
        "licenses": {"CC BY": 24459},
    }
    assert describe(metrics) == (
        "24,459 recordings\nbirdclef-2023: 1,132 same species\nlicences: 24,459 CC BY"
    )
