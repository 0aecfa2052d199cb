"""The shard store: what goes in comes out, quiet or loud; crops stay inside."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from birdclef.clips import INDEX_COLUMNS, ClipStore, Packed, first_clip, pack_shard, random_crop
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
    part = params.clips.stored_samples
    for name, samples in files.items():
        np.testing.assert_allclose(store.head(name), samples[:part], atol=1e-4)
        np.testing.assert_allclose(store.tail(name), samples[-part:], atol=1e-4)


def test_very_quiet_recordings_keep_their_detail(tmp_path: Path, params: Params) -> None:
    quiet = (0.005 * np.random.default_rng(0).uniform(-1, 1, 5 * RATE_HZ)).astype(np.float32)
    raw = tmp_path / "raw"
    raw.mkdir()
    import soundfile

    soundfile.write(raw / "q.wav", quiet, RATE_HZ, subtype="FLOAT")
    packed = pack_shard("bird", [("q", "q.wav")], raw, tmp_path, params.clips)
    pd.DataFrame(packed.stored, columns=INDEX_COLUMNS).to_csv(tmp_path / "index.csv", index=False)
    error = ClipStore(tmp_path, params.clips).head("q") - quiet
    ratio_db = 10 * np.log10((quiet**2).mean() / (error**2).mean())
    assert ratio_db > 90  # plain 16 bits at this level would give about 50


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
