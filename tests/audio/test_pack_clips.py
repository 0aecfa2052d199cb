"""Packing keeps the sound, quiet or loud, and gives the same bytes for the same recordings."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from scipy import signal

from birdclef.audio.pack_clips import INDEX_COLUMNS, pack_shard
from birdclef.dataset.clips import ClipStore
from birdclef.model.mel import LogMel
from birdclef.params import Params
from small_world import pack
from sounds import RATE_HZ, ramp, tone, write


def test_another_sound_changes_its_checksum_in_the_index(tmp_path: Path, params: Params) -> None:
    """Both sounds have the same length and peak, so no other column of the row differs."""
    rows = []
    for name in ("one", "same", "other"):
        sound = tone(3)
        if name == "other":
            sound[1000] = sound[1001]
        rows.append(pack(tmp_path / name, {"a": sound}, params).stored[0])
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


def test_bad_files_are_set_aside_and_the_rest_is_stored(tmp_path: Path, params: Params) -> None:
    packed = pack(tmp_path, {"a": ramp(2), "silent": np.zeros(99, np.float32)}, params)
    assert [row[0] for row in packed.stored] == ["a"]
    assert [(row.id, row.path) for row in packed.quarantined] == [("silent", "silent.wav")]
    assert sorted(p.name for p in (tmp_path / "store").iterdir()) == ["bird.npy", "index.csv"]


def test_links_that_lead_out_or_nowhere_are_set_aside(tmp_path: Path, params: Params) -> None:
    root = tmp_path / "raw"
    write(root / "good.wav", tone(2))
    write(tmp_path / "outside" / "secret.wav", tone(2))
    (root / "in.wav").symlink_to(root / "good.wav")
    (root / "out.wav").symlink_to(tmp_path / "outside" / "secret.wav")
    (root / "loop.wav").symlink_to(root / "loop.wav")
    (root / "folder").symlink_to(tmp_path / "outside")
    (root / "circle").symlink_to(root / "circle")
    paths = ("in.wav", "out.wav", "loop.wav", "folder/secret.wav", "circle/x.wav")
    packed = pack_shard("bird", [(path, path) for path in paths], root, tmp_path, params.clips)
    assert [row[0] for row in packed.stored] == ["in.wav"]
    assert {row.path: row.reason for row in packed.quarantined} == {
        "out.wav": "link leaves the data folder",
        "loop.wav": "missing: the link leads to itself or to nothing",
        "folder/secret.wav": "link leaves the data folder",
        "circle/x.wav": "missing, or no regular file",
    }


def test_same_recordings_same_bytes(tmp_path: Path, params: Params) -> None:
    for run in ("one", "two"):
        pack(tmp_path / run, {"a": ramp(2), "b": tone(14)}, params)
    one, two = (tmp_path / run / "store" / "bird.npy" for run in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
