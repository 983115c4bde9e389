"""SMFNet's training: first to rebuild its sources, then to fuse them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from models.base_model import BaseModel, numbered
from models.generators.base import FusionOutput
from models.losses.smfnet import decomposition_term, fusion_terms, reconstruction_terms, structure_term
from options.models import SMFNetTrainingOptions


class SMFNetModel(BaseModel):
    """Trains SMFNet in two phases, without targets: the sources are all there is.

    Phase I:  loss = how far the rebuilt sources are from the sources + decomposition of bases and details
    Phase II: loss = how far the fused image is from the brighter and the steeper source + decomposition of all three
              + lambda_ssim · how far its structure is from that of both sources, which is ours

    The terms and their weights are in `models.losses.smfnet`. In phase I the layers that fuse bases and details rest.

    The release has one Adam per part of the network. With the same settings for all of them that is one Adam for the
    network, since it treats each weight by itself, and leaves those alone that a phase does not use; but the gradient's
    norm is limited part by part, as there.
    """

    options: SMFNetTrainingOptions
    uses_all_weights = False

    def begin_epoch(self, epoch: int) -> None:
        """Sets the phase."""
        self.fuses = epoch >= self.options.fusion_from

    def set_input(self, batch: Mapping[str, Any]) -> None:
        """Takes a batch: "sources" (B, 2, C, H, W) in [0, 1], infrared and visible."""
        self.sources = self.take_sources(batch)

    def forward(self) -> None:
        """Rebuilds the sources and fuses them."""
        self.output: FusionOutput = self.netG(self.sources, trained="fused" if self.fuses else "rebuilt")

    def optimize_parameters(self) -> None:
        """One update of the generator."""
        self.losses = {}  # the phases have other terms
        self.update("G", self._loss_G)
        fused = {"fused": self.output.fused.detach()} if self.fuses else {}
        self.visuals = numbered("source", self.sources) | fused
        self.visuals |= numbered("reconstruction", self.output.reconstructions)

    def _loss_G(self) -> Tensor:
        output, sources = self.output, self.sources
        if self.fuses:
            terms = fusion_terms(output.fused, sources)
            if self.options.lambda_ssim > 0:
                terms["G_SSIM"] = self.options.lambda_ssim * structure_term(output.fused, sources)
        else:
            terms = reconstruction_terms(output.reconstructions, sources)
        kinds = ("detail", "graph") if self.fuses else ("detail",)
        terms["G_decomposition"] = decomposition_term(output.features, kinds, form=self.options.smf_losses)
        return self.sum_terms(terms)

    def parts_of(self, name: str) -> Sequence[nn.Module]:
        """The five parts, whose gradients are clipped separately, as in the release."""
        return list(self.networks[name].children())
