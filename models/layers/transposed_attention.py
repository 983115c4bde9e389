"""Attention between channels instead of pixels, and the blocks made of it: linear in the number of pixels.

Zamir et al., "Restormer", CVPR 2022, section 3.1, named it transposed attention: its weights are the C x C matrix
of the channels' cosine similarities over the whole image.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class ChannelNorm(nn.Module):
    """Layer norm over the channels of each pixel, with scale and shift: (B, C, H, W) → the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.LayerNorm(channels, eps=1e-5)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        normalised: Tensor = self.body(maps.movedim(1, -1))
        return normalised.movedim(-1, 1)


def attend(query: Tensor, key: Tensor, value: Tensor, temperature: Tensor) -> Tensor:
    """Weights the channels of `value` by the cosine similarity of those of `query` and `key`, in groups (heads).

    Args:
        query: (B, C, H, W).
        key: the same shape.
        value: the same shape.
        temperature: (heads, 1, 1), factor of the similarities; heads divides C.

    Returns:
        (B, C, H, W).

    Example:
        >>> maps, temperature = torch.rand(1, 8, 4, 4), torch.zeros(2, 1, 1)
        >>> attended = attend(maps, maps, maps, temperature)  # at temperature 0 all channels of a head weigh the same
        >>> torch.allclose(attended[:, 0], maps[:, :4].mean(1))
        True
    """
    shape = query.shape
    by_head = (shape[0], temperature.shape[0], -1, shape[2] * shape[3])
    query, key, value = (maps.reshape(by_head) for maps in (query, key, value))
    query, key = functional.normalize(query, dim=-1), functional.normalize(key, dim=-1)
    weights = (query @ key.transpose(-2, -1) * temperature).softmax(dim=-1)
    return (weights @ value).reshape(shape)


def depthwise(channels: int, *, bias: bool) -> nn.Conv2d:
    """A 3x3 convolution of each channel by itself, with zero padding: (B, C, H, W) → the same shape."""
    return nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=bias)


class TransposedAttention(nn.Module):
    """Query, key and value from 1x1 and depthwise 3x3 convolutions: (B, C, H, W) → the same shape."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.qkv_dwconv = depthwise(3 * channels, bias=False)
        self.project_out = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        query, key, value = self.qkv_dwconv(self.qkv(maps)).chunk(3, dim=1)
        attended: Tensor = self.project_out(attend(query, key, value, self.temperature))
        return attended


class DenseTransposedAttention(nn.Module):
    """`TransposedAttention` with a full 3x3 convolution in place of the depthwise one."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv1 = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.qkv2 = nn.Conv2d(3 * channels, 3 * channels, 3, padding=1, bias=False)
        self.proj = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        query, key, value = self.qkv2(self.qkv1(maps)).chunk(3, dim=1)
        attended: Tensor = self.proj(attend(query, key, value, self.scale))
        return attended


class CrossTransposedAttention(nn.Module):
    """`TransposedAttention` with the query from one tensor, key and value from another; convolutions have biases."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.kv = nn.Conv2d(channels, 2 * channels, 1)
        self.q = nn.Conv2d(channels, channels, 1)
        self.kv_dwconv = depthwise(2 * channels, bias=True)
        self.q_dwconv = depthwise(channels, bias=True)
        self.project_out = nn.Conv2d(channels, channels, 1)

    def forward(self, queries: Tensor, values: Tensor) -> Tensor:
        """Attention with the query from `queries` to keys and values from `values`; all are (B, C, H, W)."""
        key, value = self.kv_dwconv(self.kv(values)).chunk(2, dim=1)
        query = self.q_dwconv(self.q(queries))
        attended: Tensor = self.project_out(attend(query, key, value, self.temperature))
        return attended


class LocalFeedForward(nn.Module):
    """n + FF(n), with FF of 1x1, depthwise 3x3 and 1x1 convolutions, each followed by GELU; it keeps (B, C, H, W).

    In `PreNormBlock` the residual here is that of the *normalised* maps, in addition to the block's own.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear1 = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.GELU())
        self.dwconv = nn.Sequential(depthwise(channels, bias=True), nn.GELU())
        self.linear2 = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.GELU())

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        convolved: Tensor = self.linear2(self.dwconv(self.linear1(maps)))
        return maps + convolved


class PointwiseFeedForward(nn.Module):
    """1x1 convolution to twice the channels, GELU, 1x1 back, no bias: (B, C, H, W) → the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.project_in = nn.Conv2d(channels, 2 * channels, 1, bias=False)
        self.project_out = nn.Conv2d(2 * channels, channels, 1, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        convolved: Tensor = self.project_out(functional.gelu(self.project_in(maps)))
        return convolved


class PreNormBlock(nn.Module):
    """x ← x + attention(LN(x)), x ← x + feed_forward(LN(x)): (B, C, H, W) → the same shape.

    Args:
        channels: C.
        attention: the layer of the first residual branch.
        feed_forward: the layer of the second.
        name: the feed-forward's name in a state dict.

    Example:
        >>> block = PreNormBlock(8, TransposedAttention(8, heads=2), LocalFeedForward(8))
        >>> block(torch.rand(1, 8, 4, 6)).shape
        torch.Size([1, 8, 4, 6])
    """

    def __init__(self, channels: int, attention: nn.Module, feed_forward: nn.Module, *, name: str = "mlp") -> None:
        super().__init__()
        self.norm1 = ChannelNorm(channels)
        self.attn = attention
        self.norm2 = ChannelNorm(channels)
        self.add_module(name, feed_forward)
        self._name = name

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        maps = maps + self.attn(self.norm1(maps))
        corrected: Tensor = maps + self.get_submodule(self._name)(self.norm2(maps))
        return corrected
