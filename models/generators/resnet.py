"""pix2pix's ResNet generators on concatenated sources (Johnson et al. 2016; Isola et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from models.generators.base import FusionOutput, Generator
from models.layers.concat import concatenate_sources
from models.layers.resnet import decoder_layers, encoder_layers, has_dropout_layout, norm_in_state
from models.weights import plain_state
from options.networks import FamilyOptions


class ResnetGenerator(Generator):
    """Encoder, residual blocks and decoder in one `model`; the sources are concatenated along the channels.

    Args:
        options: see there.
        num_sources: number of sources; fixed, since the first convolution has input_nc · num_sources channels.
        n_blocks: residual blocks.

    Example:
        >>> import torch
        >>> from models import create_generator
        >>> net = create_generator("resnet_6blocks", num_sources=2, ngf=4).eval()
        >>> net.fuse([torch.rand(1, 3, 21, 30) * 2 - 1 for _ in range(2)]).shape
        torch.Size([1, 3, 21, 30])
    """

    size_divisor = 4
    smallest_side = 8  # the code's sides must exceed the residual blocks' padding of one

    def __init__(self, options: FamilyOptions, num_sources: int = 2, *, n_blocks: int) -> None:
        super().__init__()
        self.num_sources: int = num_sources
        self.reach = 12 + 8 * n_blocks
        self.model = nn.Sequential(*encoder_layers(options, n_blocks, num_sources), *decoder_layers(options))

    def forward(self, sources: Sequence[Tensor]) -> FusionOutput:
        """Fuses the sources.

        Args:
            sources: `num_sources` tensors (B, input_nc, H, W) in [-1, 1], H and W multiples of 4, at least 8.

        Returns:
            `fused` (B, output_nc, H, W) in [-1, 1].

        Raises:
            UserError: another number of sources than the network was built for.
        """
        return FusionOutput(self.model(concatenate_sources(sources, self.num_sources)))

    @classmethod
    def options_from_state(cls, state: Mapping[str, Tensor]) -> dict[str, object]:
        """Returns output_nc, ngf, norm and dropout; the name of the network determines the number of blocks."""
        plain = plain_state(state)
        first = plain.get("model.1.weight")
        ends = [int(name.split(".")[1]) for name in plain if name.startswith("model.") and name.count(".") == 2]
        if first is None or not ends or has_dropout_layout(plain) is None:
            return {}
        return {
            "output_nc": plain[f"model.{max(ends)}.weight"].shape[0],
            "ngf": first.shape[0],
            **norm_in_state(plain, "model.2"),
            "dropout": bool(has_dropout_layout(plain)),
        }
