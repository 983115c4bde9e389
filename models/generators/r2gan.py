"""R2GAN's generator: one encoder for all sources, the mean of their codes, one fused and N rebuilt images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import torch
from torch import Tensor, nn

from models.generators.base import FusionOutput, Generator
from models.layers.resnet import decoder_layers, describe_layers, encoder_layers
from models.weights import plain_state
from options.networks import R2GANOptions
from util.errors import UserError


class R2GANGenerator(Generator):
    """Encodes every source with one encoder, decodes the mean code to the fused image and each code to its source.

    The public release builds its three decoders over the same layers, so they are one set of weights which a file
    names three times: `model_decoder.*`, `model1.*`, `model2.*`. That is `decoders="shared"`, and any number of
    sources can be fused. The paper's figure shows a decoder per source: `decoders="separate"`, with `model1` to
    `modelN`; up to N = `num_sources` sources can then be rebuilt. R2GAN's training procedure is
    `models.pix2pix_model.Pix2PixModel`.

    Args:
        options: see there; the code has 4 ngf channels at a quarter of the size.
        num_sources: the number of separate decoders; ignored where they are shared.

    Raises:
        UserError: `num_sources` is below 1, or an unknown norm.

    Example:
        >>> from models import create_generator
        >>> net = create_generator("R2GAN_generator", ngf=4, n_blocks=1)
        >>> output = net([torch.rand(1, 3, 16, 24) * 2 - 1 for _ in range(3)])
        >>> output.fused.shape, len(output.reconstructions)
        (torch.Size([1, 3, 16, 24]), 3)
    """

    size_divisor = 4
    smallest_side = 8  # the code's sides must exceed the residual blocks' padding of one

    def __init__(self, options: R2GANOptions, num_sources: int = 2) -> None:
        super().__init__()
        if num_sources < 1:
            raise UserError(f"num_sources {num_sources} must be at least 1")
        self.decoders = options.decoders
        self.reach = 12 + 8 * options.n_blocks
        self.model_encoder = nn.Sequential(*encoder_layers(options, options.n_blocks))
        self.model_decoder = nn.Sequential(*decoder_layers(options))
        # Two aliases for any number of sources: the layout of the published files, and every file fits every N.
        own = options.decoders == "separate"
        self.num_auxiliary = num_sources if own else 2
        for number in range(1, self.num_auxiliary + 1):
            decoder = nn.Sequential(*decoder_layers(options)) if own else self.model_decoder
            self.add_module(f"model{number}", decoder)

    def forward(self, sources: Sequence[Tensor]) -> FusionOutput:
        """Fuses and rebuilds N sources.

        Args:
            sources: N tensors (B, input_nc, H, W) in [-1, 1], H and W multiples of 4, at least 8.

        Returns:
            `fused` (B, output_nc, H, W) and N `reconstructions` of the same shape, all in [-1, 1].

        Raises:
            UserError: no source, or with separate decoders more than `num_sources`.
        """
        if self.decoders == "separate" and len(sources) > self.num_auxiliary:
            raise UserError(
                f"{len(sources)} sources: R2GAN_generator was built with separate decoders for {self.num_auxiliary}"
            )
        codes = self._encode(sources)
        fused = self.model_decoder(_mean(codes))
        # Batch norm's running statistics depend on this order: fused, then the sources in theirs.
        reconstructions = tuple(self._auxiliary(index)(code) for index, code in enumerate(codes))
        return FusionOutput(fused, reconstructions)

    def _fused(self, sources: Sequence[Tensor]) -> Tensor:
        fused: Tensor = self.model_decoder(_mean(self._encode(sources)))
        return fused

    def _encode(self, sources: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """N × (B, input_nc, H, W) → N × (B, 4 ngf, H/4, W/4)."""
        if not sources:
            raise UserError("R2GAN_generator needs at least one source")
        if self.training:
            # One pass per source, as published: batch norm would see other statistics in a joint batch.
            return tuple(self.model_encoder(source) for source in sources)
        return tuple(self.model_encoder(torch.cat(tuple(sources))).chunk(len(sources)))

    def _auxiliary(self, index: int) -> nn.Module:
        """The decoder that rebuilds source `index`."""
        return self.model_decoder if self.decoders == "shared" else self.get_submodule(f"model{index + 1}")

    @classmethod
    def options_from_state(cls, state: Mapping[str, Tensor]) -> dict[str, object]:
        """See `describe_weights`."""
        return describe_weights(state)


def _mean(codes: Sequence[Tensor]) -> Tensor:
    """The arithmetic mean of N tensors; a sum, not a stack, which would lose the channels-last layout."""
    return reduce(torch.add, codes) / len(codes)


def describe_weights(state: Mapping[str, Tensor]) -> dict[str, object]:
    """Derives from a state dict how the network that it belongs to was built.

    Args:
        state: a state dict of `R2GANGenerator`, as loaded from a file.

    Returns:
        Arguments of the constructor: input_nc, output_nc, ngf, dropout, n_blocks and decoders; norm where it is batch
        norm; num_sources where the decoders are separate. Empty if `state` is of another network.
    """
    plain = plain_state(state)
    described = describe_layers(plain, stem="model_encoder", blocks="model_encoder", head="model_decoder.7")
    if not described:
        return {}
    # Shared decoders are written under three names, or, where aliases were dropped, under one.
    auxiliary = [number for number in range(1, len(plain)) if f"model{number}.7.weight" in plain]
    own = any(
        not torch.equal(tensor, plain[f"model{number}.{name.removeprefix('model_decoder.')}"])
        for number in auxiliary
        for name, tensor in plain.items()
        if name.startswith("model_decoder.") and f"model{number}.{name.removeprefix('model_decoder.')}" in plain
    )
    if own:
        return described | {"decoders": "separate", "num_sources": len(auxiliary)}
    return described | {"decoders": "shared"}
