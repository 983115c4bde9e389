"""IFCNN's training: first a pixel loss, then a perceptual loss in addition."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.base_model import BaseModel, numbered
from models.generators.ifcnn import IFCNNGenerator
from models.losses.perceptual import PerceptualLoss, read_backbone, read_conv1
from models.weights import open_weights
from options.models import IFCNNTrainingOptions


class IFCNNModel(BaseModel):
    """Trains IFCNN in two stages, as its paper describes (Zhang et al., Information Fusion 54, 2020, section 3).

    Stage I:  loss = MSE(fused, target)
    Stage II: loss = MSE(fused, target) + lambda_perceptual · MSE of the deep features of a ResNet for ImageNet

    The pixel loss is taken in the network's normalised range, the perceptual one on the images in [0, 1]. The code of
    the training was never released: the weights of the two terms and the length of the stages are ours.

    `conv1` comes from `conv1_weights` where that is given, else from the backbone, unless the network trains it: then
    it keeps its initial weights. Frozen, it is in no optimiser.

    Raises:
        UserError: weights that are needed cannot be read or downloaded, or do not fit.
    """

    options: IFCNNTrainingOptions
    generator: IFCNNGenerator

    def build_networks(self, netD: nn.Module | None) -> None:
        """Builds the network of the perceptual loss, too, where there is a second stage."""
        super().build_networks(netD)
        options = self.options
        self._read_backbone = cache(lambda: read_backbone(options.backbone, options.backbone_weights))
        self.perceptual: PerceptualLoss | None = None
        if options.has_second_stage(self.training.last_epoch):
            perceptual = PerceptualLoss(options.backbone, *self._read_backbone())
            self.perceptual = perceptual.to(self.generator.conv4.weight)  # its device and precision
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

    def forward(self) -> None:
        """Fuses the batch."""
        self.fused: Tensor = self.netG(self.sources).fused

    def optimize_parameters(self) -> None:
        """One update of the generator."""
        self.update("G", self._loss_G)
        self.visuals = numbered("source", self.sources) | {"fused": self.fused.detach(), "target": self.target}

    def _loss_G(self) -> Tensor:
        terms = {"G_MSE": functional.mse_loss(self.fused, self.target)}
        if self._in_second_stage and self.perceptual is not None:
            undo = self.generator.normalisation().undo
            distance = self.perceptual(undo(self.fused), undo(self.target))
            terms["G_perceptual"] = self.options.lambda_perceptual * distance
        return self.sum_terms(terms)
