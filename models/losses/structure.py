"""How alike images and feature maps are in structure: gradients, correlation, Gram matrices."""

from __future__ import annotations

import torch
from kornia.filters import spatial_gradient
from torch import Tensor
from torch.nn import functional

_SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))


def sobel_magnitude(images: Tensor) -> Tensor:
    """|∂x| + |∂y| by Sobel's 3x3 filters, not normalised, beyond the border 0.

    Args:
        images: (B, 1, H, W).

    Returns:
        (B, 1, H, W), 0 or more; up to 8 for images in [0, 1].
    """
    sobel = images.new_tensor(_SOBEL)
    gradients = functional.conv2d(images, torch.stack((sobel, sobel.T))[:, None], padding=1)
    return gradients.abs().sum(1, keepdim=True)


def sobel_l1(one: Tensor, other: Tensor) -> Tensor:
    """Mean absolute difference of `sobel_magnitude`, of images (B, 1, H, W)."""
    return functional.l1_loss(sobel_magnitude(one), sobel_magnitude(other))


def gradient_l1(one: Tensor, other: Tensor) -> Tensor:
    """Mean absolute difference of kornia's spatial gradients: direction by direction, Sobel's filters over 8."""
    return functional.l1_loss(spatial_gradient(one), spatial_gradient(other))


def gram_mse(one: Tensor, other: Tensor) -> Tensor:
    """Mean squared difference of Gram matrices.

    That of maps (B, C, H, W) holds the products of their channels, summed over the pixels, over C · H · W; the mean
    square of an image's levels where it has one channel (after Gatys et al., CVPR 2016, section 2.2).
    """
    return functional.mse_loss(_gram_matrix(one), _gram_matrix(other))


def _gram_matrix(maps: Tensor) -> Tensor:
    flat = maps.flatten(2)
    return flat @ flat.mT / maps[0].numel()


def correlation(one: Tensor, other: Tensor) -> Tensor:
    """Pearson's correlation of two tensors of maps, over all channels and pixels of a sample.

    Computed in 32 bits or more. Maps that are constant are correlated with nothing: 0.

    Args:
        one: (B, C, H, W).
        other: the same.

    Returns:
        (B,) in [-1, 1].
    """
    precise = torch.promote_types(one.dtype, torch.float32)
    one, other = (_centred(maps.to(precise).flatten(1)) for maps in (one, other))
    return functional.cosine_similarity(one, other, dim=1, eps=torch.finfo(precise).eps)


def _centred(rows: Tensor) -> Tensor:
    return rows - rows.mean(dim=1, keepdim=True)
