"""Training clips are random crops of both ends of a recording."""

from pathlib import Path

import numpy as np
import pytest
import torch

from birdclef.common.lengths import clip_samples, stored_samples
from birdclef.params import Params
from small_world import labeled_clips


def test_training_clips_come_from_both_ends(tmp_path: Path, small_params: Params) -> None:
    clips = labeled_clips(tmp_path, small_params)
    sound = clips.store.head("low0")
    length = clip_samples(small_params.clips)
    starts = set()
    for seed in range(60):
        waveform, targets, mask = clips.random_clip(8, np.random.default_rng(seed))
        assert waveform.shape == (length,)
        assert targets.tolist() == clips.targets[8].tolist()
        assert mask.tolist() == [1, 1]
        starts.add(float(waveform[0]))
    assert clips.recording_ids[8] == "low0"
    assert len(starts) > 50  # shifted, not the same two cuts
    assert torch.equal(clips[8], torch.from_numpy(sound[:length]))
    max_shift = stored_samples(small_params.clips) - length  # 0.1 s in each end of 0.9 s
    ends = (sound, clips.store.tail("low0"))
    head, tail = (set(part[: max_shift + 1].tolist()) for part in ends)
    assert starts <= head | tail
    assert 15 < len(starts - head) < 45
    assert 15 < len(starts - tail) < 45


@pytest.mark.parametrize("row", [0, 3])
def test_the_same_generator_gives_the_same_samples(
    tmp_path: Path, small_params: Params, row: int
) -> None:
    clips = labeled_clips(tmp_path, small_params)
    first, second = (clips.random_clip(row, np.random.default_rng((1, 2, 3)))[0] for _ in range(2))
    assert torch.equal(first, second)
