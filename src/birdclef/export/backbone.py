"""Backbones as the exported file computes them: the same logits in fewer passes over memory."""

import copy

import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.models.efficientvit_mit import LiteMLA
from torch import Tensor, nn


class ExportableAttention(nn.Module):
    """EfficientViT's linear attention without transposing its heads, one scale at a time.

    timm joins the scales, then transposes every head to (pixel, channel) and back. Here the heads
    stay (channel, pixel), the layout of the convolutions before and after. With Q and K after ReLU,
    and k the sum of K over pixels,

        out = V K^T Q / (k^T Q + eps).
    """

    def __init__(self, attention: LiteMLA) -> None:
        super().__init__()
        self.qkv, self.aggreg, self.proj = attention.qkv, attention.aggreg, attention.proj
        self.dim, self.eps = attention.dim, attention.eps

    def _attend(self, qkv: Tensor) -> Tensor:
        """(B, 3 heads dim, H, W) -> (B, heads dim, H, W)."""
        batch, _, height, width = qkv.shape
        query, key, value = qkv.reshape(batch, -1, 3 * self.dim, height * width).chunk(3, dim=2)
        query, key = query.relu(), key.relu()
        total = key.sum(dim=-1, keepdim=True).transpose(-1, -2) @ query  # (B, head, 1, pixel)
        out = value @ key.transpose(-1, -2) @ query / (total + self.eps)
        return out.reshape(batch, -1, height, width)

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.qkv(x)
        scales = [qkv, *(aggregate(qkv) for aggregate in self.aggreg)]
        out: Tensor = self.proj(torch.cat([self._attend(scale) for scale in scales], dim=1))
        return out


class RepeatedMel(nn.Module):
    """Repeat the mel as in training: (B, 2, mel, frame), mel and ramp -> (B, 3, mel, frame)."""

    def forward(self, image: Tensor) -> Tensor:
        return image[:, [0, 0, 1]]


def _replace_attention(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, LiteMLA):
            setattr(module, name, ExportableAttention(child))
        else:
            _replace_attention(child)


def exportable(backbone: nn.Module) -> nn.Module:
    """Copy a timm backbone so that it gives the same logits for an image with only one mel.

    The first convolution sees the mel twice, so the sum of its two filters needs it only once. If
    these filters cannot be summed, the mel is repeated instead. EfficientViT's attention is
    computed in another order, see `ExportableAttention`. All other layers stay as they are.

    Args:
        backbone: (B, 3, mel, frame) -> (B, species); it is not changed.

    Returns:
        (B, 2, mel, frame), mel and ramp -> (B, species).
    """
    network = copy.deepcopy(backbone)
    _replace_attention(network)
    config = getattr(network, "pretrained_cfg", {})
    name = config.get("first_conv")
    first = network.get_submodule(name) if isinstance(name, str) and name else None
    # other subclasses transform their weights in forward, so filters cannot be summed beforehand
    if (
        isinstance(first, nn.Conv2d)
        and type(first) in (nn.Conv2d, Conv2dSame)
        and first.groups == 1
    ):
        weight = first.weight.detach()
        first.weight = nn.Parameter(torch.stack([weight[:, 0] + weight[:, 1], weight[:, 2]], dim=1))
        first.in_channels = 2
        return network
    return nn.Sequential(RepeatedMel(), network)
