"""DeFusion++'s losses: parts, fused image and masked modelling in the first stage, teachers in the second."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from models.losses.defusion import regions
from models.losses.structure import ssim_distance


def defusion_plus_terms(
    common: Tensor,
    unique: Sequence[Tensor],
    rebuilt: Tensor,
    fused: Tensor,
    *,
    target: Tensor,
    masks: Sequence[Tensor],
) -> dict[str, Tensor]:
    """The terms of the loss, of masked copies of a photograph x (Liang et al., arXiv 2410.12274).

    20 · L1(common, m · x) + Σ 10 · L1(unique_i, m_i · x) + 2 · L1(rebuilt, x) + 100 · L1(fused, x)
    + 50 · (1 - SSIM(fused, x)) / 2, where m is the region that both copies show and m_i the one that only copy i
    shows. Unlike in DeFusion, the parts are to be black outside their regions. The release adds the term of the rebuilt
    image twice, hence the 2.

    Args:
        common: predicted common part (B, 3, H, W).
        unique: predicted unique parts of both sources, (B, 3, H, W) each.
        rebuilt: the image of masked feature modelling, (B, 3, H, W).
        fused: (B, 3, H, W).
        target: the photograph (B, 3, H, W) in [0, 1].
        masks: the region of it that each source shows, (B, 1, H, W), 0 or 1.

    Returns:
        Name → weighted term, a scalar: the mean over the batch, where the release has the sum.

    Example:
        >>> import torch
        >>> photograph, everywhere = torch.rand(1, 3, 16, 16), torch.ones(1, 1, 16, 16)
        >>> black = torch.zeros_like(photograph)
        >>> terms = defusion_plus_terms(
        ...     photograph, (black, black), photograph, photograph, target=photograph, masks=(everywhere, everywhere)
        ... )
        >>> [name for name, term in terms.items() if term > 1e-6]
        []
    """
    shared, *alone = regions(masks)
    terms = {"G_common": 20 * functional.l1_loss(common, shared * target)}
    for number, (predicted, region) in enumerate(zip(unique, alone, strict=True), start=1):
        terms[f"G_unique_{number}"] = 10 * functional.l1_loss(predicted, region * target)
    terms["G_rebuilt"] = 2 * functional.l1_loss(rebuilt, target)
    terms["G_fused"] = 100 * functional.l1_loss(fused, target)
    terms["G_SSIM"] = 50 * ssim_distance(fused, target)
    return terms


def teaching_terms(
    predicted: Sequence[Tensor], latents: Sequence[Tensor], common: tuple[Tensor, Tensor]
) -> dict[str, Tensor]:
    """The terms that the second stage adds, of infrared-visible pairs.

    MSE(predicted_ir, latents_ir) + MSE(predicted_vis, latents_vis) + L1(common_ab, common_ba). The paper does not say
    which distance and which weights; these are our choice.

    Args:
        predicted: the latent predictors' outputs, from a source's unique and common tokens, (B, T, 768) each.
        latents: both teachers', (B, T, 768) each.
        common: the common tokens (B, T, 192) with either source as the query.

    Returns:
        Name → weighted term, a scalar: the mean over the batch.

    Example:
        >>> import torch
        >>> latents, common = [torch.rand(1, 5, 768) for _ in range(2)], torch.rand(1, 5, 192)
        >>> {name: float(term) for name, term in teaching_terms(latents, latents, (common, common)).items()}
        {'G_teacher_ir': 0.0, 'G_teacher_vis': 0.0, 'G_orders': 0.0}
    """
    names = ("G_teacher_ir", "G_teacher_vis")
    terms = {
        name: functional.mse_loss(prediction, latent)
        for name, prediction, latent in zip(names, predicted, latents, strict=True)
    }
    return terms | {"G_orders": functional.l1_loss(*common)}
