"""Distances between the structure of images or feature maps: SSIM, gradients, Gram matrices, correlation."""

from __future__ import annotations

import torch
from kornia.filters import spatial_gradient
from kornia.losses import ssim_loss
from torch import Tensor
from torch.nn import functional

from models.layers.gradient_dense import SOBEL
from options.models import SSIM_WINDOW


def ssim_distance(one: Tensor, other: Tensor) -> Tensor:
    """Mean of (1 − SSIM) / 2: two images (B, C, H, W) in [0, 1] → a scalar in [0, 1].

    SSIM is that of kornia, in Gaussian windows 11x11 of sigma 1.5 around every pixel, with reflection padding.

    Example:
        >>> images = torch.rand(1, 3, 16, 16)
        >>> bool(ssim_distance(images, images) < 1e-6)
        True
    """
    return ssim_loss(one, other, SSIM_WINDOW)


def sobel_magnitude(images: Tensor) -> Tensor:
    """|∂x| + |∂y| by Sobel's 3x3 filters, not normalised, with zeros beyond the border: (B, 1, H, W) → the same shape.

    For images in [0, 1] it is at most 8.

    Example:
        >>> ramp = torch.arange(5.0).expand(1, 1, 5, 5)  # rises by 1 from column to column: |∂x| = 8
        >>> sobel_magnitude(ramp)[0, 0, 1:-1, 1:-1].unique()
        tensor([8.])
    """
    sobel = images.new_tensor(SOBEL)
    gradients = functional.conv2d(images, torch.stack((sobel, sobel.T))[:, None], padding=1)
    return gradients.abs().sum(1, keepdim=True)


def sobel_l1(one: Tensor, other: Tensor) -> Tensor:
    """Mean absolute difference of `sobel_magnitude`: two images (B, 1, H, W) → a scalar, 0 or more."""
    return functional.l1_loss(sobel_magnitude(one), sobel_magnitude(other))


def gradient_l1(one: Tensor, other: Tensor) -> Tensor:
    """Mean absolute difference of spatial gradients: two images (B, C, H, W) → a scalar, 0 or more.

    The gradients are kornia's, by Sobel's filters over 8, each direction by itself.

    Example:
        >>> ramp = torch.arange(5.0).expand(1, 1, 5, 5)
        >>> float(gradient_l1(ramp, ramp + 1))  # a constant has no gradient
        0.0
    """
    return functional.l1_loss(spatial_gradient(one), spatial_gradient(other))


def gram_mse(one: Tensor, other: Tensor) -> Tensor:
    """Mean squared difference of Gram matrices: two tensors of maps (B, C, H, W) → a scalar, 0 or more.

    The Gram matrix (B, C, C) holds the products of the channels, summed over the pixels and divided by C · H · W; with
    one channel it is the mean square of the levels (after Gatys et al., CVPR 2016, section 2.2).

    Example:
        >>> levels = torch.full((1, 1, 4, 4), 2.0)
        >>> float(gram_mse(levels, torch.zeros_like(levels)))  # (2² - 0²)²
        16.0
    """
    return functional.mse_loss(_gram_matrix(one), _gram_matrix(other))


def _gram_matrix(maps: Tensor) -> Tensor:
    flat = maps.flatten(2)
    return flat @ flat.mT / maps[0].numel()


def correlation(one: Tensor, other: Tensor) -> Tensor:
    """Pearson's correlation of two tensors of maps, over all channels and pixels: (B, C, H, W) each → (B,) in [-1, 1].

    Computed in 32 bits or more. The correlation with constant maps is 0.

    Example:
        >>> maps = torch.rand(2, 3, 8, 8)
        >>> correlation(maps, 1 - maps).round(decimals=4)
        tensor([-1., -1.])
    """
    precise = torch.promote_types(one.dtype, torch.float32)
    one, other = (maps.to(precise).flatten(1) for maps in (one, other))
    one, other = (values - values.mean(dim=1, keepdim=True) for values in (one, other))
    return functional.cosine_similarity(one, other, dim=1, eps=torch.finfo(precise).eps)
