"""BlendNet's training: several tasks in one network, most of them without a target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from models.base_model import BaseModel, numbered
from models.generators.blendnet import BlendNetGenerator
from models.losses.exposure_structure import exposure_structure
from models.losses.gradient_preservation import gradient_preservation
from models.losses.information_fidelity import information_fidelity
from models.losses.moments import SourceMoments
from models.losses.mutual_information import mutual_information
from models.losses.similarity import (
    best_similarity,
    lost_contrast,
    mean_similarity,
    salient_similarity,
    source_differences,
)
from options.models import BlendNetTrainingOptions
from util.metrics.excess_gradient import excess_gradient

FINE, COARSE = (1, 2, 4), (8, 16)  # pixels


class BlendNetModel(BaseModel):
    """Trains BlendNet on real pairs, whose fused image nobody knows, and on stacks made of photographs.

    Of pairs the loss is what the fused image lacks of the sources, and what it has that they have not:

    loss = lambda_gradient (1 − Qabf) + lambda_fidelity (1 − VIF / N) + lambda_similarity (1 − SSIM)
           + lambda_salient (1 − SSIM of the stronger source) + lambda_best (1 − SSIM of the most similar source)
           + lambda_structure (1 − MEF-SSIM) + lambda_difference (1 − SCD / N) + lambda_information (1 − QMI)
           + lambda_contrast · lack of contrast + lambda_excess · excess gradient

    The last term is what keeps an image from being a patchwork: without it the others lead to one that copies whole
    regions with hard borders. Of stacks these terms count less, and the distance from the photograph is added. A term
    of structure or differences has no place in multi-focus stacks, whose sources all show the same.
    """

    options: BlendNetTrainingOptions
    generator: BlendNetGenerator

    def set_initial_weights(self) -> None:
        """Begins with fusion by contrast, whatever --init_type drew."""
        self.generator.begin_with_contrast()

    def set_input(self, batch: Mapping[str, Any]) -> None:
        """Takes a batch of one task: "sources" (B, N, 1, H, W) in [0, 1], "task", and where known "target"."""
        self.sources = self.take_sources(batch)
        self.task: str = batch["task"][0]
        self.targets = [self._take(batch["target"])] if "target" in batch else []

    def forward(self) -> None:
        """Fuses the batch."""
        self.fused: Tensor = self.netG(self.sources).fused

    def optimize_parameters(self) -> None:
        """One update of the generator."""
        self.update("G", self._loss_G)
        self.visuals = numbered("source", self.sources) | {"fused": self.fused.detach()}
        self.visuals |= dict(zip(("target",), self.targets, strict=False))

    def _loss_G(self) -> Tensor:
        options, fused = self.options, self.fused.float()
        terms = {name: term.mean() for name, term in self._lacks(fused).items()}
        for target in self.targets:
            factor = options.share_of_stacks * (2 if self.task == "exposure" else 1)
            terms = {name: factor * term for name, term in terms.items()}
            share = 0.1 if self.task == "exposure" else 1.0
            terms["L1"] = share * options.lambda_L1 * functional.l1_loss(fused, target)
        terms["excess"] = options.lambda_excess * self._excess(fused)
        return self.sum_terms({f"G_{self.task}_{name}": term for name, term in terms.items()})

    def _lacks(self, fused: Tensor) -> dict[str, Tensor]:
        """The weighted terms of what the fused image (B, 1, H, W) lacks of the sources: (B,) each."""
        options, sources, count = self.options, self.sources, len(self.sources)
        moments = SourceMoments(sources, fused)
        terms = {
            "gradient": options.lambda_gradient * (1 - gradient_preservation(sources, fused)),
            "fidelity": options.lambda_fidelity * (1 - information_fidelity(sources, fused) / count),
            "similarity": options.lambda_similarity * (1 - mean_similarity(moments)),
            "salient": options.lambda_salient * (1 - salient_similarity(moments)),
            "best": options.lambda_best * (1 - best_similarity(moments)),
            "information": options.lambda_information * (1 - mutual_information(sources, fused)),
            "contrast": options.lambda_contrast * lost_contrast(moments),
        }
        if self.task != "focus":
            terms["structure"] = options.lambda_structure * (1 - exposure_structure(sources, fused))
        if self.task == "pairs":
            terms["difference"] = options.lambda_difference * (1 - source_differences(sources, fused) / count)
        return terms

    def _excess(self, fused: Tensor) -> Tensor:
        """The excess gradient in grey levels, its sum over `COARSE` and a third of that over `FINE`: a scalar."""
        images = torch.stack([*self.sources, fused])[:, :, 0] * 255
        total = fused.new_zeros(())
        for distance in (*FINE, *COARSE):
            # The means over 8 or 16 pixels cost less at a half or a quarter of the size, where a pixel around is far.
            step = max(1, distance // 4)
            *sources, smaller = functional.avg_pool2d(images, step)
            found = excess_gradient(sources, smaller, distance // step, radius=int(step == 1), least=0.01).mean()
            total = total + (found if distance in COARSE else found / 3)
        return total
