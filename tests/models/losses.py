"""Every loss as a function of tensors alone: its name → the function and the shapes that it takes."""

from __future__ import annotations

from functools import partial

from models.losses import similarity, smfnet, structure
from models.losses.defusion import defusion_terms
from models.losses.defusion_plus import defusion_plus_terms, teaching_terms
from models.losses.exposure_structure import exposure_structure
from models.losses.gan import GAN_MODES, GANLoss
from models.losses.gradient_preservation import gradient_preservation
from models.losses.information_fidelity import information_fidelity
from models.losses.moments import SourceMoments
from models.losses.mutual_information import mutual_information

IMAGE, COLOUR, MASK = (1, 1, 11, 12), (2, 3, 11, 12), (2, 1, 11, 12)
LARGE = (2, 1, 18, 19)
FEATURES, TOKENS, SCORES = (2, 3, 4, 5), (2, 5, 4), (2, 1, 3, 4)


def decomposition(*maps):
    features = {"base": maps[:2], "detail": maps[2:4], "graph": maps[4:]}
    return smfnet.decomposition_term(features, ["detail", "graph"])


def defusion(common, one, other, fused, target, *masks):
    return defusion_terms(common, (one, other), fused, target=target, masks=masks, step=24000)


def defusion_plus(common, one, other, *rest):
    rebuilt, fused, target, *masks = rest
    return defusion_plus_terms(common, (one, other), rebuilt, fused, target=target, masks=masks)


def of_moments(loss):
    return lambda fused, *sources: loss(SourceMoments(sources, fused))


def swapped(loss):
    return lambda fused, *sources: loss(sources, fused)


LOSSES = {
    **{f"{mode}, real": (partial(GANLoss(mode), target_is_real=True), [SCORES]) for mode in GAN_MODES},
    **{f"{mode}, fake": (partial(GANLoss(mode), target_is_real=False), [SCORES]) for mode in GAN_MODES},
    "ssim_distance": (structure.ssim_distance, [IMAGE, IMAGE]),
    "sobel_magnitude": (structure.sobel_magnitude, [IMAGE]),
    "sobel_l1": (structure.sobel_l1, [IMAGE, IMAGE]),
    "gradient_l1": (structure.gradient_l1, [IMAGE, IMAGE]),
    "gram_mse": (structure.gram_mse, [FEATURES, FEATURES]),
    "correlation": (structure.correlation, [FEATURES, FEATURES]),
    "reconstruction_terms": (lambda a, b, *sources: smfnet.reconstruction_terms([a, b], sources), [IMAGE] * 4),
    "fusion_terms": (lambda fused, *sources: smfnet.fusion_terms(fused, sources), [IMAGE] * 3),
    "structure_term": (lambda fused, *sources: smfnet.structure_term(fused, sources), [IMAGE] * 3),
    "decomposition_term": (decomposition, [FEATURES] * 6),
    "defusion_terms": (defusion, [*[COLOUR] * 5, MASK, MASK]),
    "defusion_plus_terms": (defusion_plus, [*[COLOUR] * 6, MASK, MASK]),
    "gradient_preservation": (swapped(gradient_preservation), [LARGE] * 3),
    "information_fidelity": (swapped(information_fidelity), [LARGE] * 3),
    "exposure_structure": (swapped(exposure_structure), [LARGE] * 3),
    "mutual_information": (swapped(mutual_information), [LARGE] * 3),
    "source_differences": (swapped(similarity.source_differences), [LARGE] * 3),
    **{
        loss.__name__: (of_moments(loss), [LARGE] * 3)
        for loss in (
            *(similarity.mean_similarity, similarity.salient_similarity),
            *(similarity.best_similarity, similarity.lost_contrast),
        )
    },
    "teaching_terms": (lambda *each: teaching_terms(each[:2], each[2:4], each[4:]), [TOKENS] * 6),
}
PRECISE = ("correlation", "decomposition_term", "source_differences")  # computed in 32 bits or more


def terms_of(name, tensors):
    """The terms of a loss as a tuple."""
    found = LOSSES[name][0](*tensors)
    return tuple(found.values()) if isinstance(found, dict) else (found,)
