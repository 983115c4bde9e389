"""Kovesi's bank of log-Gabor filters in the frequency domain: 4 scales times 6 orientations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import log, pi

import torch
from torch import Tensor
from torch.fft import fftshift, ifftshift

ORIENTATIONS = tuple(index * pi / 6 for index in range(6))
WAVELENGTHS = tuple(3 * 2.1**index for index in range(4))
BANDWIDTH = 0.55
SPREAD = pi / 7.2
_REMEMBERED_PIXELS = 1 << 22
"""The largest images whose filters are cached: they take 80 bytes per pixel."""


@dataclass(frozen=True)
class Bank:
    """The filters for images of one size.

    The response to a filter is complex: its real part is the response to the part of the filter that is even in the
    frequency, its imaginary part that to -i times the odd part. Both map the spectrum of a real image to that of a real
    response, so half of the frequencies are enough. A filter is the product of a radial and an angular factor; both are
    stored at the frequencies of `rfft2` and at their negatives, to compute the even and the odd part.

    Attributes:
        radial: for each scale two of (H, W // 2 + 1), at the frequencies and at their negatives.
        angular: for each orientation two of (H, W // 2 + 1), halved.
        noise: (6,), by orientation: the scale of the noise in the energy, for noise whose energy in the smallest scale
            has the median 1.
    """

    radial: tuple[tuple[Tensor, Tensor], ...]
    angular: tuple[tuple[Tensor, Tensor], ...]
    noise: Tensor

    def filters(self, orientation: int) -> list[tuple[Tensor, Tensor]]:
        """For each scale the even and the odd part of a filter, (H, W // 2 + 1) each."""
        ahead, behind = self.angular[orientation]
        pairs = []
        for radial_ahead, radial_behind in self.radial:
            there, back = radial_ahead * ahead, radial_behind * behind
            pairs.append((there + back, there.sub_(back)))
        return pairs


def bank(height: int, width: int, device: torch.device) -> Bank:
    """The filters for images of a size; those of the last size are cached, unless they are large.

    Args:
        height: of the images; filters for a single row or column are NaN, since the grid has no spacing there.
        width: of the images.
        device: of the filters.

    Example:
        >>> even, odd = bank(16, 24, torch.device("cpu")).filters(orientation=0)[0]
        >>> even.shape, odd.shape
        (torch.Size([16, 13]), torch.Size([16, 13]))
    """
    make = _remembered if height * width <= _REMEMBERED_PIXELS else _make
    return make(height, width, device)


def _make(height: int, width: int, device: torch.device) -> Bank:
    y, x = torch.meshgrid(_frequencies(height, device), _frequencies(width, device), indexing="ij")
    radius = (x * x + y * y).sqrt_()
    radius[height // 2, width // 2] = 1
    radius, angle = ifftshift(radius), ifftshift(torch.atan2(-y, x))
    low_pass = _low_pass(height, width, device)
    radial = [torch.exp((radius * length).log_().square_().div_(-2 * log(BANDWIDTH) ** 2)) for length in WAVELENGTHS]
    for part in radial:
        part.mul_(low_pass)[0, 0] = 0
    angular = []
    for orientation in ORIENTATIONS:
        offset = angle - orientation
        distance = torch.atan2(offset.sin(), offset.cos())
        angular.append(distance.square_().div_(-2 * SPREAD**2).exp_())
    half = width // 2 + 1
    return Bank(
        radial=tuple((part[:, :half].clone(), _negative(part)[:, :half].clone()) for part in radial),
        angular=tuple((part[:, :half] / 2, _negative(part)[:, :half] / 2) for part in angular),
        noise=torch.stack([_noise(radial, part) for part in angular]),
    )


_remembered = lru_cache(maxsize=1)(_make)


def _noise(radial: list[Tensor], angular: Tensor) -> Tensor:
    """The scale t of Rayleigh's distribution, for a median of 1.

    With the real responses f_s to an impulse, t^2 = p sum f_s^2 + 2 p sum f_s f_s' over pairs s < s', which is p times
    the squared norm of their sum; by Parseval's theorem that of the even part of the sum of the filters.
    """
    power = 1 / log(2) / (radial[0] * angular).square().sum()
    whole = torch.stack(radial).sum(0) * angular
    even = (whole + _negative(whole)) / 2
    return (power * even.square().sum()).sqrt()


def _frequencies(size: int, device: torch.device) -> Tensor:
    """From -1/2, in the order of `fftshift`; an odd number of them reaches 1/2."""
    steps = size - size % 2
    return (torch.arange(size, dtype=torch.float64, device=device) - steps / 2) / steps


def _low_pass(height: int, width: int, device: torch.device) -> Tensor:
    """A Butterworth filter against the corners; for odd sizes shifted by one frequency, as published."""
    y = (torch.arange(height, dtype=torch.float64, device=device) - height // 2) / height
    x = (torch.arange(width, dtype=torch.float64, device=device) - width // 2) / width
    squares = y.square()[:, None] + x.square()
    return fftshift(1 / (1 + (squares.sqrt_() / 0.45) ** 30))


def _negative(values: Tensor) -> Tensor:
    """The values at the negative frequencies, index -k modulo the size."""
    return values.flip(0, 1).roll((1, 1), (0, 1))
