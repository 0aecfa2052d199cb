"""Backbones as the exported file computes them: the same logits in fewer passes over memory."""

import copy

import torch
from timm.layers.conv2d_same import Conv2dSame
from timm.models.efficientvit_mit import LiteMLA
from torch import Tensor, nn


class ExportableAttention(nn.Module):
    """EfficientViT's linear attention without turning its heads, one scale at a time.

    timm turns every head to (pixel, channel) and back, and joins the scales before that. Here heads
    stay (channel, pixel), as the convolutions give and take them. With Q and K after ReLU, and
    k the sum of K over pixels,

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
    """(B, 2, mel, frame) of mel and ramp -> (B, 3, mel, frame), the mel twice as in training."""

    def forward(self, image: Tensor) -> Tensor:
        return image[:, [0, 0, 1]]


def _replace_attention(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, LiteMLA):
            setattr(module, name, ExportableAttention(child))
        else:
            _replace_attention(child)


def exportable(backbone: nn.Module) -> nn.Module:
    """Copy a timm backbone into one that gives the same logits of an image without its second mel.

    The first convolution sees the mel twice: the sum of its two filters sees it once. Attention of
    EfficientViT is computed in another order, see `ExportableAttention`. What is not known is left
    as it is.

    Args:
        backbone: (B, 3, mel, frame) -> (B, species); not changed.

    Returns:
        (B, 2, mel, frame) of mel and ramp -> (B, species).
    """
    network = copy.deepcopy(backbone)
    _replace_attention(network)
    about = getattr(network, "pretrained_cfg", {})
    name = about.get("first_conv")
    first = network.get_submodule(name) if isinstance(name, str) and name else None
    # other subclasses change the weights on their way, where a sum is not the same
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
