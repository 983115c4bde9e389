"""DeFusion's annealed loss: what was taken apart first, the fused image later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor
from torch.nn import functional

FUSED_FROM = 17000  # step


class Annealing(NamedTuple):
    """The two weights that change as the training goes on.

    Attributes:
        outside: α, how much a prediction counts outside the region it is meant for.
        fused: β, weight of the fused image.
    """

    outside: float
    fused: float


def anneal(step: float) -> Annealing:
    """The weights at a step, as in DeFusion's release (Liang et al., ECCV 2022).

    α = 0 before step 3000, then 0.15 · (min(step, 7000) / 7000)², and a tenth of that after step 40000;
    β = 0 before step 17000, then (min(step - 10000, 14000) / 14000)².

    Args:
        step: updates so far, from 0.
    """
    outside = 0.0 if step < 3000 else 0.15 * (min(step, 7000) / 7000) ** 2
    if step > 40000:
        outside *= 0.1
    return Annealing(outside, 0.0 if step < FUSED_FROM else (min(step - 10000, 14000) / 14000) ** 2)


def regions(masks: Sequence[Tensor]) -> list[Tensor]:
    """What both sources kept, what the first alone did, what the second alone did.

    Args:
        masks: what each source kept, (B, 1, H, W), 0 or 1.
    """
    shared = masks[0] * masks[1]
    return [shared, *(mask - shared for mask in masks)]


def defusion_terms(
    common: Tensor, unique: Sequence[Tensor], fused: Tensor, *, target: Tensor, masks: Sequence[Tensor], step: float
) -> dict[str, Tensor]:
    """The terms of the loss, L1(p · (α + (1 - α) · m), m · x) for each predicted part p of the photograph x.

    Its region m is what both sources kept for the common part, and what one alone kept for that source's unique part.
    The fused image is compared with all of x.

    Args:
        common: predicted common part (B, 3, H, W).
        unique: predicted unique parts of both sources, the same.
        fused: the same.
        target: the photograph (B, 3, H, W) in [0, 1].
        masks: what each source kept of it, (B, 1, H, W), 0 or 1.
        step: see `anneal`.

    Returns:
        Name → weighted term, means over the batch; the release has the sum over the batch.
    """
    weight = anneal(step)
    shared, *alone = regions(masks)

    def masked_l1(predicted: Tensor, region: Tensor) -> Tensor:
        return functional.l1_loss(predicted * (weight.outside + (1 - weight.outside) * region), region * target)

    terms = {"G_common": masked_l1(common, shared)}
    for number, (predicted, region) in enumerate(zip(unique, alone, strict=True), start=1):
        terms[f"G_unique_{number}"] = masked_l1(predicted, region)
    terms["G_fused"] = weight.fused * functional.l1_loss(fused, target)
    return terms
