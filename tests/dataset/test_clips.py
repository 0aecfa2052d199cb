"""The clip store returns what was packed; crops stay inside a recording."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from birdclef.audio.pack_clips import INDEX_COLUMNS, pack_shard
from birdclef.common.lengths import stored_samples
from birdclef.dataset.clips import ClipStore, first_clip, random_crop
from birdclef.params import Params
from small_world import pack
from sounds import RATE_HZ, ramp, tone, write


def test_head_and_tail_come_back(tmp_path: Path, params: Params) -> None:
    files = {"long": ramp(20), "short": tone(3), "middle": ramp(9)}
    pack(tmp_path, files, params)
    store = ClipStore(tmp_path / "store", params.clips)
    part = stored_samples(params.clips)
    for name, samples in files.items():
        np.testing.assert_allclose(store.head(name), samples[:part], atol=1e-4)
        np.testing.assert_allclose(store.tail(name), samples[-part:], atol=1e-4)


def test_a_species_may_have_any_code(tmp_path: Path, params: Params) -> None:
    """Even a code that pandas would read as a missing value."""
    raw = write(tmp_path / "a.wav", ramp(1))
    packed = pack_shard("nan", [("NA", raw.name)], tmp_path, tmp_path, params.clips)
    pd.DataFrame(packed.stored, columns=INDEX_COLUMNS).to_csv(tmp_path / "index.csv", index=False)
    assert len(ClipStore(tmp_path, params.clips).head("NA")) == RATE_HZ


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
