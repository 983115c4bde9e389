"""GSGIF-GAN's training: a GAN whose fused features converge to those of the target."""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor
from torch.nn import functional

from models.pix2pix_model import Pix2PixModel
from options.models import GSGIFTrainingOptions


class GSGIFModel(Pix2PixModel):
    """The procedure of `Pix2PixModel` with a loss on the encoder's features, for any number of sources.

    loss_G = lambda_GAN · GAN(fused) + lambda_L1 · |fused − B|
           + lambda_feat · Σ_l |r(fuse_l(E(sources))) − r(E_l(B))| + lambda_feat_fused · Σ_l |r(E_l(fused)) − r(E_l(B))|

    |·| is the mean over all elements, l the stages of the encoder E, and E_l(B) has no gradient. r divides the maps of
    an image by their mean absolute value: sources are blurrier than the target, so their features are weaker, and since
    one encoder computes both, a plain difference would make all features grow without bound.

    The paper (its abstract) has a loss by which the fused features converge to the target's; the form of the loss, the
    stages, the weights and the last term are our choice.
    """

    options: GSGIFTrainingOptions

    def forward(self) -> None:
        """Fuses the batch and, for the loss on features, encodes the target and the fused image."""
        compares = self.options.lambda_feat > 0 or self.options.lambda_feat_fused > 0
        self.output = self.netG(
            self.sources, self.real_B if compares else None, encode_fused=self.options.lambda_feat_fused > 0
        )
        self.fake_B = self.output.fused

    def _loss_G(self) -> Tensor:
        loss = super()._loss_G()
        for name, weight, place in (
            ("G_feat", self.options.lambda_feat, 0),
            ("G_feat_fused", self.options.lambda_feat_fused, 2),
        ):
            if weight > 0:
                term = weight * self._distance_to_target(place)
                self.losses[name] = term.detach()
                loss = loss + term
        return loss

    def _distance_to_target(self, place: int) -> Tensor:
        """Σ_l |r(maps) − r(E_l(B))| with the maps at `place` of a stage's features."""
        compared = [self.output.features[str(stage)] for stage in self.options.feature_stages]
        return reduce(torch.add, (functional.l1_loss(_relative(maps[place]), _relative(maps[1])) for maps in compared))


def _relative(maps: Tensor) -> Tensor:
    """r: each image's maps (B, C, H, W) in units of their mean absolute value."""
    return maps / maps.abs().mean((1, 2, 3), keepdim=True).clamp_min(torch.finfo(maps.dtype).tiny)
