"""IFCNN's training: first a pixel loss, then a perceptual loss in addition."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.base_model import BaseModel, Runtime
from models.generators.ifcnn import IFCNNGenerator
from models.losses.perceptual import PerceptualLoss, read_backbone, read_conv1
from models.weights import open_weights
from options.models import IFCNNTrainingOptions
from options.training import TrainingOptions


class IFCNNModel(BaseModel):
    """Trains IFCNN in two stages, as its paper describes (Zhang et al., Information Fusion 54, 2020, section 3).

    Stage I:  loss = MSE(fused, target)
    Stage II: loss = MSE(fused, target) + lambda_perceptual · MSE of the deep features of a ResNet for ImageNet

    The pixel loss is taken in the network's normalised range, the perceptual one on the images in [0, 1]. The code of
    the training was never released: the weights of the two terms and the length of the stages are ours.

    `conv1` comes from `conv1_weights` where that is given, else from the backbone, unless the network trains it: then
    it keeps its initial weights. Frozen, it is in no optimiser.


    Raises:
        UserError: weights that are needed cannot be had, or do not fit.
    """

    options: IFCNNTrainingOptions

    def __init__(
        self,
        runtime: Runtime,
        netG: IFCNNGenerator,
        netD: nn.Module | None,
        training: TrainingOptions,
        options: IFCNNTrainingOptions,
    ) -> None:
        super().__init__(runtime, netG, netD, training, options)
        self.generator: IFCNNGenerator = netG
        self._read_backbone = cache(lambda: read_backbone(options.backbone, options.backbone_weights))
        self.perceptual: PerceptualLoss | None = None
        if options.has_second_stage(training.last_epoch):
            self.perceptual = PerceptualLoss(options.backbone, *self._read_backbone())
        self.netG = self.add_network("G", netG)
        if self.perceptual is not None:
            self.perceptual.to(netG.conv4.weight)  # its device and precision
        self._in_second_stage = False

    @torch.no_grad()
    def set_initial_weights(self) -> None:
        """Loads conv1; a resumed training has it in its state and needs no file for it."""
        conv1 = self.generator.conv1
        if self.options.conv1_weights:
            conv1.weight.copy_(read_conv1(open_weights(Path(self.options.conv1_weights)), self.options.conv1_weights))
        elif not conv1.weight.requires_grad:
            conv1.weight.copy_(read_conv1(*self._read_backbone()))

    def begin_epoch(self, epoch: int) -> None:
        """Sets the stage."""
        self._in_second_stage = 0 < self.options.perceptual_from <= epoch

    def set_input(self, batch: Mapping[str, Any]) -> None:
        """Takes a batch: "sources" (B, N, 3, H, W) and "target" (B, 3, H, W), both in [0, 1]."""
        self.sources, self.target = self.take_images(batch)

    def forward(self) -> None:
        """Fuses the batch."""
        self.fused: Tensor = self.netG(self.sources).fused

    def optimize_parameters(self) -> None:
        """One update of the generator."""
        self.update("G", self._loss_G)
        self.visuals = {f"source_{i}": source for i, source in enumerate(self.sources, start=1)}
        self.visuals |= {"fused": self.fused.detach(), "target": self.target}

    def _loss_G(self) -> Tensor:
        loss = functional.mse_loss(self.fused, self.target)
        self.losses["G_MSE"] = loss.detach()
        if self._in_second_stage and self.perceptual is not None:
            undo = self.generator.normalisation().undo
            term = self.options.lambda_perceptual * self.perceptual(undo(self.fused), undo(self.target))
            self.losses["G_perceptual"] = term.detach()
            loss = loss + term
        return loss
