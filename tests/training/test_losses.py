"""Each loss against values calculated by hand."""

import math

import pytest
import torch

from birdclef.training.losses import masked_bce


def test_loss_is_cross_entropy_over_all_elements_less_the_masked() -> None:
    logits = torch.tensor([[0.0, 2.0], [-1.0, 5.0]])
    targets = torch.tensor([[1.0, 0.0], [0.25, 1.0]])
    masks = torch.tensor([[1.0, 1.0], [1.0, 0.0]])
    soft = -(0.25 * math.log(1 / (1 + math.e)) + 0.75 * math.log(math.e / (1 + math.e)))
    expected = (math.log(2) + math.log(1 + math.e**2) + soft + 0) / 4
    assert masked_bce(logits, targets, masks).item() == pytest.approx(expected, rel=1e-6)
