"""Loudness, mixup and its masks against values worked out by hand."""

import math

import pytest
import torch

from birdclef.params import MixupParams
from birdclef.training.mixing import mixup, random_loudness


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _mixup(**changes: object) -> MixupParams:
    values = {"per": "clip", "probability": 1.0, "weight": "uniform", "min_weight": 1.0}
    return MixupParams(**(values | changes))  # type: ignore[arg-type]


def _two_clips() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    waveforms = torch.tensor([[1.0, 2.0], [10.0, 20.0]])
    targets = torch.tensor([[1.0, 0.0, 0.3], [0.0, 1.0, 0.6]])
    masks = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    return waveforms, targets, masks


def _seed_that_swaps() -> int:
    return next(
        s for s in range(50) if torch.randperm(2, generator=_generator(s)).tolist() == [1, 0]
    )


def test_mixed_clips_have_both_labels_and_unknowns_stay_unknown() -> None:
    waveforms, targets, masks = mixup(*_two_clips(), _mixup(), _generator(_seed_that_swaps()))
    assert waveforms.tolist() == [[11.0, 22.0], [11.0, 22.0]]
    torch.testing.assert_close(targets, torch.tensor([[1.0, 1.0, 0.6]] * 2))
    # species 0 and 1: unknown in one clip, but positive in the other
    assert masks.tolist() == [[1.0, 1.0, 1.0]] * 2


def test_a_species_unknown_in_either_clip_is_masked() -> None:
    waveforms, targets, _ = _two_clips()
    masks = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    targets[:, 2] = 0
    _, _, mixed = mixup(waveforms, targets, masks, _mixup(), _generator(_seed_that_swaps()))
    assert mixed[:, 2].tolist() == [0.0, 0.0]


def test_nothing_changes_without_mixing() -> None:
    before = _two_clips()
    after = mixup(*before, _mixup(probability=0.0), _generator(_seed_that_swaps()))
    for a, b in zip(before, after, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(("weight", "mean"), [("uniform", 0.6), ("log_uniform", 0.8 / math.log(5))])
def test_weights_are_drawn_as_named(weight: str, mean: float) -> None:
    ones = torch.ones(20_000, 1)
    mixed, _, _ = mixup(ones, ones, ones, _mixup(weight=weight, min_weight=0.2), _generator())
    weights = mixed[:, 0] - 1
    assert weights.min() >= 0.2
    assert weights.max() <= 1
    assert weights.mean() == pytest.approx(mean, abs=0.01)


def test_decisions_are_per_clip_or_per_batch() -> None:
    ones = torch.ones(1000, 1)
    per_clip, _, _ = mixup(ones, ones, ones, _mixup(probability=0.5), _generator())
    assert 400 < (per_clip == 2).sum() < 600
    shares = set()
    for seed in range(40):
        params = _mixup(per="batch", probability=0.5)
        mixed, _, _ = mixup(ones, ones, ones, params, _generator(seed))
        shares.add(float((mixed > 1).float().mean()))
    assert shares == {0.0, 1.0}
    mixed, _, _ = mixup(ones, ones, ones, _mixup(per="batch", min_weight=0.2), _generator())
    assert len(mixed.unique()) == 1
    assert 1.2 <= mixed[0] < 2


@pytest.mark.parametrize("max_db", [20.0, 6.0])
def test_loudness_falls_by_up_to_the_given_decibels(max_db: float) -> None:
    softer = random_loudness(torch.ones(20_000, 1), max_db, _generator())[:, 0]
    decibels = 20 * softer.log10()
    assert -max_db <= decibels.min() < 0.1 - max_db
    assert -0.1 < decibels.max() <= 0
    assert decibels.mean() == pytest.approx(-max_db / 2, abs=0.2)
