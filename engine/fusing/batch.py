"""Fusing a batch of tensors with a generator: the one place where values in [0, 1] meet a network's own range."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.runtime import Runtime
from models.generators.base import Generator, Normalisation, pad_to_multiple
from models.generators.decomposing import DecomposingGenerator


@torch.no_grad()
def fuse_batch(runtime: Runtime, generator: Generator, sources: Sequence[Tensor], *, grey: bool = False) -> Tensor:
    """Fuses images of any size; nothing but the fused path is computed.

    Args:
        runtime: devices, processes and precision.
        generator: the unwrapped network, in evaluation mode unless the caller wants otherwise.
        sources: N tensors (B, C, H, W) in [0, 1].
        grey: the sources hold no colour, see `Generator.normalisation`.

    Returns:
        (B, C, H, W) in [0, 1], float32, on the runtime's device.
    """
    normalisation = generator.normalisation(grey=grey)
    with runtime.autocast():
        fused = generator.fuse(_scaled(runtime, sources, normalisation))
    return _unscaled(fused, normalisation)


@torch.no_grad()
def decompose_batch(
    runtime: Runtime, generator: DecomposingGenerator, sources: Sequence[Tensor], *, grey: bool = False
) -> dict[str, Tensor]:
    """Decomposes images of any size; see `fuse_batch`.

    Returns:
        (B, C, H, W) in [0, 1] for each of the generator's `part_names`.
    """
    normalisation = generator.normalisation(grey=grey)
    with runtime.autocast():
        parts = generator.decompose(_scaled(runtime, sources, normalisation))
    return {name: _unscaled(part, normalisation) for name, part in parts.items()}


@torch.no_grad()
def rebuild_batch(runtime: Runtime, generator: Generator, sources: Sequence[Tensor]) -> list[Tensor]:
    """Rebuilds images of any size with a generator that does so; see `fuse_batch`.

    Returns:
        One (B, C, H, W) in [0, 1] per source.
    """
    height, width = sources[0].shape[-2:]
    padded = [pad_to_multiple(source, generator.size_divisor, generator.smallest_side) for source in sources]
    normalisation = generator.normalisation()
    with runtime.autocast():
        rebuilt = generator(_scaled(runtime, padded, normalisation)).reconstructions
    return [_unscaled(image, normalisation)[..., :height, :width] for image in rebuilt]


def _scaled(runtime: Runtime, sources: Sequence[Tensor], normalisation: Normalisation) -> list[Tensor]:
    """Sources in [0, 1] on the device, in the network's range."""
    return [normalisation.apply(runtime.to_device(source)) for source in sources]


def _unscaled(image: Tensor, normalisation: Normalisation) -> Tensor:
    """An image in the network's range, in [0, 1] and float32."""
    return normalisation.undo(image.float()).clamp(0, 1)


def saved_levels(images: Tensor, *, truncate: bool = False) -> Tensor:
    """Takes images in [0, 1] to the grey levels 0 to 255 of a saved file, still as floats.

    Args:
        images: of any shape.
        truncate: cut off instead of rounding, see `CutsOffLevels`.
    """
    levels = images * 255
    return levels.floor() if truncate else levels.round()


def plain_average(sources: Sequence[Tensor]) -> Tensor:
    """The arithmetic mean of the sources: what any fusion has to beat."""
    return torch.stack(list(sources)).mean(0)
