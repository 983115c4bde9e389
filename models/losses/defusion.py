"""DeFusion's annealed loss: first the common and unique parts, later the fused image as well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor
from torch.nn import functional

FUSED_FROM = 17000  # step


class Annealing(NamedTuple):
    """The two weights that change during training.

    Attributes:
        outside: α, how much a prediction counts outside the region it is meant for.
        fused: β, weight of the fused image.
    """

    outside: float
    fused: float


def anneal(step: float) -> Annealing:
    """The weights after so many updates, as in DeFusion's release (Liang et al., ECCV 2022).

    α = 0 before step 3000, then 0.15 · (min(step, 7000) / 7000)², and a tenth of that after step 40000;
    β = 0 before step 17000, then (min(step - 10000, 14000) / 14000)².

    Example:
        >>> anneal(0), anneal(24000)
        (Annealing(outside=0.0, fused=0.0), Annealing(outside=0.15, fused=1.0))
    """
    outside = 0.0 if step < 3000 else 0.15 * (min(step, 7000) / 7000) ** 2
    if step > 40000:
        outside *= 0.1
    return Annealing(outside, 0.0 if step < FUSED_FROM else (min(step - 10000, 14000) / 14000) ** 2)


def regions(masks: Sequence[Tensor]) -> list[Tensor]:
    """From the region that each source shows those that both, only the first, and only the second show.

    All are (B, 1, H, W), 0 or 1.

    Example:
        >>> import torch
        >>> masks = [torch.tensor([1, 1, 0]), torch.tensor([0, 1, 1])]
        >>> [region.tolist() for region in regions(masks)]
        [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    """
    shared = masks[0] * masks[1]
    return [shared, *(mask - shared for mask in masks)]


def defusion_terms(
    common: Tensor, unique: Sequence[Tensor], fused: Tensor, *, target: Tensor, masks: Sequence[Tensor], step: float
) -> dict[str, Tensor]:
    """The terms of the loss, L1(p · (α + (1 - α) · m), m · x) for each predicted part p of the photograph x.

    The region m of the common part is what both sources show, that of a unique part what only its source shows. The
    fused image is compared with all of x.

    Args:
        common: predicted common part (B, 3, H, W).
        unique: predicted unique parts of both sources, (B, 3, H, W) each.
        fused: (B, 3, H, W).
        target: the photograph (B, 3, H, W) in [0, 1].
        masks: the region of it that each source shows, (B, 1, H, W), 0 or 1.
        step: see `anneal`.

    Returns:
        Name → weighted term, a scalar: the mean over the batch, where the release has the sum.

    Example:
        >>> import torch
        >>> photograph, everywhere = torch.rand(1, 3, 8, 8), torch.ones(1, 1, 8, 8)
        >>> black = torch.zeros_like(photograph)
        >>> terms = defusion_terms(
        ...     photograph, (black, black), photograph, target=photograph, masks=(everywhere, everywhere), step=24000
        ... )
        >>> {name: float(term) for name, term in terms.items()}
        {'G_common': 0.0, 'G_unique_1': 0.0, 'G_unique_2': 0.0, 'G_fused': 0.0}
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
