"""The adversarial losses and the gradient penalty."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.choices import check_choice

GAN_MODES = ("vanilla", "lsgan", "wgangp")


class GANLoss(nn.Module):
    """How far a discriminator's scores are from what they should be.

    Args:
        mode: "vanilla", binary cross entropy on logits (Goodfellow et al. 2014); "lsgan", squared error to 0 and 1
            (Mao et al. 2017); "wgangp", the mean score with its sign (Arjovsky et al. 2017), to which
            `gradient_penalty` belongs.
    """

    def __init__(self, mode: str = "vanilla") -> None:
        super().__init__()
        check_choice("gan_mode", mode, GAN_MODES)
        self.mode = mode

    def forward(self, prediction: Tensor, target_is_real: bool) -> Tensor:
        """Scores of any shape → a scalar, small where they say what `target_is_real` says."""
        if self.mode == "wgangp":
            return -prediction.mean() if target_is_real else prediction.mean()
        target = torch.full_like(prediction, float(target_is_real))
        if self.mode == "lsgan":
            return functional.mse_loss(prediction, target)
        return functional.binary_cross_entropy_with_logits(prediction, target)


def gradient_penalty(discriminator: nn.Module, real: Tensor, fake: Tensor, weight: float = 10.0) -> Tensor:
    """Pulls the length of the discriminator's gradient to 1 on the way between real and fake (Gulrajani et al. 2017).

    Batch norm makes one image's score depend on the others, which the penalty does not mean: use another norm.

    Args:
        discriminator: (B, C, H, W) → scores of any shape.
        real: (B, C, H, W).
        fake: (B, C, H, W); it is detached, the penalty trains the discriminator alone.
        weight: factor of the penalty.

    Returns:
        A scalar, weight · mean over the batch of (‖gradient of the summed scores‖ − 1)².
    """
    share = torch.rand(real.shape[0], 1, 1, 1, device=real.device, dtype=real.dtype)
    between = torch.lerp(fake.detach(), real.detach(), share).requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
    # The small term keeps the root's own gradient finite where the gradient is zero.
    length = (gradient.float().flatten(1).square().sum(1) + 1e-16).sqrt()
    return weight * (length - 1.0).square().mean()
