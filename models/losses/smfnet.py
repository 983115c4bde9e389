"""The terms of SMFNet's loss, stage by stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from models.losses.structure import correlation, gradient_l1, gram_mse, sobel_l1, sobel_magnitude, ssim_distance
from options.models import SSIM_WINDOW
from util.errors import UserError


def reconstruction_terms(rebuilt: Sequence[Tensor], sources: Sequence[Tensor]) -> dict[str, Tensor]:
    """The terms of stage I that compare the rebuilt infrared and visible images with the sources.

    8 · (1 − SSIM) / 2 + 10 · L1 of Sobel magnitudes for both; infrared adds the squared difference of Gram matrices,
    visible 5 · L1 of the gradients in x and y.

    Args:
        rebuilt: infrared and visible, (B, 1, H, W) in [0, 1].
        sources: infrared and visible, (B, 1, H, W) in [0, 1].

    Returns:
        Name → weighted term, a scalar: the mean over the batch.

    Raises:
        UserError: the images are smaller than the window of SSIM.

    Example:
        >>> sources = torch.rand(2, 1, 1, 16, 16)
        >>> terms = reconstruction_terms(sources, sources)
        >>> list(terms)
        ['G_SSIM_ir', 'G_Sobel_ir', 'G_SSIM_vi', 'G_Sobel_vi', 'G_Gram_ir', 'G_gradient_vi']
        >>> [name for name, term in terms.items() if term > 1e-6]
        []
    """
    height, width = sources[0].shape[-2:]
    if min(height, width) < SSIM_WINDOW:
        raise UserError(f"images of {width}x{height}: SMFNet's loss compares windows of {SSIM_WINDOW}x{SSIM_WINDOW}")
    terms = {}
    for name, one, other in zip(("ir", "vi"), rebuilt, sources, strict=True):
        terms[f"G_SSIM_{name}"] = 8 * ssim_distance(one, other)
        terms[f"G_Sobel_{name}"] = 10 * sobel_l1(one, other)
    terms["G_Gram_ir"] = gram_mse(rebuilt[0], sources[0])
    terms["G_gradient_vi"] = 5 * gradient_l1(rebuilt[1], sources[1])
    return terms


def fusion_terms(fused: Tensor, sources: Sequence[Tensor]) -> dict[str, Tensor]:
    """The terms of stage II that compare the fused image with the brighter and the steeper source at each pixel.

    L1(fused, max(ir, vi)) + 10 · L1(|∇fused|, max(|∇ir|, |∇vi|))

    Args:
        fused: (B, 1, H, W) in [0, 1].
        sources: infrared and visible, (B, 1, H, W) each in [0, 1].

    Returns:
        Name → weighted term, a scalar: the mean over the batch.

    Example:
        >>> infrared = torch.rand(1, 1, 8, 8)
        >>> visible = torch.zeros_like(infrared)  # darker and flatter everywhere
        >>> {name: float(term) for name, term in fusion_terms(infrared, [infrared, visible]).items()}
        {'G_intensity': 0.0, 'G_gradient': 0.0}
    """
    brightest = torch.stack(list(sources)).amax(0)
    steepest = torch.stack([sobel_magnitude(source) for source in sources]).amax(0)
    return {
        "G_intensity": functional.l1_loss(fused, brightest),
        "G_gradient": 10 * functional.l1_loss(sobel_magnitude(fused), steepest),
    }


def structure_term(fused: Tensor, sources: Sequence[Tensor]) -> Tensor:
    """Σ (1 − SSIM(fused, source)) / 2 over both sources, (B, 1, H, W) each in [0, 1] → a scalar in [0, 2].

    It is not in the release, whose loss takes the brightest level and the steepest gradient of each pixel and ignores
    the structure of the other source: even the image that minimises it has a lower SSIM with the sources than their
    plain average.
    """
    return torch.stack([ssim_distance(fused, source) for source in sources]).sum()


def decomposition_term(
    features: Mapping[str, Sequence[Tensor]], kinds: Sequence[str], *, form: str = "corrected"
) -> Tensor:
    """Small where the modalities' base features correlate and their other features do not, by the correlation cc.

    2 · Σ cc(kind)² / (1.01 + cc(base)), the mean over the samples.

    Args:
        features: kind → infrared's and visible's maps, (B, C, H, W).
        kinds: those that differ from modality to modality: "detail" in stage I, "detail" and "graph" in stage II.
        form: "corrected", or "published", which does what the release does: one correlation over the whole batch, as a
            number without a gradient, and detail's in place of the graph's.

    Returns:
        A scalar, 0 or more.

    Example:
        >>> maps = torch.rand(2, 8, 4, 4)
        >>> same, unrelated = (maps, maps), (maps, torch.zeros_like(maps))
        >>> float(decomposition_term({"base": same, "detail": unrelated}, ["detail"]))
        0.0
    """
    if form == "published":
        one_sample = {kind: [maps.detach()[None] for maps in features[kind]] for kind in ("base", "detail")}
        base, detail = (correlation(*maps).squeeze(0) for maps in one_sample.values())
        return 2 * len(kinds) * detail**2 / (1.01 + base)
    apart = torch.stack([correlation(*features[kind]) ** 2 for kind in kinds]).sum(0)
    return (2 * apart / (1.01 + correlation(*features["base"]))).mean()
