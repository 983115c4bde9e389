"""Coupling layers: half of the channels transforms the other invertibly (Dinh et al., ICLR 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class InvertedBottleneck(nn.Module):
    """1x1 to twice the channels, ReLU6, depthwise 3x3, ReLU6, 1x1 back, no bias: (B, C, H, W) → the same shape.

    It pads by reflection, so both sides must be at least 2.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = 2 * channels
        self.bottleneckBlock = nn.Sequential(
            nn.Conv2d(channels, hidden, 1, bias=False),
            nn.ReLU6(inplace=True),
            nn.ReflectionPad2d(1),
            nn.Conv2d(hidden, hidden, 3, groups=hidden, bias=False),
            nn.ReLU6(inplace=True),
            nn.Conv2d(hidden, channels, 1, bias=False),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        convolved: Tensor = self.bottleneckBlock(maps)
        return convolved


class AffineCoupling(nn.Module):
    """z2 ← z2 + φ(z1), z1 ← z1 · exp(ρ(z2)) + η(z2), after a 1x1 convolution of both.

    Args:
        channels: of both together, an even number.

    Example:
        >>> z1, z2 = AffineCoupling(8)(torch.rand(1, 4, 6, 6), torch.rand(1, 4, 6, 6))
        >>> z1.shape, z2.shape
        (torch.Size([1, 4, 6, 6]), torch.Size([1, 4, 6, 6]))
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.theta_phi = InvertedBottleneck(half)
        self.theta_rho = InvertedBottleneck(half)
        self.theta_eta = InvertedBottleneck(half)
        self.shffleconv = nn.Conv2d(channels, channels, 1)

    def forward(self, z1: Tensor, z2: Tensor) -> tuple[Tensor, Tensor]:
        """Couples two tensors (B, channels / 2, H, W) → two of the same shape."""
        z1, z2 = self.shffleconv(torch.cat((z1, z2), dim=1)).chunk(2, dim=1)
        z2 = z2 + self.theta_phi(z1)
        z1 = z1 * torch.exp(self.theta_rho(z2)) + self.theta_eta(z2)
        return z1, z2


class InverseAffineCoupling(nn.Module):
    """y2 = (x2 − y(x1)) / e(r(x1)), y1 = (x1 − f(y2)) / e(p(y2)), after a 1x1 convolution of both.

    e(s) = exp(4 · (sigmoid(s) − ½)) keeps the denominator between e⁻² and e².

    Args:
        channels: an even number.

    Example:
        >>> InverseAffineCoupling(8)(torch.rand(1, 8, 6, 6)).shape
        torch.Size([1, 8, 6, 6])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.r = InvertedBottleneck(half)
        self.y = InvertedBottleneck(half)
        self.f = InvertedBottleneck(half)
        self.p = InvertedBottleneck(half)
        self.shffleconv = nn.Conv2d(channels, channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Couples the halves of (B, channels, H, W) → the same shape."""
        x1, x2 = self.shffleconv(maps).chunk(2, dim=1)
        y2 = (x2 - self.y(x1)) / _bounded_exp(self.r(x1))
        y1 = (x1 - self.f(y2)) / _bounded_exp(self.p(y2))
        return torch.cat((y1, y2), dim=1)


def _bounded_exp(s: Tensor) -> Tensor:
    return torch.exp(4 * (torch.sigmoid(s) - 0.5))
