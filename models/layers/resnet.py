"""Encoder, residual block and decoder of the ResNet family of generators (Johnson et al. 2016, as in pix2pix)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from torch import Tensor, nn

from models.layers.norm import conv_has_bias, make_norm
from options.networks import FamilyOptions


class ResidualBlock(nn.Module):
    """x + convolutions(x) with two 3x3 convolutions: (B, C, H, W) → the same shape, H and W at least 2.

    Dropout is a layer of `conv_block`: with it the second convolution and its norm are `conv_block.6` and `.7`, without
    it `.5` and `.6`, as in published files; see `has_dropout_layout`.

    Example:
        >>> import torch
        >>> ResidualBlock(8, norm="batch", dropout=False)(torch.rand(2, 8, 6, 6)).shape
        torch.Size([2, 8, 6, 6])
    """

    def __init__(self, channels: int, norm: str, dropout: bool) -> None:
        super().__init__()
        bias = conv_has_bias(norm)
        layers: list[nn.Module] = [
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            make_norm(norm, channels),
            nn.ReLU(inplace=True),
        ]
        if dropout:
            layers.append(nn.Dropout(0.5))
        layers += [
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            make_norm(norm, channels),
        ]
        self.conv_block = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        convolved: Tensor = self.conv_block(features)
        return features + convolved


def encoder_stages(options: FamilyOptions, n_blocks: int, num_sources: int = 1) -> list[list[nn.Module]]:
    """Returns the layers of the encoder in four stages, from sources that are concatenated: (B, N · input_nc, H, W).

    7x7 → (B, ngf, H, W); 3x3 with stride 2 → (B, 2 ngf, H/2, W/2); again → (B, 4 ngf, H/4, W/4); residual blocks.
    """
    ngf, norm = options.ngf, options.norm
    bias = conv_has_bias(norm)
    stem: list[nn.Module] = [
        nn.ReflectionPad2d(3),
        nn.Conv2d(num_sources * options.input_nc, ngf, 7, bias=bias),
        make_norm(norm, ngf),
        nn.ReLU(inplace=True),
    ]
    strided: list[list[nn.Module]] = [
        [
            nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1, bias=bias),
            make_norm(norm, 2 * channels),
            nn.ReLU(inplace=True),
        ]
        for channels in (ngf, 2 * ngf)
    ]
    return [stem, *strided, [ResidualBlock(4 * ngf, norm, options.dropout) for _ in range(n_blocks)]]


def decoder_stages(options: FamilyOptions, *, joins: bool = False) -> list[list[nn.Module]]:
    """Returns the layers of the decoder in three stages, from a code (B, 4 ngf, H/4, W/4) to an image in [-1, 1].

    Transposed 3x3 → (B, 2 ngf, H/2, W/2); again → (B, ngf, H, W); 7x7 → (B, output_nc, H, W).

    Args:
        options: of the network.
        joins: the second and the third stage take the maps of the stage before, concatenated with as many others.
    """
    ngf, norm = options.ngf, options.norm
    bias = conv_has_bias(norm)
    joined = 2 if joins else 1
    doubling: list[list[nn.Module]] = [
        [
            nn.ConvTranspose2d(taken, channels, 3, stride=2, padding=1, output_padding=1, bias=bias),
            make_norm(norm, channels),
            nn.ReLU(inplace=True),
        ]
        for taken, channels in ((4 * ngf, 2 * ngf), (joined * 2 * ngf, ngf))
    ]
    return [*doubling, [nn.ReflectionPad2d(3), nn.Conv2d(joined * ngf, options.output_nc, 7), nn.Tanh()]]


def encoder_layers(options: FamilyOptions, n_blocks: int, num_sources: int = 1) -> list[nn.Module]:
    """Returns the layers (B, N · input_nc, H, W) → (B, 4 ngf, H/4, W/4) of `encoder_stages` in one list."""
    return [*chain(*encoder_stages(options, n_blocks, num_sources))]


def decoder_layers(options: FamilyOptions) -> list[nn.Module]:
    """Returns the layers (B, 4 ngf, H/4, W/4) → (B, output_nc, H, W) in [-1, 1] of `decoder_stages` in one list."""
    return [*chain(*decoder_stages(options))]


def describe_layers(state: Mapping[str, Tensor], *, stem: str, blocks: str, head: str) -> dict[str, object]:
    """Derives from a state dict how its encoder and its decoder were built.

    Args:
        state: the state dict.
        stem: the prefix of the encoder's first stage, such as "model_encoder".
        blocks: the prefix of its residual blocks.
        head: the name of the decoder's last convolution.

    Returns:
        input_nc, output_nc, ngf, dropout and n_blocks; norm where `norm_in_state` finds it. Empty if there are no such
        layers.
    """
    first, last = state.get(f"{stem}.1.weight"), state.get(f"{head}.weight")
    if first is None or last is None:
        return {}
    inside = [name.removeprefix(f"{blocks}.") for name in state if name.startswith(f"{blocks}.")]
    return {
        "input_nc": first.shape[1],
        "output_nc": last.shape[0],
        "ngf": first.shape[0],
        **norm_in_state(state, f"{stem}.2"),
        "dropout": bool(has_dropout_layout(state)),
        "n_blocks": len({name.split(".")[0] for name in inside if ".conv_block." in name}),
    }


def has_dropout_layout(state: Mapping[str, Tensor]) -> bool | None:
    """Derives from a state dict whether its residual blocks were built with dropout; None if it has no such block."""
    for place, dropout in (("conv_block.5.weight", False), ("conv_block.6.weight", True)):
        # A convolution's weight has four dimensions; conv_block.6 is a norm (one dimension) without dropout.
        if any(name.endswith(place) and tensor.ndim == 4 for name, tensor in state.items()):
            return dropout
    return None


def norm_in_state(state: Mapping[str, Tensor], place: str) -> dict[str, object]:
    """Derives the norm of a network from a state dict.

    Args:
        state: the state dict.
        place: the name of one of the network's norm layers, such as "model.2".

    Returns:
        {"norm": "batch"}, or {"norm": "instance"} for old files, which hold its running statistics, or nothing: in new
        files neither instance norm nor "none" has weights, so they cannot be distinguished.
    """
    if f"{place}.weight" in state:
        return {"norm": "batch"}
    return {"norm": "instance"} if f"{place}.running_mean" in state else {}
