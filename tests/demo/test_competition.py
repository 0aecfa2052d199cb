"""The embedded demo: the same bytes each time, and every quirk of the real data."""

import ast
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from birdclef.demo.competition import write_demo
from birdclef.params import Params
from tiny_demo import TINY

pytestmark = pytest.mark.slow


def _files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def _table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def test_same_seed_same_bytes_with_any_number_of_jobs(root: Path, tmp_path: Path) -> None:
    write_demo(tmp_path / "demo", TINY, jobs=2)
    assert _files(tmp_path / "demo") == _files(root)


def test_another_seed_makes_other_sounds(root: Path, tmp_path: Path) -> None:
    write_demo(tmp_path / "demo", TINY.model_copy(update={"seed": 8}), jobs=2)
    one, two = _files(root), _files(tmp_path / "demo")
    assert not {p for p in one if p.endswith(".ogg") and one[p] and one[p] == two.get(p)}


def test_counts_have_a_long_tail(root: Path) -> None:
    counts = Counter(_table(root / "birdclef-2024/train_metadata.csv")["primary_label"])
    assert len(counts) == 4
    assert max(counts.values()) >= 6
    assert min(counts.values()) in (3, 4)  # one may be listed under two species


def test_full_size_plan_is_that_of_params(params: Params) -> None:
    assert (params.demo.species, params.demo.min_recordings, params.demo.max_recordings) == (
        12,
        4,
        40,
    )


def test_2024_has_its_quirks(root: Path) -> None:
    competition = root / "birdclef-2024"
    table = _table(competition / "train_metadata.csv")
    assert list(table)[:2] == ["primary_label", "secondary_labels"]
    assert len(table.columns) == 12
    paths = [competition / "train_audio" / name for name in table["filename"]]
    empty = [p for p in paths if p.stat().st_size == 0]
    corrupt, lengths = [], []
    for path in set(paths) - set(empty):
        try:
            info = soundfile.info(path)
        except soundfile.LibsndfileError:
            corrupt.append(path)
            continue
        assert (info.samplerate, info.channels, info.subtype) == (32_000, 1, "VORBIS")
        lengths.append(info.duration)
    assert (len(empty), len(corrupt)) == (1, 1)
    assert min(lengths) >= 4
    assert max(lengths) <= 40.1
    stems = Counter(Path(name).stem for name in table["filename"])
    assert [n for n in stems.values() if n > 1] == [2]  # one id under two species
    recordists = Counter(table["author"])
    assert max(recordists.values()) > 1


def test_every_other_source_exists_in_its_own_layout(root: Path) -> None:
    known = set(_table(root / "birdclef-2024/train_metadata.csv")["primary_label"])
    y2021 = _table(root / "birdclef-2021/train_metadata.csv")
    assert not y2021["filename"].str.contains("/").any()
    assert (root / "birdclef-2021/train_short_audio").is_dir()
    y2020 = _table(root / "birdsong-recognition/train.csv")
    assert len(y2020.columns) == 35
    first = y2020.iloc[0]
    assert first["primary_label"] == f"{first['sci_name']}_{first['species']}"
    formats = set()
    for label, name in zip(y2020["ebird_code"], y2020["filename"], strict=True):
        path = root / "birdsong-recognition/train_audio" / label / name
        if path.exists():
            info = soundfile.info(path)
            assert info.format == "MP3"
            formats.add((info.samplerate, info.channels))
    assert {rate for rate, _ in formats} == {22_050, 44_100}
    assert {channels for _, channels in formats} == {1, 2}
    extra = root / "birdclef2024-additional-mp3"
    listed = _table(extra / "BirdClef2024_additional.csv")
    names = [
        extra / "additional_audio" / row["primary_label"] / f"XC{row['id']}.mp3"
        for _, row in listed.iterrows()
    ]
    assert 0 < sum(not p.exists() for p in names) < len(names)
    years = [_table(root / f"birdclef-{y}/train_metadata.csv") for y in (2021, 2022, 2023)]
    assert any(set(t["primary_label"]) - known for t in years)  # labels unknown in 2024


def test_years_share_recordings(root: Path) -> None:
    own = {Path(n).stem for n in _table(root / "birdclef-2024/train_metadata.csv")["filename"]}
    older = _table(root / "birdclef-2023/train_metadata.csv")["filename"]
    assert own & {Path(n).stem for n in older}


def test_labels_of_soundscapes_cover_every_window_and_every_species(root: Path) -> None:
    competition = root / "birdclef-2024"
    labels = _table(competition / "train_soundscape_labels.csv")
    assert list(labels) == ["row_id", "site", "audio_id", "seconds", "birds"]
    for audio_id, rows in labels.groupby("audio_id"):
        info = soundfile.info(competition / "train_soundscapes" / f"{audio_id}.ogg")
        assert [int(s) for s in rows["seconds"]] == list(range(5, int(info.duration) + 1, 5))
    found = {bird for cell in labels["birds"] for bird in cell.split()} - {"nocall"}
    codes = set(_table(competition / "train_metadata.csv")["primary_label"])
    assert found <= codes


def test_secondary_labels_are_lists_written_as_text(root: Path) -> None:
    cells = _table(root / "birdclef-2024/train_metadata.csv")["secondary_labels"]
    assert all(isinstance(ast.literal_eval(cell), list) for cell in cells)


def test_soundscapes_have_less_high_frequency_energy_than_recordings(root: Path) -> None:
    """Soundscapes are distant and low-passed."""

    def high_share(paths: list[Path]) -> float:
        shares = []
        for path in paths:
            try:
                sound, rate = soundfile.read(path, dtype="float32")
            except soundfile.LibsndfileError:
                continue
            power = np.abs(np.fft.rfft(sound)) ** 2
            hertz = np.fft.rfftfreq(len(sound), 1 / rate)
            shares.append(power[hertz > 8000].sum() / power[hertz > 500].sum())
        return float(np.median(shares))

    competition = root / "birdclef-2024"
    recordings = [p for p in sorted(competition.glob("train_audio/*/*")) if p.stat().st_size]
    soundscapes = sorted(competition.glob("unlabeled_soundscapes/*"))
    assert high_share(soundscapes) < high_share(recordings)
