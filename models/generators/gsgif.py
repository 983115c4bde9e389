"""The generator of GSGIF-GAN: one encoder for any number of sources, their maps fused element by element."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.generators.base import FusionOutput, Generator
from models.layers.modes import frozen_statistics, no_dropout
from models.layers.resnet import decoder_stages, describe_layers, encoder_stages
from models.layers.source_fusion import BANDS, FUSIONS, SPACINGS, RunningBlend, RunningFusion
from models.weights import plain_state
from util.errors import UserError
from util.suggest import check_choice

SKIPS = ("none", "features", "residual")
STAGES = 4  # of the encoder: full size, half, a quarter, and a quarter after the residual blocks


class GSGIFGenerator(Generator):
    """Encodes every source with one encoder, fuses the maps with a rule over a set, and decodes them to an image.

    Nothing but the abstract of GSGIF-GAN is public: generic in modality and in the number of sources, with a loss that
    draws the fused encoded features to the target's. The layers (R2GAN's), the rules and the paths past the code are
    ours. The result does not depend on the order of the sources.

    Args:
        input_nc: channels of a source.
        output_nc: channels of the fused image.
        ngf: filters of the first convolution; the code has 4 ngf channels at a quarter of the size.
        norm: "batch", "instance" or "none".
        dropout: dropout with probability 0.5 in the residual blocks.
        n_blocks: residual blocks.
        fusion: the rule, see `models.layers.source_fusion.RunningFusion`.
        skips: what the decoder gets besides the code: "none", nothing, as in R2GAN; "features", the fused maps of the
            first two stages, behind its own of the same size; "residual": it draws a correction to a blend of the
            sources, see `models.layers.source_fusion.RunningBlend`. The logits of a source, one for each band, are the
            sum of a 1x1 convolution of the maps of each of its stages. That image may leave [-1, 1] a little.

    Raises:
        UserError: an unknown rule or path; "residual" with sources of other channels than the fused image's.
    """

    size_divisor = 4
    smallest_side = 8  # the code's sides must exceed the residual blocks' padding of one

    def __init__(
        self,
        *,
        input_nc: int = 3,
        output_nc: int = 3,
        ngf: int = 64,
        norm: str = "batch",
        dropout: bool = True,
        n_blocks: int = 6,
        fusion: str = "saliency",
        skips: str = "residual",
    ) -> None:
        super().__init__()
        check_choice("fusion", fusion, FUSIONS)
        check_choice("skips", skips, SKIPS)
        if skips == "residual" and input_nc != output_nc:
            raise UserError(
                f"skips residual adds up sources: input_nc {input_nc} and output_nc {output_nc} must be the same"
            )
        self.fusion, self.skips = fusion, skips
        self.reach = 8 * n_blocks + (16 if fusion == "saliency" else 12)
        if skips == "residual":
            logits, contrast = 8 * n_blocks + 11 + sum(SPACINGS[:-1]), sum(SPACINGS) + SPACINGS[-1]
            self.reach = max(self.reach, logits, contrast)
        self.encoder = nn.ModuleList(
            nn.Sequential(*layers) for layers in encoder_stages(input_nc, ngf, n_blocks, norm, dropout)
        )
        self.decoder = nn.ModuleList(
            nn.Sequential(*layers) for layers in decoder_stages(output_nc, ngf, norm, joins=skips == "features")
        )
        if skips == "residual":
            # Without a bias, since a factor that all sources have in common changes nothing.
            self.selector = nn.ModuleList(nn.Conv2d(width * ngf, BANDS, 1, bias=False) for width in (1, 2, 4, 4))

    def forward(
        self, sources: Sequence[Tensor], target: Tensor | None = None, *, encode_fused: bool = False
    ) -> FusionOutput:
        """Fuses N sources, each (B, input_nc, H, W) in [-1, 1], H and W multiples of 4, at least 8.

        The target is encoded here and not by the training procedure, since several processes only see what is computed
        in one call.

        Args:
            sources: the sources.
            target: (B, input_nc, H, W), the image whose features the fused ones shall converge to.
            encode_fused: with a target: encode the fused image as well.

        Returns:
            `fused` (B, output_nc, H, W) in [-1, 1]; with a target `features`, for each of the encoder's stages "0" to
            "3": the fused maps, the target's, which are constants, and with `encode_fused` those of the fused image.

        Raises:
            UserError: no source.
        """
        if target is None:
            return FusionOutput(self._fused(sources))
        maps, selected = self._encode_sources(sources, range(STAGES))
        fused = self._decode(maps, selected)
        with torch.no_grad():
            compared = [maps, self._encode_still(target)]
        if encode_fused:
            compared.append(self._encode_still(fused))
        features = {str(stage): tuple(found[stage] for found in compared) for stage in range(STAGES)}
        return FusionOutput(fused, features=features)

    def _fused(self, sources: Sequence[Tensor]) -> Tensor:
        needed = (0, 1, 3) if self.skips == "features" else (3,)
        return self._decode(*self._encode_sources(sources, needed))

    def _encode_sources(
        self, sources: Sequence[Tensor], stages: Collection[int]
    ) -> tuple[dict[int, Tensor], Tensor | None]:
        """Encodes the sources one after the other.

        In training each is in a pass of its own for the sake of batch norm's statistics; in evaluation so that memory
        does not grow with the number of sources.

        Args:
            sources: N sources.
            stages: which stages' maps are wanted.

        Returns:
            By stage the fused maps; the sources' blend for "residual", else None.
        """
        if not sources:
            raise UserError("GSGIF_generator needs at least one source")
        fusions = {stage: RunningFusion(self.fusion) for stage in stages}
        blend = RunningBlend()
        for source in sources:
            maps, logits = source, source.new_zeros(())
            for stage, layers in enumerate(self.encoder):
                maps = layers(maps)
                if stage in fusions:
                    fusions[stage].add(maps)
                if self.skips == "residual":
                    of_stage = self.selector[stage](maps)
                    logits = logits + functional.interpolate(of_stage, source.shape[-2:], mode="bilinear")
            if self.skips == "residual":
                blend.add(source, logits)
        fused = {stage: fusion.result() for stage, fusion in fusions.items()}
        return fused, blend.result() if self.skips == "residual" else None

    def _decode(self, maps: Mapping[int, Tensor], selected: Tensor | None) -> Tensor:
        """Decodes fused maps (by stage) to an image, or to a correction of `selected`."""
        half, full, head = self.decoder
        if self.skips == "features":
            drawn = full(torch.cat([half(maps[3]), maps[1]], dim=1))
            image: Tensor = head(torch.cat([drawn, maps[0]], dim=1))
        else:
            image = head(full(half(maps[3])))
        return image if selected is None else image + selected

    def _encode_still(self, image: Tensor) -> dict[int, Tensor]:
        """The maps, by stage, of an image that is no source.

        Batch norm normalises by the image's own batch, as it does with each source. But its running statistics, which
        stand in for a batch when sources are fused, do not count the image, and dropout does not blur it.
        """
        maps = {}
        with frozen_statistics(self.encoder), no_dropout(self.encoder):
            for stage, layers in enumerate(self.encoder):
                image = layers(image)
                maps[stage] = image
        return maps

    @classmethod
    def options_from_state(cls, state: Mapping[str, Tensor]) -> dict[str, object]:
        """Returns all options but the rule, which has no weights, and a norm without any."""
        plain = plain_state(state)
        told = describe_layers(plain, stem="encoder.0", blocks="encoder.3", head="decoder.2.1")
        if not told:
            return {}
        if "selector.0.weight" in plain:
            return told | {"skips": "residual"}
        joins = plain["decoder.2.1.weight"].shape[1] > plain["encoder.0.1.weight"].shape[0]
        return told | {"skips": "features" if joins else "none"}
