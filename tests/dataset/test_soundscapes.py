"""The soundscape store takes any length, and returns any window without loss."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from birdclef.audio.pack_soundscapes import store_soundscape
from birdclef.common.lengths import clip_samples
from birdclef.dataset.soundscapes import read_window, read_windows, windows
from birdclef.params import Params
from sounds import RATE_HZ, tone, write


@pytest.mark.parametrize("seconds", [3.0, 33.0])
def test_windows_come_back_and_the_last_is_padded(
    tmp_path: Path, params: Params, seconds: float
) -> None:
    whole = tone(seconds)
    write(tmp_path / "a.wav", whole)
    stored = store_soundscape(tmp_path, "a.wav", tmp_path / "a.flac", RATE_HZ)
    assert stored == (len(whole), "")
    table = pd.DataFrame({"soundscape_id": ["a"], "samples": [stored.samples]})
    listed = windows(table, params.clips)
    clip = clip_samples(params.clips)
    assert len(listed) == -(-len(whole) // clip)
    read = [read_window(tmp_path / "a.flac", s, params.clips) for s in listed["start_s"]]
    assert {len(x) for x in read} == {clip}
    padded = np.pad(whole, (0, len(listed) * clip - len(whole)))
    np.testing.assert_allclose(np.concatenate(read), padded, atol=1e-4)


def test_windows_are_listed_in_the_order_of_time(params: Params) -> None:
    table = pd.DataFrame({"soundscape_id": ["b", "a"], "samples": [200_000, 160_000]})
    assert windows(table, params.clips).to_numpy().tolist() == [
        ["b", 0.0, 5.0],
        ["b", 5.0, 10.0],
        ["a", 0.0, 5.0],
    ]


def test_an_empty_store_has_no_windows(tmp_path: Path, params: Params) -> None:
    (tmp_path / "labeled.csv").write_text("soundscape_id,samples\n")
    found = read_windows("labeled", params.clips, tmp_path)
    assert found.empty
    assert list(found.columns) == ["soundscape_id", "start_s", "end_s"]


def _bytes_read() -> int:
    return int(re.findall(r"rchar: (\d+)", Path("/proc/self/io").read_text())[0])


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="Linux counts the bytes read")
def test_reading_a_window_takes_as_much_of_a_long_file_as_of_a_short_one(
    tmp_path: Path, params: Params
) -> None:
    clips = params.clips.model_copy(update={"sample_rate_hz": 1000})
    minute = np.random.default_rng(0).uniform(-0.5, 0.5, 60_000)
    needed = {}
    for minutes in (2, 400):
        path = tmp_path / f"{minutes}.flac"
        soundfile.write(path, np.tile(minute, minutes), 1000)
        read_window(path, 0.0, clips)  # imports and allocations that happen only once
        before = _bytes_read()
        window = read_window(path, 60.0 * minutes - 35, clips)
        needed[minutes] = _bytes_read() - before
        np.testing.assert_allclose(window, minute[25_000:30_000], atol=1e-4)
    assert needed[400] < 2 * needed[2] + 100_000  # of 40 MB
