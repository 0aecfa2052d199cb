"""Each format is read back as its users do; untrusted text stays text."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from birdclef.predict.detections import detections
from birdclef.predict.detector import RecordingScores
from birdclef.predict.formats import FORMATS, check, format_of
from birdclef.predict.selection import ChoiceError
from birdclef.predict.writers import Report
from small_model import SPECIES

P = np.array([[0.9, 0.2, 0.05], [0.1, 0.6, 0.7]], np.float32)


def report(
    recordings: list[RecordingScores] | None = None,
    species: list[dict[str, str]] = SPECIES,
    sample: Path | None = None,
    chosen: tuple[int, ...] = (0, 1, 2),
) -> Report:
    if recordings is None:
        recordings = [
            RecordingScores(Path("in/a.wav"), 8.5, P),
            RecordingScores(Path("in/b.wav"), 3.25, P[1:]),
        ]
    minimum = np.full(3, 0.15)
    return Report(
        recordings=iter(recordings),
        detect=lambda scores: detections(scores, (5.0, 5.0), minimum, np.array(chosen)),
        species=species,
        chosen=chosen,
        window_s=(5.0, 5.0),
        band_hz=(20.0, 16_000.0),
        sample=sample,
    )


ROWS = [
    ("in/a.wav", 0, 5, "grewag1", 0.9),
    ("in/a.wav", 0, 5, "houspa", 0.2),
    ("in/a.wav", 5, 10, "mallar3", 0.7),
    ("in/a.wav", 5, 10, "houspa", 0.6),
    ("in/b.wav", 0, 5, "mallar3", 0.7),
    ("in/b.wav", 0, 5, "houspa", 0.6),
]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_long_tables(tmp_path: Path, form: str) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow")
    out = tmp_path / "deep" / f"found.{form}"
    assert FORMATS[form].write(report(), out) == len(ROWS)
    found = pd.read_csv(out) if form == "csv" else pd.read_parquet(out)
    columns = found[["file", "start_s", "end_s", "species", "probability"]]
    for row, expected in zip(columns.itertuples(index=False), ROWS, strict=True):
        assert tuple(row)[:4] == expected[:4]
        assert row[4] == pytest.approx(expected[4])
    assert found["common_name"][0] == "Grey Wagtail"
    assert [p.name for p in out.parent.iterdir()] == [out.name]


def test_wide_has_every_window_of_the_chosen_species(tmp_path: Path) -> None:
    assert FORMATS["wide"].write(report(chosen=(0, 2)), tmp_path / "w.csv") == 3
    found = pd.read_csv(tmp_path / "w.csv")
    assert list(found) == ["file", "start_s", "end_s", "grewag1", "mallar3"]
    np.testing.assert_allclose(found[["grewag1", "mallar3"]], P[[0, 1, 1]][:, [0, 2]])
    assert found["start_s"].tolist() == [0, 5, 0]


def test_raven_reads_times_through_all_files_and_ends_with_the_sound(tmp_path: Path) -> None:
    assert FORMATS["raven"].write(report(), tmp_path / "r.txt") == len(ROWS)
    found = pd.read_csv(tmp_path / "r.txt", sep="\t", quoting=csv.QUOTE_NONE)
    assert found["Selection"].tolist() == [1, 2, 3, 4, 5, 6]
    assert found["Begin Time (s)"].tolist() == [0, 0, 5, 5, 8.5, 8.5]
    assert found["End Time (s)"].tolist() == [5, 5, 8.5, 8.5, 11.75, 11.75]
    assert found["File Offset (s)"].tolist() == [0, 0, 5, 5, 0, 0]
    assert found["Begin Path"][4] == "in/b.wav"
    assert (found["High Freq (Hz)"] == 16_000).all()
    assert found["Common Name"][0] == "Grey Wagtail"
    assert set(found["View"]) == {"Spectrogram 1"}


def test_audacity_has_one_label_track_per_recording(tmp_path: Path) -> None:
    assert FORMATS["audacity"].write(report(), tmp_path / "labels") == len(ROWS)
    assert sorted(p.name for p in (tmp_path / "labels").iterdir()) == ["a.wav.txt", "b.wav.txt"]
    lines = (tmp_path / "labels" / "a.wav.txt").read_text().splitlines()
    assert lines[0] == "0\t5\tGrey Wagtail 0.90"
    assert lines[2] == "5\t8.5\tMallard 0.70"


def sample(path: Path, columns: list[str]) -> Path:
    path.write_text(",".join(columns) + "\n")
    return path


def test_submission_follows_the_samples_columns(tmp_path: Path) -> None:
    order = sample(tmp_path / "s.csv", ["row_id", "mallar3", "grewag1", "houspa"])
    assert FORMATS["submission"].write(report(sample=order), tmp_path / "submission.csv") == 3
    found = pd.read_csv(tmp_path / "submission.csv")
    assert list(found) == ["row_id", "mallar3", "grewag1", "houspa"]
    assert found["row_id"].tolist() == ["a_5", "a_10", "b_5"]
    np.testing.assert_allclose(found.iloc[:, 1:], P[[0, 1, 1]][:, [2, 0, 1]], rtol=1e-6)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["row_id", "mallar3", "grewag1"], "differ in 1 species: houspa"),
        (["row_id", "mallar3", "grewag1", "houspa", "dodo"], "differ in 1 species: dodo"),
        (["row_id", "mallar3", "mallar3", "grewag1", "houspa"], "each once"),
        (["id", "mallar3", "grewag1", "houspa"], "must be row_id and species"),
    ],
)
def test_a_sample_of_another_competition_is_refused(
    tmp_path: Path, columns: list[str], message: str
) -> None:
    other = report(sample=sample(tmp_path / "s.csv", columns))
    with pytest.raises(ChoiceError, match=message):
        check(other, "submission", [])


def test_recordings_of_one_name_are_refused_by_formats_that_need_it(tmp_path: Path) -> None:
    order = sample(tmp_path / "s.csv", ["row_id", "mallar3", "grewag1", "houspa"])
    with pytest.raises(ChoiceError, match=r"belong to several recordings: a\.wav"):
        check(report(), "audacity", [Path("x/a.wav"), Path("y/a.wav")])
    with pytest.raises(ChoiceError, match="format submission distinguishes"):
        check(report(sample=order), "submission", [Path("x/a.wav"), Path("x/a.flac")])
    with pytest.raises(ChoiceError, match="needs --sample-submission"):
        check(report(), "submission", [])
    check(report(), "csv", [Path("x/a.wav"), Path("y/a.wav")])


HOSTILE: dict[str, Any] = {
    "species": "=cmd()",
    "scientific_name": "a,b",
    "common_name": '@x\t"\n1',
}


def _comma_separated(text: str) -> list[list[str]]:
    return list(csv.reader(text.splitlines(keepends=True)))


def _tab_separated(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines()]


READERS = {  # format -> reader of its rows, and number of rows for two detections in one window
    "csv": (_comma_separated, 3),
    "wide": (_comma_separated, 2),
    "raven": (_tab_separated, 3),
    "audacity": (_tab_separated, 2),
}
NOT_TEXT = {"parquet", "submission"}  # typed columns; no text except row_id


@pytest.mark.parametrize("form", sorted(set(FORMATS) - NOT_TEXT))
def test_untrusted_text_breaks_no_table_and_is_no_formula(tmp_path: Path, form: str) -> None:
    assert form in READERS, f"add a reader of format {form} to READERS"
    scores = RecordingScores(Path("=1+1\n,\udce9.wav"), 5.0, P[:1])
    species = [HOSTILE, *SPECIES[1:]]
    out = tmp_path / "out"
    FORMATS[form].write(report([scores], species), out)
    file = out if out.is_file() else next(out.iterdir())
    read, count = READERS[form]
    rows = read(file.read_text(encoding="utf-8"))
    assert len(rows) == count
    assert len({len(row) for row in rows}) == 1
    if read is _comma_separated:
        assert not any(cell.startswith(("=", "@", "+", "-")) for row in rows for cell in row)


def test_suffixes_select_formats(tmp_path: Path) -> None:
    assert format_of(tmp_path / "a.CSV", None) == "csv"
    assert format_of(tmp_path / "a.txt", None) == "raven"
    assert format_of(tmp_path / "a.csv", "wide") == "wide"
    with pytest.raises(ChoiceError, match="give --format, one of csv, wide"):
        format_of(tmp_path / "a.xlsx", None)
    with pytest.raises(ChoiceError, match="'xlsx' is not one of csv"):
        format_of(tmp_path / "a.csv", "xlsx")


@pytest.mark.parametrize("form", sorted(set(FORMATS) - {"audacity"}))  # one file per recording
def test_no_file_is_left_if_writing_fails(tmp_path: Path, form: str) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow")

    def one_then_fail() -> Any:
        yield RecordingScores(Path("a.wav"), 5.0, P)
        raise OSError("disk full")

    (tmp_path / "out").mkdir()
    order = sample(tmp_path / "s.csv", ["row_id", "mallar3", "grewag1", "houspa"])
    failing = report(sample=order)._replace(recordings=one_then_fail())
    with pytest.raises(OSError, match="disk full"):
        FORMATS[form].write(failing, tmp_path / "out/found")
    assert not list((tmp_path / "out").iterdir())
