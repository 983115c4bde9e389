"""A dense block with a path of learned gradients, for fine structure (after Tang et al., Inf. Fusion 82, 2022)."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))
"""Sobel's derivative towards larger columns; transposed, towards larger rows."""


class GradientDenseBlock(nn.Module):
    """A 3x3 convolution, then the sum of dense convolutions and a path of gradients: (B, C, H, W) → the same shape.

    Example:
        >>> GradientDenseBlock(4)(torch.rand(1, 4, 8, 8)).shape
        torch.Size([1, 4, 8, 8])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = _conv(channels, channels, 3, activated=True)
        self.GRDB = _DensePlusGradient(channels)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        convolved: Tensor = self.GRDB(self.conv(maps))
        return convolved


class _DensePlusGradient(nn.Module):
    """LeakyReLU(1x1(dense(x)) + 1x1(|∂x| + |∂y|))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dense = _DenseConvolutions(channels)
        self.convdown = _conv(3 * channels, channels, 1)
        self.sobelconv = _GradientMagnitude(channels)
        self.convup = _conv(channels, channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        dense: Tensor = self.convdown(self.dense(maps))
        return functional.leaky_relu(dense + self.convup(self.sobelconv(maps)), 0.1)


class _DenseConvolutions(nn.Module):
    """Two 3x3 convolutions, each of the concatenation of input and earlier outputs: (B, C, H, W) → (B, 3 C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = _conv(channels, channels, 3, activated=True)
        self.conv2 = _conv(2 * channels, channels, 3, activated=True)

    def forward(self, maps: Tensor) -> Tensor:
        maps = torch.cat((maps, self.conv1(maps)), dim=1)
        return torch.cat((maps, self.conv2(maps)), dim=1)


class _GradientMagnitude(nn.Module):
    """|∂x| + |∂y| of each channel, by trained filters that are initialised with Sobel's."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        sobel = torch.tensor(SOBEL)
        self.convx = _DepthwiseFilter(sobel, channels)
        self.convy = _DepthwiseFilter(sobel.T, channels)

    def forward(self, maps: Tensor) -> Tensor:
        magnitude: Tensor = self.convx(maps).abs() + self.convy(maps).abs()
        return magnitude


class _DepthwiseFilter(nn.Module):
    """One 3x3 filter per channel; not an `nn.Conv2d`, whose weights `init_weights` would redraw."""

    def __init__(self, kernel: Tensor, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(kernel.repeat(channels, 1, 1, 1))

    def forward(self, maps: Tensor) -> Tensor:
        return functional.conv2d(maps, self.weight, padding=1, groups=len(self.weight))


def _conv(in_channels: int, out_channels: int, size: int, *, activated: bool = False) -> nn.Sequential:
    """A convolution that keeps the size, named `conv`, with LeakyReLU 0.2 if `activated`."""
    layers = OrderedDict[str, nn.Module](conv=nn.Conv2d(in_channels, out_channels, size, padding=size // 2))
    if activated:
        layers["activation"] = nn.LeakyReLU(0.2, inplace=True)
    return nn.Sequential(layers)
