"""GSGIF-GAN's training: a GAN whose fused features converge to those of the target."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.base_model import Engine, OptimizerSettings
from models.generators.gsgif import STAGES, GSGIFGenerator
from models.pix2pix_model import Pix2PixModel
from util.suggest import check_choice


class GSGIFModel(Pix2PixModel):
    """The procedure of `Pix2PixModel` with a loss on the encoder's features, for any number of sources.

    loss_G = lambda_GAN · GAN(fused) + lambda_L1 · |fused − B|
           + lambda_feat · Σ_l |r(fuse_l(E(sources))) − r(E_l(B))| + lambda_feat_fused · Σ_l |r(E_l(fused)) − r(E_l(B))|

    |·| is the mean over all elements, l the stages of the encoder E, and E_l(B) has no gradient. r divides the maps of
    an image by their mean absolute value: sources are blurrier than the target, so their features are weaker, and since
    one encoder computes both, a plain difference would make all features grow without bound.

    The paper (its abstract) has a loss by which the fused features converge to the target's; the form of the loss, the
    stages, the weights and the last term are our choice.

    Args:
        engine: the machine.
        netG: the generator.
        netD: the discriminator, which sees the fused image or the target; None trains without one.
        settings: how networks are updated.
        gan_mode: vanilla, lsgan or wgangp.
        lambda_L1: weight of the L1 term.
        lambda_GAN: weight of the GAN term.
        lambda_gp: weight of the gradient penalty.
        lambda_feat: weight of the term of the sources' fused features; 0 leaves it out.
        lambda_feat_fused: weight of the term of the fused image's features; 0 leaves it out.
        feature_stages: the stages l, of 0 (full size) to 3 (the code).

    Raises:
        UserError: an unknown stage.
    """

    def __init__(
        self,
        engine: Engine,
        netG: GSGIFGenerator,
        netD: nn.Module | None,
        settings: OptimizerSettings,
        *,
        gan_mode: str = "vanilla",
        lambda_L1: float = 100.0,
        lambda_GAN: float = 1.0,
        lambda_gp: float = 10.0,
        lambda_feat: float = 1.0,
        lambda_feat_fused: float = 0.0,
        feature_stages: Sequence[int] = (0, 1, 2, 3),
    ) -> None:
        super().__init__(
            engine,
            netG,
            netD,
            settings,
            gan_mode=gan_mode,
            lambda_L1=lambda_L1,
            lambda_GAN=lambda_GAN,
            lambda_gp=lambda_gp,
        )
        self.feature_stages = [str(stage) for stage in feature_stages]
        for stage in self.feature_stages:
            check_choice("feature_stages", stage, [str(known) for known in range(STAGES)])
        self.lambda_feat, self.lambda_feat_fused = lambda_feat, lambda_feat_fused

    def forward(self) -> None:
        """Fuses the batch and, for the loss on features, encodes the target and the fused image."""
        compares = self.lambda_feat > 0 or self.lambda_feat_fused > 0
        self.output = self.netG(
            self.sources, self.real_B if compares else None, encode_fused=self.lambda_feat_fused > 0
        )
        self.fake_B = self.output.fused

    def _loss_G(self) -> Tensor:
        loss = super()._loss_G()
        for name, weight, place in (("G_feat", self.lambda_feat, 0), ("G_feat_fused", self.lambda_feat_fused, 2)):
            if weight > 0:
                term = weight * self._distance_to_target(place)
                self.losses[name] = term.detach()
                loss = loss + term
        return loss

    def _distance_to_target(self, place: int) -> Tensor:
        """Σ_l |r(maps) − r(E_l(B))| with the maps at `place` of a stage's features."""
        compared = [self.output.features[stage] for stage in self.feature_stages]
        terms = [functional.l1_loss(_relative(maps[place]), _relative(maps[1])) for maps in compared]
        return sum(terms, start=self.real_B.new_zeros(()))


def _relative(maps: Tensor) -> Tensor:
    """r: each image's maps (B, C, H, W) in units of their mean absolute value."""
    return maps / maps.abs().mean((1, 2, 3), keepdim=True).clamp_min(torch.finfo(maps.dtype).tiny)
