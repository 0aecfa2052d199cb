"""The rules by which recordings get into the table."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from birdclef.common.files import write_csv
from birdclef.common.recordings import read_recordings
from birdclef.common.tables import TableError
from birdclef.index.rules import (
    correct_labels,
    fill_up,
    find_species,
    merge_same_id,
    newest_first,
    read_corrections,
)
from index_data import corrections
from paths import ROOT

CORRECTIONS = ROOT / "data" / "corrections.csv"
LABELS = st.sampled_from(["aaa", "bbb", "ccc"])


def labelled(*rows: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["recording_id", "primary_label"])


def test_the_known_mislabelled_recordings_are_corrected() -> None:
    moves = read_corrections(CORRECTIONS).set_index("recording_id")[["from_label", "to_label"]]
    assert moves.apply(tuple, axis=1).to_dict() == {
        "XC184468": ("marsan", "woosan"),
        "XC724832": ("commoo3", "eurcoo"),
        "XC460945": ("comkin1", "eurcoo"),
        "XC445303": ("purher1", "graher1"),
        "XC589069": ("comsan", "grnsan"),
        "XC371015": ("woosan", "bkwsti"),
    }


def test_a_recording_corrected_twice_is_an_error(tmp_path: Path) -> None:
    write_csv(corrections(("XC1", "a", "b"), ("XC1", "a", "c")), tmp_path / "c.csv")
    with pytest.raises(TableError, match=r"c\.csv row 3: XC1 is corrected twice"):
        read_corrections(tmp_path / "c.csv")


def test_the_error_for_a_missing_table_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"c\.csv not found; index\.corrections in params\.yaml"):
        read_corrections(tmp_path / "c.csv")
    with pytest.raises(TableError, match=r"r\.csv not found; run `dvc repro preprocess`"):
        read_recordings(tmp_path / "r.csv")


def test_corrections_need_recording_label_and_a_known_species() -> None:
    rows = labelled(("XC1", "a"), ("XC1", "b"), ("XC2", "a"), ("XC3", "a"))
    fixes = corrections(("XC1", "a", "b"), ("XC2", "b", "a"), ("XC3", "a", "new"))
    corrected = correct_labels(rows, fixes, {"a", "b"})
    assert list(corrected.recordings["primary_label"]) == ["b", "b", "a", "a"]
    assert (corrected.applied, corrected.unknown) == (1, ("XC3",))
    assert list(rows["primary_label"]) == ["a", "b", "a", "a"]


def test_a_species_takes_the_first_names_that_are_not_empty() -> None:
    rows = pd.DataFrame(
        [("b", "", "B"), ("a", "Sp a", ""), ("b", "Sp b", "Bee")],
        columns=["primary_label", "scientific_name", "common_name"],
    )
    assert find_species(rows).to_numpy().tolist() == [["a", "Sp a", ""], ["b", "Sp b", "B"]]


@given(st.lists(st.tuples(st.integers(0, 5), LABELS), min_size=1))
def test_merging_keeps_every_label_once(pairs: list[tuple[int, str]]) -> None:
    rows = pd.DataFrame(
        [(f"XC{n}", label, f"{label}/XC{n}.ogg", ()) for n, label in pairs],
        columns=["recording_id", "primary_label", "path", "secondary_labels"],
    )
    merged = merge_same_id(rows)
    assert list(merged["recording_id"]) == sorted({f"XC{n}" for n, _ in pairs})
    columns = merged[["recording_id", "primary_label", "joint_labels", "path"]]
    for recording, primary, joint, path in columns.itertuples(index=False):
        labels = tuple(sorted({label for n, label in pairs if f"XC{n}" == recording}))
        assert (primary, *joint) == labels
        assert path == f"{primary}/{recording}.ogg"


def test_extras_come_by_source_then_rating_then_id() -> None:
    rows = pd.DataFrame(
        [
            ("XC2", "old", 5.0),
            ("XC4", "new", None),
            ("XC3", "new", 2.0),
            ("XC1", "new", 2.0),
            ("XC3", "old", 5.0),
            ("XC9", "new", 5.0),
        ],
        columns=["recording_id", "source", "rating"],
    )
    found = newest_first(rows, {"XC9"}, ["new", "old"])
    expected = [("XC1", "new"), ("XC3", "new"), ("XC4", "new"), ("XC2", "old")]
    assert list(zip(found["recording_id"], found["source"], strict=True)) == expected


@given(st.lists(LABELS), st.lists(LABELS), st.integers(1, 6))
def test_filling_up_stops_at_the_limit_and_drops_nothing_else(
    own: list[str], extra: list[str], limit: int
) -> None:
    candidates = pd.DataFrame({"primary_label": pd.Series(extra, dtype="str")})
    kept = fill_up(pd.DataFrame({"primary_label": pd.Series(own, dtype="str")}), candidates, limit)
    for label in set(extra):
        rows = [i for i, other in enumerate(extra) if other == label]
        room = max(0, limit - own.count(label))
        assert list(kept.index[kept["primary_label"] == label]) == rows[:room]
