"""Augmentations of a batch of waveforms: random loudness, additive mixup."""

import torch
from torch import Tensor

from birdclef.params import MixupParams


def random_loudness(waveforms: Tensor, max_db: float, generator: torch.Generator) -> Tensor:
    """Make each clip of (B, sample) quieter by 0 to `max_db`, uniform in dB.

    Before mixup, this sets the loudness of the two clips relative to each other. Without mixup it
    has no effect, because the model normalises each clip.

    Source: 3rd place of BirdCLEF-2024, exp(-u ln 10) with u uniform in 0..1, which is 20 dB.
    """
    reduction_db = max_db * torch.rand(len(waveforms), 1, generator=generator)
    return waveforms * (10 ** (-reduction_db / 20)).to(waveforms.device, non_blocking=True)


def _weights(count: int, params: MixupParams, generator: torch.Generator) -> Tensor:
    """Draw the weights of the added clips, (count, 1); 0 where no clip is added."""
    draws = count if params.per == "clip" else 1
    mixed = torch.rand(draws, 1, generator=generator) < params.probability
    uniform = torch.rand(draws, 1, generator=generator)
    if params.weight == "uniform":
        weights = params.min_weight + (1 - params.min_weight) * uniform
    else:
        weights = params.min_weight**uniform
    return (weights * mixed).expand(count, 1)


def mixup(
    waveforms: Tensor,
    targets: Tensor,
    masks: Tensor,
    params: MixupParams,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Add another clip of the batch to some of the clips: a + weight * b.

    A mixed clip contains both sounds, so its targets are the larger of the two, also where targets
    are soft. A species that is unknown in either clip stays unknown, unless it is a target: masks
    are the smaller of the two, but at least the targets.

    Args:
        waveforms: (B, sample).
        targets: (B, species), 0..1.
        masks: (B, species), 0 or 1.
        params: how often clips are mixed, and how loud the added clip is.
        generator: source of all random draws, on the CPU.

    Returns:
        Mixed waveforms, targets and masks of the same shapes.

    Source: 3rd place of BirdCLEF-2024.
    """
    device = waveforms.device
    partner = torch.randperm(len(waveforms), generator=generator).to(device, non_blocking=True)
    weights = _weights(len(waveforms), params, generator).to(device, non_blocking=True)
    both_targets = torch.maximum(targets, targets[partner])
    both_masks = torch.maximum(torch.minimum(masks, masks[partner]), both_targets)
    mixed = weights > 0
    return (
        waveforms + weights * waveforms[partner],
        torch.where(mixed, both_targets, targets),
        torch.where(mixed, both_masks, masks),
    )
