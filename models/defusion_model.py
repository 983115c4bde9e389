"""DeFusion's training: to decompose two masked copies of a photograph, and to fuse them to the whole photograph."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from models.base_model import BaseModel, numbered
from models.generators.base import FusionOutput
from models.generators.defusion import DeFusionGenerator
from models.losses.defusion import FUSED_FROM, defusion_terms
from options.models import DeFusionTrainingOptions

MID_GREY = 0.5


class DeFusionModel(BaseModel):
    """Trains DeFusion on photographs alone (Liang et al., "Fusion from Decomposition", ECCV 2022).

    loss = common + unique_1 + unique_2 + β(step) · fused, see `models.losses.defusion`

    The steps done are part of the state, so that a resumed training is where it was in the annealing; those of
    the release were not saved.
    """

    options: DeFusionTrainingOptions
    generator: DeFusionGenerator
    compares_features = True

    def build_networks(self, netD: nn.Module | None) -> None:
        """Sets where the annealing is, too."""
        super().build_networks(netD)
        self.fused_from_step = math.ceil(FUSED_FROM * self.options.annealing)
        self.steps = 0

    @torch.no_grad()
    def set_initial_weights(self) -> None:
        """Initialises the heads to mid grey: a channel whose ReLU is 0 in every pixel would never learn."""
        for bias in self.generator.biases_of_heads():
            nn.init.constant_(bias, MID_GREY)

    def set_input(self, batch: Mapping[str, Any]) -> None:
        """Takes a batch.

        Args:
            batch: "sources" (B, 2, 3, H, W) and "target" (B, 3, H, W) in [0, 1]; "masks" (B, 2, 1, H, W), 1 where a
                source equals the target, else 0.
        """
        super().set_input(batch)
        self.masks = [self.runtime.to_device(mask) for mask in batch["masks"].unbind(1)]

    def forward(self) -> None:
        """Decomposes the sources and fuses them."""
        self.output: FusionOutput = self.netG(self.sources)

    def optimize_parameters(self) -> None:
        """One update of the generator."""
        self.update("G", self._loss_G)
        self.steps += 1
        features = self.output.features
        self.visuals = numbered("source", self.sources) | {"common": features["common"][0].detach()}
        self.visuals |= numbered("unique", features["unique"])
        self.visuals |= {"fused": self.output.fused.detach(), "target": self.target}

    def _loss_G(self) -> Tensor:
        (common,) = self.output.features["common"]
        terms = defusion_terms(
            common,
            self.output.features["unique"],
            self.output.fused,
            target=self.target,
            masks=self.masks,
            step=self.steps / self.options.annealing,
        )
        return self.sum_terms(terms)

    def state_dict(self) -> dict[str, Any]:
        """See `BaseModel.state_dict`; with the number of finished steps."""
        return super().state_dict() | {"steps": self.steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `BaseModel.load_state_dict`."""
        super().load_state_dict(state)
        self.steps = int(state["steps"])
