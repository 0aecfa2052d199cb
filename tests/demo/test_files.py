"""Each quirk of the demo, and the bytes of its files."""

import ast
import itertools
import re
from collections import Counter
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import soundfile
import soxr
from scipy import signal

from birdclef.demo.competition import plan_soundscapes, start_afresh, write_demo
from birdclef.demo.recordings import Planner, long_tail, plan_competition, plan_extras
from birdclef.demo.sounds import set_ogg_serial, write_sound
from birdclef.demo.species import SPECIES
from birdclef.params import Params
from tiny_demo import TINY

pytestmark = pytest.mark.slow


def _table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def _sound(path: Path) -> npt.NDArray[np.float32]:
    return np.asarray(soundfile.read(path, dtype="float32")[0])


def test_full_size_counts_fall_from_40_to_4(params: Params) -> None:
    counts = long_tail(params.demo)
    assert len(counts) == 12
    assert (counts[0], counts[-1]) == (40, 4)
    assert counts == sorted(counts, reverse=True)
    planner = Planner(params.demo)
    takes = plan_competition(planner)
    assert len(takes) == sum(counts)
    assert 40 <= len(plan_extras(planner, takes)) <= 50
    for label in {take.label for take in takes}:
        assert len({t.recording.recordist for t in takes if t.label == label}) >= 3


def test_some_secondary_species_are_listed_and_some_are_not(params: Params) -> None:
    recordings = [take.recording for take in plan_competition(Planner(params.demo))]
    with_secondary = [r for r in recordings if r.secondary]
    assert 0.2 < len(with_secondary) / len(recordings) < 0.4
    assert 0 < sum(bool(r.listed) for r in with_secondary) < len(with_secondary)
    assert all(set(r.listed) <= set(r.secondary) for r in recordings)


def test_a_few_soundscapes_are_shorter(params: Params) -> None:
    plans = plan_soundscapes(params.demo)
    assert Counter(plan.length_s for plan in plans) == {60.0: 71, 33.0: 3, 47.5: 3}
    assert len({plan.path for plan in plans}) == 77


def test_one_recording_is_there_twice_with_other_bytes_and_another_id(root: Path) -> None:
    """The copy is softer and more compressed, its noise above all; no other pair is as similar."""
    paths = sorted((root / "birdclef-2024/train_audio/ashtri9").glob("*.ogg"))
    alike = []
    for source, copy in itertools.combinations(paths, 2):
        one, two = _sound(source), _sound(copy)
        if len(one) == len(two) and np.corrcoef(one, two)[0, 1] > 0.5:
            alike.append((source, copy, one.std() / two.std()))
    assert len(alike) == 1
    source, copy, ratio = alike[0]
    assert source.read_bytes() != copy.read_bytes()
    assert max(ratio, 1 / ratio) == pytest.approx(2.0, rel=0.05)


def test_the_shared_id_is_one_sound_under_two_species(root: Path) -> None:
    table = _table(root / "birdclef-2024/train_metadata.csv")
    shared = table[table["filename"].map(lambda name: Path(name).stem).duplicated(keep=False)]
    one, two = (root / "birdclef-2024/train_audio" / name for name in shared["filename"])
    assert one.parent != two.parent
    assert one.read_bytes() == two.read_bytes()
    assert shared["scientific_name"].nunique() == 2


def test_an_id_is_the_same_sound_in_each_year(root: Path) -> None:
    by_id: dict[str, list[Path]] = {}
    for path in sorted(root.rglob("XC*.ogg")):
        by_id.setdefault(path.stem, []).append(path)
    years = [paths for paths in by_id.values() if len({p.parts[-4] for p in paths}) > 1]
    assert len(years) >= 3
    assert all(len({path.read_bytes() for path in paths}) == 1 for paths in years)


def test_older_years_have_a_renamed_code_and_an_unknown_species(root: Path) -> None:
    taxonomy = _table(root / "birdclef-2024/eBird_Taxonomy_v2021.csv")
    y2021 = _table(root / "birdclef-2021/train_metadata.csv")
    renamed = y2021[~y2021["primary_label"].isin(taxonomy["SPECIES_CODE"])]
    assert 1 <= len(renamed) <= 3
    assert set(renamed["scientific_name"]) <= set(taxonomy["SCI_NAME"])
    known = set(_table(root / "birdclef-2024/train_metadata.csv")["primary_label"])
    y2022 = set(_table(root / "birdclef-2022/train_metadata.csv")["primary_label"])
    assert len(y2022 - known) == 1


def test_2020_lists_a_secondary_species_without_a_row_in_its_table(root: Path) -> None:
    table = _table(root / "birdsong-recognition/train.csv")
    listed = {name for cell in table["secondary_labels"] for name in ast.literal_eval(cell)}
    assert listed - set(table["primary_label"])


def test_the_submission_has_one_row_per_window_and_one_column_per_species(root: Path) -> None:
    labels = _table(root / "birdclef-2024/train_soundscape_labels.csv")
    submission = pd.read_csv(root / "birdclef-2024/sample_submission.csv")
    codes = sorted(set(_table(root / "birdclef-2024/train_metadata.csv")["primary_label"]))
    assert list(submission) == ["row_id", *codes]
    assert list(submission["row_id"]) == list(labels["row_id"])
    assert np.allclose(submission[codes], 1 / len(codes))


def test_the_description_names_files_that_are_there(root: Path) -> None:
    text = (root / "DEMO.md").read_text()
    for line in text.splitlines():
        there = [(root / name).exists() for name in re.findall(r"`([^`]+/XC[^`]+)`", line)]
        assert there == [not line.startswith("- Listed")] * len(there)
    assert text.count("/XC") >= 12


def test_an_older_demo_is_replaced_whole(tmp_path: Path) -> None:
    start_afresh(tmp_path / "demo")
    (tmp_path / "demo/DEMO.md").write_text("older")
    (tmp_path / "demo/stale.ogg").write_bytes(b"")
    start_afresh(tmp_path / "demo")
    assert not list((tmp_path / "demo").iterdir())


def test_files_that_the_demo_did_not_write_are_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "demo" / "birdclef-2024.zip"
    mine.parent.mkdir()
    mine.write_bytes(b"precious")
    with pytest.raises(FileExistsError, match=r"no DEMO\.md\): move them"):
        write_demo(tmp_path / "demo", TINY, jobs=1)
    assert mine.read_bytes() == b"precious"


def test_ogg_pages_have_the_given_serial_and_a_correct_checksum(tmp_path: Path) -> None:
    """The decoder drops pages with a wrong checksum; with a new serial it decodes the same."""
    path = tmp_path / "a.ogg"
    write_sound(path, np.sin(np.arange(40_000, dtype=np.float32) / 10), 32_000)
    before, ogg = _sound(path), path.read_bytes()
    other = set_ogg_serial(ogg, 77)
    assert other != ogg
    assert set_ogg_serial(other, 1) == ogg
    path.write_bytes(other)
    assert np.array_equal(_sound(path), before)
    starts = [match.start() for match in re.finditer(b"OggS\x00", other)]
    assert {other[s + 14 : s + 18] for s in starts} == {(77).to_bytes(4, "little")}


def test_a_stereo_mp3_is_what_was_written_and_the_same_each_time(tmp_path: Path) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(3 * 44_100, dtype=np.float32) / 44_100)
    path, found = tmp_path / "a.mp3", set()
    for _ in range(3):
        write_sound(path, np.stack([tone, 0.5 * tone], axis=1), 44_100)
        found.add(path.read_bytes())
    assert len(found) == 1
    left, right = _sound(path)[4410:-4410].T
    power = np.abs(np.fft.rfft(left)) ** 2
    hertz = np.fft.rfftfreq(len(left), 1 / 44_100)
    assert power[np.abs(hertz - 1000) < 20].sum() > 0.99 * power.sum()
    assert left.std() / right.std() == pytest.approx(2.0, rel=0.05)


def test_long_ogg_files_are_written_in_blocks(tmp_path: Path) -> None:
    path = tmp_path / "long.ogg"
    write_sound(path, np.zeros(32_000 * 300, np.float32), 32_000)
    assert soundfile.info(path).duration == 300.0


def test_an_excerpt_is_there_under_another_id(root: Path) -> None:
    """The excerpt is an mp3 at another rate, and part of a longer competition recording."""
    (line,) = [x for x in (root / "DEMO.md").read_text().splitlines() if "An excerpt" in x]
    whole, part = (root / name for name in re.findall(r"`([^`]+)`", line))
    assert (whole.stem, whole.parent.name) != (part.stem, part.parent.name)
    sound, (excerpt, rate_hz) = _sound(whole), soundfile.read(part, dtype="float32")
    mono = excerpt if excerpt.ndim == 1 else excerpt.mean(axis=1)
    resampled = soxr.resample(mono, rate_hz, 32_000)
    assert len(resampled) < 0.7 * len(sound)
    offset = int(np.argmax(np.abs(signal.correlate(sound, resampled, "valid"))))
    part_of_whole = sound[offset : offset + len(resampled)]
    assert np.corrcoef(part_of_whole, resampled)[0, 1] > 0.8  # mp3 removes high frequencies


def test_parts_of_labelled_soundscapes_are_in_an_unlabelled_one_and_a_recording(root: Path) -> None:
    """Re-encoded and softer; the recording's label is audible in its part of the soundscape."""
    lines = [x for x in (root / "DEMO.md").read_text().splitlines() if "of a labelled" in x]
    assert len(lines) == 2
    for line in lines:
        start_s, end_s = map(float, re.findall(r"([\d.]+) to ([\d.]+) s", line)[0])
        whole, other = (root / name for name in re.findall(r"`([^`]+)`", line))
        part = _sound(whole)[round(start_s * 32_000) : round(end_s * 32_000)]
        correlation = signal.correlate(_sound(other), part, "full")
        lag = int(np.argmax(np.abs(correlation))) - len(part) + 1
        held = _sound(other)[max(lag, 0) :][: len(part)]
        aligned = part[max(-lag, 0) :][: len(held)]
        assert len(aligned) > 0.98 * len(part)
        assert np.corrcoef(held[: len(aligned)], aligned)[0, 1] > 0.8
        assert held.std() / part.std() == pytest.approx(10 ** (-7 / 20), rel=0.1)
    labels = _table(root / "birdclef-2024/train_soundscape_labels.csv")
    at = labels["seconds"].astype(float).between(start_s + 1, end_s)
    birds = " ".join(labels.loc[at & (labels["audio_id"] == whole.stem), "birds"]).split()
    assert other.parent.name in birds
    listed = _table(root / "birdclef2024-additional-mp3/BirdClef2024_additional.csv")
    (row,) = listed.loc[listed["file-name"] == other.name].to_dict("records")
    names = {species.code: species.scientific_name for species in SPECIES}
    expected = {names[code] for code in set(birds) - {other.parent.name, "nocall"}}
    assert set(ast.literal_eval(row["also"])) == expected
