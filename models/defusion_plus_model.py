"""DeFusion++'s training: to decompose masked copies of photographs, then infrared-visible pairs as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from models.base_model import BaseModel, numbered
from models.generators.base import FusionOutput, pad_to_multiple
from models.generators.defusion_plus import DIM, DeFusionPlusGenerator, Tokens
from models.losses import teacher
from models.losses.defusion_plus import defusion_plus_terms, teaching_terms
from models.weights import load_weights, open_weights
from options.models import DeFusionPlusTrainingOptions


class DeFusionPlusModel(BaseModel):
    """Trains DeFusion++ in one of its two stages (Liang et al., arXiv 2410.12274).

    Stage 1: masked copies of photographs, see `models.losses.defusion_plus.defusion_plus_terms`
    Stage 2: the same, and beside each photograph an infrared-visible pair, see `teaching_terms` there

    The teachers of the second stage are frozen: they are in no optimiser and not part of the state. The layers that
    predict their latents are trained with the generator, and saved in the state alone.

    Raises:
        UserError: a teacher cannot be read, or is no ViT-B/16.
    """

    options: DeFusionPlusTrainingOptions
    generator: DeFusionPlusGenerator
    compares_features = True

    def build_networks(self, netD: nn.Module | None) -> None:  # noqa: ARG002
        """Reads the teachers of the second stage, too."""
        self.has_teachers = self.options.stage == 2
        names = ("teacher_ir", "teacher_vis") if self.has_teachers else ()
        self.teachers = [teacher.read_teacher(getattr(self.options, name), name) for name in names]
        self.netG = self.add_network("G", _Student(self.generator) if self.has_teachers else self.generator)
        for each in self.teachers:
            each.to(self.generator.mask_token)  # its device and precision

    def set_initial_weights(self) -> None:
        """Loads the generator of the first stage, if one is given."""
        file = self.options.first_stage_weights
        if self.has_teachers and file:
            load_weights(self.generator, open_weights(Path(file)), f"--first_stage_weights {file}")

    def set_input(self, batch: Mapping[str, Any]) -> None:
        """Takes a batch.

        Args:
            batch: "sources" (B, 2, 3, H, W) and "target" (B, 3, H, W) in [0, 1]; "masks" (B, 2, 1, H, W), 1 where a
                source equals the target, else 0; in stage 2 "pair" (B, 2, 3, H, W) in [0, 1], infrared and visible.
        """
        super().set_input(batch)
        # Padded as the images are, so that each source equals the target where its mask is 1.
        masks = [pad_to_multiple(mask, self.generator.size_divisor) for mask in batch["masks"].unbind(1)]
        self.masks = [self.runtime.to_device(mask) for mask in masks]
        if self.has_teachers:
            self.pair = self.take_sources({"sources": batch["pair"]})

    def forward(self) -> None:
        """Decomposes the sources and fuses them, and decomposes the pair."""
        self.output: FusionOutput
        if self.has_teachers:
            self.output, self.tokens, self.predicted = self.netG(self.sources, self.pair)
        else:
            self.output = self.netG(self.sources)

    def optimize_parameters(self) -> None:
        """One update of the generator."""
        self.update("G", self._loss_G)
        features = self.output.features
        self.visuals = numbered("source", self.sources) | {"common": features["common"][0].detach()}
        self.visuals |= numbered("unique", features["unique"]) | {"rebuilt": features["rebuilt"][0].detach()}
        self.visuals |= {"fused": self.output.fused.detach(), "target": self.target}

    def _loss_G(self) -> Tensor:
        (common,), (rebuilt,) = self.output.features["common"], self.output.features["rebuilt"]
        terms = defusion_plus_terms(
            common,
            self.output.features["unique"],
            rebuilt,
            self.output.fused,
            target=self.target,
            masks=self.masks,
        )
        if self.has_teachers:
            with self.runtime.autocast():
                both = zip(self.teachers, self.pair, strict=True)
                latents = [each(image.to(each.cls_token.dtype)) for each, image in both]
            latents = [own.to(self.target.dtype) for own in latents]
            terms |= teaching_terms(self.predicted, latents, (self.tokens.common, self.tokens.reverse))
        return self.sum_terms(terms)


class _Student(nn.Module):
    """The generator and a latent predictor for each teacher, as one network: distributed training needs one call."""

    def __init__(self, generator: DeFusionPlusGenerator) -> None:
        super().__init__()
        self.generator = generator
        self.foretelling = nn.ModuleList(_LatentPredictor() for _ in range(2))  # the name in the state of runs

    def forward(
        self, sources: Sequence[Tensor], pair: Sequence[Tensor]
    ) -> tuple[FusionOutput, Tokens, tuple[Tensor, ...]]:
        output: FusionOutput = self.generator(sources)
        tokens = self.generator.tokens(pair)
        predicted = tuple(
            predictor(own, tokens.common) for predictor, own in zip(self.foretelling, tokens.unique, strict=True)
        )
        return output, tokens, predicted


class _LatentPredictor(nn.Module):
    """A linear layer after LN(unique) + LN(common): tokens (B, T, 192) of both → latents (B, T, 768)."""

    def __init__(self) -> None:
        super().__init__()
        self.norm_unique, self.norm_common = nn.LayerNorm(DIM), nn.LayerNorm(DIM)
        self.linear = nn.Linear(DIM, teacher.DIM)

    def forward(self, unique: Tensor, common: Tensor) -> Tensor:
        latents: Tensor = self.linear(self.norm_unique(unique) + self.norm_common(common))
        return latents
