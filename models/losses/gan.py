"""The adversarial losses and the gradient penalty."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from options.models import GAN_MODES
from util.suggest import check_choice


class GANLoss(nn.Module):
    """The adversarial loss of a discriminator's scores.

    Args:
        mode: "vanilla", binary cross entropy on logits (Goodfellow et al. 2014); "lsgan", squared error to 0 and 1
            (Mao et al. 2017); "wgangp", the mean score with its sign (Arjovsky et al. 2017), to which
            `gradient_penalty` belongs.

    Example:
        >>> scores = torch.ones(2, 1, 30, 30)
        >>> loss = GANLoss("lsgan")
        >>> float(loss(scores, target_is_real=True)), float(loss(scores, target_is_real=False))
        (0.0, 1.0)
    """

    def __init__(self, mode: str = "vanilla") -> None:
        super().__init__()
        check_choice("gan_mode", mode, GAN_MODES)
        self.mode = mode

    def forward(self, prediction: Tensor, target_is_real: bool) -> Tensor:
        """Compares scores with what they should be.

        Args:
            prediction: scores of any shape, such as (B, 1, H, W).
            target_is_real: whether the judged images are real.

        Returns:
            A scalar, the smaller the more the scores agree with `target_is_real`.
        """
        if self.mode == "wgangp":
            return -prediction.mean() if target_is_real else prediction.mean()
        target = torch.full_like(prediction, float(target_is_real))
        if self.mode == "lsgan":
            return functional.mse_loss(prediction, target)
        return functional.binary_cross_entropy_with_logits(prediction, target)


def gradient_penalty(discriminator: nn.Module, real: Tensor, fake: Tensor, weight: float = 10.0) -> Tensor:
    """Penalises gradients of the discriminator whose norm is not 1, between real and fake (Gulrajani et al. 2017).

    The penalty is of each image by itself, while batch norm makes its score depend on the others: use another norm.

    Args:
        discriminator: (B, C, H, W) → scores of any shape.
        real: (B, C, H, W).
        fake: (B, C, H, W); it is detached, the penalty trains only the discriminator.
        weight: factor of the penalty.

    Returns:
        A scalar, weight · mean over the batch of (‖gradient of the summed scores‖ − 1)².

    Example:
        >>> mean = nn.AvgPool2d(4)  # of 16 pixels: each has a gradient of 1/16, which makes a norm of 1/4
        >>> real, fake = torch.rand(2, 2, 1, 4, 4)
        >>> gradient_penalty(mean, real, fake, weight=1).detach().round(decimals=4)  # (1/4 - 1)²
        tensor(0.5625)
    """
    share = torch.rand(real.shape[0], 1, 1, 1, device=real.device, dtype=real.dtype)
    between = torch.lerp(fake.detach(), real.detach(), share).requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
    # The small term keeps the root's own gradient finite where the gradient is zero.
    precise = gradient.to(torch.promote_types(gradient.dtype, torch.float32))
    length = (precise.flatten(1).square().sum(1) + 1e-16).sqrt()
    return weight * (length - 1.0).square().mean()
