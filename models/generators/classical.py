"""Classical methods as generators without weights, so that everything can be compared with them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.generators.base import UNCHANGED, FusionOutput, Generator, Normalisation
from models.layers.pyramid import from_bands, to_bands
from models.layers.source_fusion import BANDS, SPACINGS, RunningBlend
from options.networks import ClassicalOptions

_LEVELS = 5  # of the Laplacian pyramid
# Of Li, Kang and Hu, section III: windows of the decomposition, of saliency, and of the two guided filters.
_BASE_SIDE, _SALIENCY_SIGMA, _SALIENCY_RADIUS = 31, 5.0, 5
_GUIDE_BASE, _GUIDE_DETAIL = (45, 0.3), (7, 1e-6)  # radius, epsilon

_Plane = npt.NDArray[np.float32]


class ClassicalGenerator(Generator):
    """Base of methods without weights: luma in [0, 1], any number of sources, in any order."""

    channels = 1
    reach = 0

    def __init__(self, options: ClassicalOptions) -> None:  # noqa: ARG002  (they have none)
        super().__init__()

    def normalisation(self, *, grey: bool = False) -> Normalisation:  # noqa: ARG002
        """See `Generator.normalisation`: [0, 1]."""
        return UNCHANGED


class AverageGenerator(ClassicalGenerator):
    """The mean of the sources.

    Example:
        >>> AverageGenerator(ClassicalOptions()).fuse([torch.zeros(1, 1, 1, 2), torch.ones(1, 1, 1, 2)])
        tensor([[[[0.5000, 0.5000]]]])
    """

    def forward(self, sources: Sequence[Tensor]) -> FusionOutput:
        """See `Generator.forward`: N of (B, 1, H, W) in [0, 1]."""
        return FusionOutput(torch.stack(list(sources)).mean(0))


class MaximumGenerator(ClassicalGenerator):
    """The lightest source at each pixel.

    Example:
        >>> MaximumGenerator(ClassicalOptions()).fuse([torch.zeros(1, 1, 1, 2), torch.ones(1, 1, 1, 2)])
        tensor([[[[1., 1.]]]])
    """

    def forward(self, sources: Sequence[Tensor]) -> FusionOutput:
        """See `Generator.forward`: N of (B, 1, H, W) in [0, 1]."""
        return FusionOutput(torch.stack(list(sources)).amax(0))


class LaplacianGenerator(ClassicalGenerator):
    """A Laplacian pyramid of 5 bands: in each the coefficient of largest magnitude, of the residual the mean.

    Burt and Adelson, "Merging images through pattern decomposition", SPIE Applications of Digital Image Processing,
    1985.

    Example:
        >>> image = torch.rand(1, 1, 37, 53)
        >>> torch.allclose(LaplacianGenerator(ClassicalOptions()).fuse([image, image]), image, atol=1e-6)
        True
    """

    grid = 2**_LEVELS
    reach = 3 * (2**_LEVELS - 1)

    def forward(self, sources: Sequence[Tensor]) -> FusionOutput:
        """See `Generator.forward`: N of (B, 1, H, W) in [0, 1]."""
        bands, images = to_bands(torch.cat(list(sources)), _LEVELS)
        of_sources = [maps.unflatten(0, (len(sources), -1)) for maps in (*bands, images[-1])]
        *bands, residual = of_sources
        largest = [band.gather(0, band.abs().argmax(0, keepdim=True))[0] for band in bands]
        return FusionOutput(from_bands(largest, residual.mean(0)))


class AtrousGenerator(ClassicalGenerator):
    """Bands of the à trous scheme, each weighted by the square of its local contrast; see `RunningBlend`.

    Example:
        >>> image = torch.rand(1, 1, 37, 53)
        >>> torch.allclose(AtrousGenerator(ClassicalOptions()).fuse([image, image]), image, atol=1e-6)
        True
    """

    reach = sum(SPACINGS) + SPACINGS[-1]

    def forward(self, sources: Sequence[Tensor]) -> FusionOutput:
        """See `Generator.forward`: N of (B, 1, H, W) in [0, 1]."""
        blend = RunningBlend()
        for source in sources:
            logits = source.new_zeros((len(source), BANDS, *source.shape[-2:]))
            blend.add(source * 2 - 1, logits)
        return FusionOutput((blend.result() + 1) / 2)


class GuidedFilterGenerator(ClassicalGenerator):
    """Base and detail, weighted by saliency maps that a guided filter fits to the sources' edges, with OpenCV's.

    Li, Kang and Hu, "Image fusion with guided filtering", IEEE Transactions on Image Processing 22, 2013, with the
    paper's settings. Where guided weights of all sources are 0, they count alike.

    Example:
        >>> image = torch.rand(1, 1, 37, 53)
        >>> torch.allclose(GuidedFilterGenerator(ClassicalOptions()).fuse([image, image]), image, atol=1e-6)
        True
    """

    reach = 1 + _SALIENCY_RADIUS + 2 * _GUIDE_BASE[0]

    def forward(self, sources: Sequence[Tensor]) -> FusionOutput:
        """See `Generator.forward`: N of (B, 1, H, W) in [0, 1]."""
        stacked = torch.stack(list(sources))[:, :, 0].detach().float().cpu().numpy()
        fused = [_fuse_guided([np.ascontiguousarray(plane) for plane in planes]) for planes in stacked.swapaxes(0, 1)]
        return FusionOutput(torch.from_numpy(np.stack(fused))[:, None].to(sources[0]))


def _fuse_guided(planes: Sequence[_Plane]) -> _Plane:
    """Fuses planes (H, W) in [0, 1]."""
    saliency = np.stack([_saliency(plane) for plane in planes])
    chosen = (saliency == saliency.max(0)).astype(np.float32)
    bases = [cv2.blur(plane, (_BASE_SIDE, _BASE_SIDE)) for plane in planes]
    details = [plane - base for plane, base in zip(planes, bases, strict=True)]
    parts = [
        (_guided_weights(planes, chosen, *filter_) * np.stack(layers)).sum(0)
        for filter_, layers in ((_GUIDE_BASE, bases), (_GUIDE_DETAIL, details))
    ]
    return (parts[0] + parts[1]).astype(np.float32)


def _saliency(plane: _Plane) -> _Plane:
    strength = np.abs(cv2.Laplacian(plane, cv2.CV_32F))
    side = 2 * _SALIENCY_RADIUS + 1
    return np.asarray(cv2.GaussianBlur(strength, (side, side), _SALIENCY_SIGMA), np.float32)


def _guided_weights(planes: Sequence[_Plane], chosen: _Plane, radius: int, epsilon: float) -> _Plane:
    """Weights (N, H, W) of sum 1."""
    guided = [
        cv2.ximgproc.guidedFilter(plane, weight, radius, epsilon) for plane, weight in zip(planes, chosen, strict=True)
    ]
    weights = np.clip(np.stack(guided), 0, None) + np.finfo(np.float32).tiny
    return np.asarray(weights / weights.sum(0), np.float32)
