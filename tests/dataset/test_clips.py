"""The clip store returns what was packed, quiet or loud; crops stay inside a recording."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from birdclef.audio.pack_clips import INDEX_COLUMNS, Packed, pack_shard
from birdclef.common.lengths import stored_samples
from birdclef.dataset.clips import ClipStore, first_clip, random_crop
from birdclef.model.mel import LogMel
from birdclef.params import Params
from sounds import RATE_HZ, ramp, tone, write


def _pack(folder: Path, files: dict[str, np.ndarray], params: Params) -> Packed:
    rows = []
    for name, samples in files.items():
        write(folder / "raw" / f"{name}.wav", samples)
        rows.append((name, f"{name}.wav"))
    (folder / "store").mkdir()
    packed = pack_shard("bird", rows, folder / "raw", folder / "store", params.clips)
    index = pd.DataFrame(packed.stored, columns=INDEX_COLUMNS)
    index.to_csv(folder / "store" / "index.csv", index=False)
    return packed


def test_head_and_tail_come_back(tmp_path: Path, params: Params) -> None:
    files = {"long": ramp(20), "short": tone(3), "middle": ramp(9)}
    _pack(tmp_path, files, params)
    store = ClipStore(tmp_path / "store", params.clips)
    part = stored_samples(params.clips)
    for name, samples in files.items():
        np.testing.assert_allclose(store.head(name), samples[:part], atol=1e-4)
        np.testing.assert_allclose(store.tail(name), samples[-part:], atol=1e-4)


def test_another_sound_changes_its_checksum_in_the_index(tmp_path: Path, params: Params) -> None:
    """Both sounds have the same length and peak, so no other column of the row differs."""
    rows = []
    for name in ("one", "same", "other"):
        sound = tone(3)
        if name == "other":
            sound[1000] = sound[1001]
        rows.append(_pack(tmp_path / name, {"a": sound}, params).stored[0])
    assert rows[0] == rows[1]
    differ = [c for c, a, b in zip(INDEX_COLUMNS, rows[0], rows[2], strict=True) if a != b]
    assert differ == ["crc32"]


def _store_and_read(folder: Path, sound: np.ndarray, params: Params) -> np.ndarray:
    soundfile.write(folder / "q.wav", sound, RATE_HZ, subtype="FLOAT")
    packed = pack_shard("bird", [("q", "q.wav")], folder, folder, params.clips)
    pd.DataFrame(packed.stored, columns=INDEX_COLUMNS).to_csv(folder / "index.csv", index=False)
    return ClipStore(folder, params.clips).head("q")


def _quiet_song(peak: float, click: float = 1.0) -> np.ndarray:
    """Five seconds of noise that gets weaker towards high frequencies, with one loud click."""
    noise = np.random.default_rng(0).standard_normal(5 * RATE_HZ)
    song = signal.lfilter([1], [1, -0.9], noise)
    song[1000] = click * np.abs(song).max()
    return (peak * song / np.abs(song).max()).astype(np.float32)


@pytest.mark.parametrize("peak", [0.005, 1.0])
@pytest.mark.parametrize("click", [1.0, 10.0])
def test_noise_of_rounding_is_101_db_below_the_peak_at_any_level(
    tmp_path: Path, params: Params, peak: float, click: float
) -> None:
    """Step = peak / 32767 and noise = step^2 / 12 give 101.1 dB less the crest factor."""
    sound = _quiet_song(peak, click)
    error = _store_and_read(tmp_path, sound, params) - sound
    below_peak_db = 10 * np.log10(peak**2 / (error.astype(np.float64) ** 2).mean())
    assert below_peak_db == pytest.approx(101.1, abs=0.3)


def test_a_quiet_recording_loses_nothing_in_the_mel(tmp_path: Path, params: Params) -> None:
    """The error within 70 dB of the loudest cell is below 0.5 dB.

    Without the scale per recording, 16 bits give an error more than ten times as large.
    """
    sound = _quiet_song(0.005)
    mel = LogMel(params.mel, params.clips)

    def decibels(waveform: np.ndarray) -> np.ndarray:
        image: np.ndarray = mel(torch.from_numpy(waveform)[None])[0, 0].numpy()
        return image * params.mel.db_scale + params.mel.db_center

    before = decibels(sound)
    audible = before > before.max() - 70
    worst_db = np.abs(decibels(_store_and_read(tmp_path, sound, params)) - before)[audible].max()
    plain = (np.rint(sound * 32767) / 32767).astype(np.float32)
    plain_db = np.abs(decibels(plain) - before)[audible].max()
    assert audible.mean() > 0.9
    assert worst_db < 0.5
    assert plain_db > 10 * worst_db


def test_a_species_may_have_any_code(tmp_path: Path, params: Params) -> None:
    """Even a code that pandas would read as a missing value."""
    raw = write(tmp_path / "a.wav", ramp(1))
    packed = pack_shard("nan", [("NA", raw.name)], tmp_path, tmp_path, params.clips)
    pd.DataFrame(packed.stored, columns=INDEX_COLUMNS).to_csv(tmp_path / "index.csv", index=False)
    assert len(ClipStore(tmp_path, params.clips).head("NA")) == RATE_HZ


def test_bad_files_are_set_aside_and_the_rest_is_stored(tmp_path: Path, params: Params) -> None:
    packed = _pack(tmp_path, {"a": ramp(2), "silent": np.zeros(99, np.float32)}, params)
    assert [row[0] for row in packed.stored] == ["a"]
    assert [(row.id, row.path) for row in packed.quarantined] == [("silent", "silent.wav")]
    assert sorted(p.name for p in (tmp_path / "store").iterdir()) == ["bird.npy", "index.csv"]


def test_same_recordings_same_bytes(tmp_path: Path, params: Params) -> None:
    for run in ("one", "two"):
        _pack(tmp_path / run, {"a": ramp(2), "b": tone(14)}, params)
    one, two = (tmp_path / run / "store" / "bird.npy" for run in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


@given(st.integers(1, 50), st.integers(1, 50), st.integers(0, 2**32 - 1))
def test_a_crop_is_a_run_of_the_clip_or_the_clip_in_zeros(have: int, want: int, seed: int) -> None:
    waveform = np.arange(1, have + 1, dtype=np.float32)
    crop = random_crop(waveform, want, np.random.default_rng(seed))
    assert len(crop) == want
    kept = crop[crop > 0]
    assert len(kept) == min(have, want)
    assert (np.diff(kept) == 1).all()


def test_crops_reach_both_ends() -> None:
    rng = np.random.default_rng(0)
    starts = {int(random_crop(np.arange(8, dtype=np.float32), 5, rng)[0]) for _ in range(200)}
    assert starts == {0, 1, 2, 3}
    offsets = {int(np.argmax(random_crop(np.ones(2, np.float32), 4, rng) > 0)) for _ in range(200)}
    assert offsets == {0, 1, 2}


@pytest.mark.parametrize(
    ("have", "expected"),
    [(6, [1, 2, 3, 4]), (4, [1, 2, 3, 4]), (3, [1, 2, 3, 0]), (1, [0, 1, 0, 0])],
)
def test_validation_clip_is_the_first_or_centred(have: int, expected: list[int]) -> None:
    assert first_clip(np.arange(1, have + 1, dtype=np.float32), 4).tolist() == expected
