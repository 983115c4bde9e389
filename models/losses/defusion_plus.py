"""DeFusion++'s loss in its first stage: what was taken apart, the fused image, the one rebuilt from few tokens."""

from __future__ import annotations

from collections.abc import Sequence

from kornia.losses import ssim_loss
from torch import Tensor
from torch.nn import functional

from models.losses.defusion import regions

SSIM_WINDOW = 11


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
    + 50 · (1 - SSIM(fused, x)) / 2, with m what both copies kept and m_i what one alone did. Unlike DeFusion's, the
    parts shall be black outside their regions. The release adds up two rebuilt images, which are one.

    Args:
        common: predicted common part (B, 3, H, W).
        unique: predicted unique parts of both sources, the same.
        rebuilt: the image of masked feature modelling, the same.
        fused: the same.
        target: the photograph (B, 3, H, W) in [0, 1].
        masks: what each source kept of it, (B, 1, H, W), 0 or 1.

    Returns:
        Name → weighted term, means over the batch; the release has the sum over the batch.
    """
    shared, *alone = regions(masks)
    terms = {"G_common": 20 * functional.l1_loss(common, shared * target)}
    for number, (predicted, region) in enumerate(zip(unique, alone, strict=True), start=1):
        terms[f"G_unique_{number}"] = 10 * functional.l1_loss(predicted, region * target)
    terms["G_rebuilt"] = 2 * functional.l1_loss(rebuilt, target)
    terms["G_fused"] = 100 * functional.l1_loss(fused, target)
    terms["G_SSIM"] = 50 * ssim_loss(fused, target, SSIM_WINDOW)
    return terms


def teaching_terms(
    foretold: Sequence[Tensor], latents: Sequence[Tensor], common: tuple[Tensor, Tensor]
) -> dict[str, Tensor]:
    """The terms that the second stage adds, of infrared-visible pairs.

    MSE(foretold_ir, latents_ir) + MSE(foretold_vis, latents_vis) + L1(common_ab, common_ba); that it is the mean
    square, and that all weights are 1, is ours.

    Args:
        foretold: what is foretold of both teachers' latents (B, T, 768), from what the source has alone and shares.
        latents: the teachers'.
        common: the tokens of what the sources share (B, T, 192), asked in both orders.

    Returns:
        Name → weighted term, means over the batch.
    """
    names = ("G_teacher_ir", "G_teacher_vis")
    terms = {
        name: functional.mse_loss(predicted, wanted)
        for name, predicted, wanted in zip(names, foretold, latents, strict=True)
    }
    return terms | {"G_orders": functional.l1_loss(*common)}
