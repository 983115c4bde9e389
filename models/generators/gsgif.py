"""The generator of GSGIF-GAN: one encoder for any number of sources, element-wise fusion, one decoder."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.generators.base import FusionOutput, Generator
from models.layers.modes import frozen_statistics, no_dropout
from models.layers.resnet import decoder_stages, describe_layers, encoder_stages
from models.layers.source_fusion import BANDS, SPACINGS, RunningBlend, RunningFusion
from models.weights import plain_state
from options.networks import GSGIFOptions
from util.errors import UserError

STAGES = 4  # of the encoder: full size, half, a quarter, and a quarter after the residual blocks


class GSGIFGenerator(Generator):
    """Encodes every source with one encoder, fuses the maps by a symmetric rule, and decodes them to an image.

    Only the abstract of GSGIF-GAN is public: generic in modality and in the number of sources, with a loss that makes
    the fused encoded features converge to the target's. The layers (those of R2GAN), the fusion rules and the skip
    connections are our choice. The result does not depend on the order of the sources.

    The decoder's inputs besides the code are, by `skips`: "none", as in R2GAN; "features", the fused maps of the first
    two stages, concatenated with its own of the same size; "residual": it decodes a correction to a blend of the
    sources, see `models.layers.source_fusion.RunningBlend`. A source's logits, one per band, are the sum over the
    encoder's stages of a 1x1 convolution of its maps. That image may slightly exceed [-1, 1].

    Args:
        options: see there; for the rule `fusion` see `models.layers.source_fusion.RunningFusion`.

    Raises:
        UserError: `skips` is "residual" where `input_nc` and `output_nc` differ.

    Example:
        >>> from models import create_generator
        >>> net = create_generator("GSGIF_generator", ngf=4, n_blocks=1).eval()
        >>> a, b, c = (torch.rand(1, 3, 21, 30) * 2 - 1 for _ in range(3))
        >>> fused = net.fuse([a, b, c])
        >>> fused.shape
        torch.Size([1, 3, 21, 30])
        >>> torch.allclose(fused, net.fuse([c, a, b]), atol=1e-5)
        True
    """

    size_divisor = 4
    smallest_side = 8  # the code's sides must exceed the residual blocks' padding of one

    def __init__(self, options: GSGIFOptions) -> None:
        super().__init__()
        self.fusion, self.skips = options.fusion, options.skips
        if self.skips == "residual" and options.input_nc != options.output_nc:
            channels = f"input_nc {options.input_nc} and output_nc {options.output_nc}"
            raise UserError(f"skips residual adds up sources: {channels} must be the same")
        self.reach = 8 * options.n_blocks + (16 if self.fusion == "saliency" else 12)
        if self.skips == "residual":
            logits, contrast = 8 * options.n_blocks + 11 + sum(SPACINGS[:-1]), sum(SPACINGS) + SPACINGS[-1]
            self.reach = max(self.reach, logits, contrast)
        encoder = encoder_stages(options, options.n_blocks)
        decoder = decoder_stages(options, joins=self.skips == "features")
        self.encoder = nn.ModuleList(nn.Sequential(*layers) for layers in encoder)
        self.decoder = nn.ModuleList(nn.Sequential(*layers) for layers in decoder)
        if self.skips == "residual":
            # Without a bias, since a factor that all sources have in common changes nothing.
            widths = [width * options.ngf for width in (1, 2, 4, 4)]
            self.selector = nn.ModuleList(nn.Conv2d(width, BANDS, 1, bias=False) for width in widths)

    def forward(
        self, sources: Sequence[Tensor], target: Tensor | None = None, *, encode_fused: bool = False
    ) -> FusionOutput:
        """Fuses N sources.

        The target is encoded here and not by the training procedure, since distributed training needs one call of the
        network per update.

        Args:
            sources: N tensors (B, input_nc, H, W) in [-1, 1], H and W multiples of 4, at least 8.
            target: (B, input_nc, H, W), the image whose features the fused ones are to converge to.
            encode_fused: with a target: encode the fused image as well.

        Returns:
            `fused` (B, output_nc, H, W) in [-1, 1]; with a target `features`, for each of the encoder's stages "0" to
            "3": the fused maps, the target's, without a gradient, and with `encode_fused` those of the fused image.

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

        Separate passes keep batch norm's statistics separate in training, and memory independent of the number of
        sources in evaluation.

        Args:
            sources: N tensors (B, input_nc, H, W).
            stages: those whose maps are fused.

        Returns:
            Stage → fused maps; the sources' blend (B, input_nc, H, W) for "residual", else None.
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
        """Decodes fused maps (by stage) to an image (B, output_nc, H, W), as a correction of `selected` if given."""
        half, full, head = self.decoder
        if self.skips == "features":
            drawn = full(torch.cat([half(maps[3]), maps[1]], dim=1))
            image: Tensor = head(torch.cat([drawn, maps[0]], dim=1))
        else:
            image = head(full(half(maps[3])))
        return image if selected is None else image + selected

    def _encode_still(self, image: Tensor) -> dict[int, Tensor]:
        """The maps, by stage, of a target or fused image (B, input_nc, H, W).

        As for the sources, batch norm uses the statistics of the image's own batch. But its running statistics, which
        are those of sources, are not updated, and nothing is dropped.
        """
        maps = {}
        with frozen_statistics(self.encoder), no_dropout(self.encoder):
            for stage, layers in enumerate(self.encoder):
                image = layers(image)
                maps[stage] = image
        return maps

    @classmethod
    def options_from_state(cls, state: Mapping[str, Tensor]) -> dict[str, object]:
        """Returns all options but the rule, and the norm where it has weights."""
        plain = plain_state(state)
        told = describe_layers(plain, stem="encoder.0", blocks="encoder.3", head="decoder.2.1")
        if not told:
            return {}
        if "selector.0.weight" in plain:
            return told | {"skips": "residual"}
        joins = plain["decoder.2.1.weight"].shape[1] > plain["encoder.0.1.weight"].shape[0]
        return told | {"skips": "features" if joins else "none"}
