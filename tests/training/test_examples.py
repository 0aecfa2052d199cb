"""What batches contain and how often, and that only seed and epoch decide it."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from birdclef.training.examples import EpochBatches, oversample


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=40), st.integers(0, 12))
def test_rare_species_are_repeated_up_to_the_minimum(labels: list[str], minimum: int) -> None:
    rows = oversample(labels, minimum)
    assert set(rows) == set(range(len(labels)))
    counts = Counter(labels[i] for i in rows)
    for species, count in Counter(labels).items():
        assert counts[species] == max(count, minimum)
        repeats = Counter(int(i) for i in rows if labels[i] == species)
        assert max(repeats.values()) - min(repeats.values()) <= 1


def test_an_epoch_shows_every_clip_once_and_windows_to_the_ratio() -> None:
    batches = EpochBatches(np.arange(100, 120), 4, n_windows=7, windows_per_batch=6, seed=1)
    drawn = list(batches)
    assert len(drawn) == len(batches) == 5
    clips = [d.row for batch in drawn for d in batch if d.kind == "clip"]
    assert sorted(clips) == list(range(100, 120))
    windows = [d.row for batch in drawn for d in batch if d.kind == "window"]
    assert len(windows) == 30
    counts = Counter(windows)
    assert set(counts) == set(range(7))
    assert max(counts.values()) - min(counts.values()) <= 1


def test_a_short_last_batch_is_left_out_but_not_the_same_clips_each_time() -> None:
    batches = EpochBatches(np.arange(10), 4, 0, 0, seed=0)
    assert len(batches) == 2
    seen = set()
    for batches.epoch in range(20):
        seen |= {d.row for batch in batches for d in batch}
    assert seen == set(range(10))


def test_epochs_differ_and_repeat_by_seed() -> None:
    def drawn(seed: int, epoch: int) -> list[object]:
        batches = EpochBatches(np.arange(20), 4, 10, 2, seed)
        batches.epoch = epoch
        return list(batches)

    assert drawn(1, 0) == drawn(1, 0)
    assert drawn(1, 0) != drawn(1, 1)
    assert drawn(1, 0) != drawn(2, 0)
    seeds = [d.seed for e in range(3) for b in drawn(1, e) for d in b if d.kind == "clip"]  # type: ignore[attr-defined]
    assert len(set(seeds)) == len(seeds)
