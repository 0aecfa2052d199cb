"""Losses of a batch, which training minimises. Each takes a mask of the known targets."""

from torch import Tensor
from torch.nn import functional


def masked_bce(logits: Tensor, targets: Tensor, masks: Tensor) -> Tensor:
    """Binary cross-entropy times mask, averaged over all elements, masked ones included.

    Args:
        logits: (B, species), float32.
        targets: (B, species), 0..1.
        masks: (B, species), 0 if the presence of the species is unknown, otherwise 1.

    Returns:
        A scalar.
    """
    loss = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return (loss * masks).mean()
