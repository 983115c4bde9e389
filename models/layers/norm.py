"""The normalisation layers that `--norm` chooses from."""

from __future__ import annotations

from torch import nn

from options.networks import NORMS
from util.suggest import check_choice


def make_norm(norm: str, channels: int) -> nn.Module:
    """Returns a layer (B, channels, H, W) → the same shape.

    Batch norm learns a scale and a shift; instance norm does not and keeps no running statistics; "none" is the
    identity, so that the names of the other layers in a state dict do not depend on the norm.

    Raises:
        UserError: `norm` is not one of `NORMS`.

    Example:
        >>> make_norm("batch", 64).affine, make_norm("instance", 64).affine
        (True, False)
    """
    check_choice("norm", norm, NORMS)
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    if norm == "instance":
        return nn.InstanceNorm2d(channels)
    return nn.Identity()


def conv_has_bias(norm: str) -> bool:
    """Returns whether a convolution before the norm has a bias of its own.

    Batch norm includes a shift, so the published networks have no bias before it; before instance norm, which has no
    parameters here, they do. Without a norm nothing was published; the bias is then the only shift.
    """
    return norm != "batch"
