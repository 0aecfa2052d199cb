"""Backbones rewritten for export give the same logits, and the originals stay unchanged."""

import copy

import pytest
import timm
import torch
from timm.models.efficientvit_mit import LiteMLA
from torch import Tensor, nn

from birdclef.export.backbone import ExportableAttention, RepeatedMel, exportable

pytestmark = pytest.mark.slow


def _image(channels: tuple[int, ...]) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 2, 64, 96, generator=generator)[:, list(channels)]


def _trained(name: str) -> nn.Module:
    """A backbone whose batch norms have seen images, so that its logits differ between images."""
    torch.manual_seed(0)
    backbone: nn.Module = timm.create_model(name, num_classes=4)
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean over all batches so far
    with torch.no_grad():
        backbone(_image((0, 0, 1)))
    return backbone.eval()


@pytest.mark.parametrize("name", ["efficientvit_b0", "tf_efficientnet_lite0"])
def test_a_network_that_sees_the_mel_once_gives_the_logits_of_the_one_that_sees_it_twice(
    name: str,
) -> None:
    backbone = _trained(name)
    before = copy.deepcopy(backbone.state_dict())
    network = exportable(backbone).eval()
    with torch.inference_mode():
        expected, found = backbone(_image((0, 0, 1))), network(_image((0, 1)))
    assert (found - expected).abs().max() < 0.002 * expected.std(dim=0).min()
    assert next(network.parameters()).shape[1] == 2
    for key, value in backbone.state_dict().items():
        assert torch.equal(value, before[key]), key


@pytest.mark.parametrize("scales", [(), (5,), (3, 5)])
def test_attention_is_timms(scales: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    attention = LiteMLA(24, 16, dim=8, scales=scales, eps=0.1).eval()
    image = torch.randn(2, 24, 5, 7)
    with torch.inference_mode():
        expected, found = attention(image), ExportableAttention(attention).eval()(image)
    torch.testing.assert_close(found, expected)


def test_attention_of_efficientvit_is_replaced() -> None:
    kinds = [type(module) for module in exportable(timm.create_model("efficientvit_b0")).modules()]
    assert ExportableAttention in kinds
    assert LiteMLA not in kinds


class _Standardised(nn.Conv2d):
    """A convolution that does not use its filters as stored."""

    def forward(self, x: Tensor) -> Tensor:
        deviation = self.weight.std(dim=(1, 2, 3), keepdim=True)
        return self._conv_forward(x, self.weight / deviation, self.bias)


@pytest.mark.parametrize("first", [_Standardised(3, 6, 3), nn.Conv2d(3, 6, 3, groups=3)])
def test_a_first_layer_that_cannot_be_summed_gets_the_mel_twice(first: nn.Module) -> None:
    backbone = nn.Sequential(first, nn.Flatten())
    backbone.pretrained_cfg = {"first_conv": "0"}  # type: ignore[assignment]
    network = exportable(backbone)
    assert isinstance(next(network.children()), RepeatedMel)
    torch.testing.assert_close(network(_image((0, 1))), backbone(_image((0, 0, 1))))


@pytest.mark.parametrize("config", [None, {}, {"first_conv": None}, {"first_conv": ("0", "1")}])
def test_a_network_that_does_not_name_its_first_layer_gets_the_mel_twice(
    config: dict[str, object] | None,
) -> None:
    backbone = nn.Sequential(nn.Conv2d(3, 2, 3))
    if config is not None:
        backbone.pretrained_cfg = config  # type: ignore[assignment]
    torch.testing.assert_close(exportable(backbone)(_image((0, 1))), backbone(_image((0, 0, 1))))
