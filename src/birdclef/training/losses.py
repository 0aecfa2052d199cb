"""Losses of a batch: what a step of training makes smaller. Each takes a mask of what is known."""

from torch import Tensor
from torch.nn import functional


def masked_bce(logits: Tensor, targets: Tensor, masks: Tensor) -> Tensor:
    """Binary cross-entropy times mask, averaged over all elements, the masked ones included.

    Args:
        logits: (B, species), float32.
        targets: (B, species), 0..1.
        masks: (B, species), 0 where it is not known whether the species is there, else 1.

    Returns:
        A scalar.
    """
    loss = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return (loss * masks).mean()
