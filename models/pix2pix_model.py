"""The training of R2GAN, `--model pix2pix`: a GAN around any generator, with R2GAN's terms for reconstructions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from models.base_model import BaseModel, numbered, set_requires_grad
from models.generators.base import FusionOutput
from models.losses.gan import GANLoss, gradient_penalty
from options.models import Pix2PixOptions


class Pix2PixModel(BaseModel):
    """The procedure of R2GAN: an unconditional discriminator and L1 terms.

    loss_G = lambda_GAN · GAN(fused) + lambda_L1 · (|fused − B| + Σ_i |reconstruction_i − source_i|)
    loss_D = half the sum of its real and its fake term (plus the gradient penalty of wgangp)

    The discriminator sees the fused image or the target, never the sources. Order of a step: forward of G, update of
    D (fused first, then target, each in a batch of its own: batch norm would mix them), update of G.
    """

    options: Pix2PixOptions

    def build_networks(self, netD: nn.Module | None) -> None:
        """Adds the generator and, where there is one, the discriminator."""
        super().build_networks(netD)
        self.gan_loss = GANLoss(self.options.gan_mode)
        self.netD: Any = None if netD is None else self.add_network("D", netD)

    def set_input(self, batch: Mapping[str, Any]) -> None:
        """Takes a batch: "sources" (B, N, C, H, W) and "target" (B, C, H, W), both in [0, 1]."""
        self.sources, self.real_B = self.take_images(batch)

    def forward(self) -> None:
        """Fuses the batch and, where the generator does so, rebuilds its sources."""
        self.output: FusionOutput = self.netG(self.sources)
        self.fake_B = self.output.fused

    def optimize_parameters(self) -> None:
        """One update of the discriminator, then one of the generator."""
        if self.netD is not None:
            set_requires_grad([self.netD], True)
            self.update("D", self._loss_D)
            set_requires_grad([self.netD], False)
        self.update("G", self._loss_G)
        self.visuals = numbered("source", self.sources) | {"fused": self.fake_B.detach(), "target": self.real_B}
        self.visuals |= numbered("reconstruction", self.output.reconstructions)

    def _loss_D(self) -> Tensor:
        fused = self.fake_B.detach()
        loss_fake = self.gan_loss(self.netD(fused), False)
        loss_real = self.gan_loss(self.netD(self.real_B), True)
        self.losses["D_fake"], self.losses["D_real"] = loss_fake.detach(), loss_real.detach()
        loss = (loss_fake + loss_real) * 0.5
        if self.gan_loss.mode == "wgangp":
            # A gradient of a gradient needs the plain network, and 32 bits for its small numbers.
            loss = loss + gradient_penalty(self.networks["D"], self.real_B, fused, weight=self.options.lambda_gp)
        return loss

    def _loss_G(self) -> Tensor:
        loss_L1 = functional.l1_loss(self.fake_B, self.real_B)
        self.losses["G_L1"] = self.options.lambda_L1 * loss_L1.detach()
        # A generator that does not rebuild its sources returns no reconstructions.
        pairs = zip(self.output.reconstructions, self.sources, strict=False)
        for number, (rebuilt, source) in enumerate(pairs, start=1):
            term = functional.l1_loss(rebuilt, source)
            self.losses[f"G_L1_R{number}"] = self.options.lambda_L1 * term.detach()
            loss_L1 = loss_L1 + term
        loss = self.options.lambda_L1 * loss_L1
        if self.netD is not None:
            loss_GAN = self.gan_loss(self.netD(self.fake_B), True)
            self.losses["G_GAN"] = loss_GAN.detach()
            loss = loss + self.options.lambda_GAN * loss_GAN
        return loss
