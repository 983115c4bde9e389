"""Correlation with the sources and error against them; each function names its paper and formula."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from util.metrics.metric import Convention, Measure, Metric
from util.metrics.scene import PEAK, Scene


def _pearson(x: Tensor, y: Tensor) -> Tensor:
    """Pearson's correlation of two images (B, H, W): (B,), NaN where one is constant."""
    x, y = (image.flatten(1) - image.flatten(1).mean(1, keepdim=True) for image in (x, y))
    norms = torch.linalg.vector_norm(x, dim=1) * torch.linalg.vector_norm(y, dim=1)
    return torch.linalg.vecdot(x, y) / norms


def cc(scene: Scene) -> Tensor:
    """Correlation coefficient, the mean over the sources of Pearson's correlation with the fused image.

    Returns:
        (B,) in [-1, 1]; NaN where an image is constant.

    Example:
        >>> image = torch.randint(256, (1, 1, 16, 16))
        >>> cc(Scene([image, 255 - image], image)).abs().item() < 1e-12  # the mean of 1 and -1
        True
    """
    return torch.stack([_pearson(source, scene.fused) for source in scene.sources]).mean(0)


def scd(scene: Scene) -> Tensor:
    """Sum of the correlations of differences (Aslantas, Bendes, 2015): corr(F-B, A) + corr(F-A, B).

    The contribution of a source is the fused image minus the mean of all other sources: with two sources, minus the
    other one.

    Returns:
        (B,) in [-N, N]; NaN where a source is constant, or that difference is, as when the fused image is a source.
    """
    total = torch.stack(scene.sources).sum(0)
    # N - 1 times the difference, which has the same correlation: in whole numbers a constant one is exactly constant.
    multiple = (len(scene.sources) - 1) * scene.fused
    return torch.stack([_pearson(multiple - (total - source), source) for source in scene.sources]).sum(0)


def _squared_errors(scene: Scene) -> Tensor:
    """The mean squared error of every source: (N, B)."""
    return torch.stack([(source - scene.fused).square_().mean((1, 2)) for source in scene.sources])


def mse(scene: Scene, peak: float = PEAK) -> Tensor:
    """Mean squared error of levels from 0 to `peak`, the mean over the sources.

    Returns:
        (B,) in [0, peak²].

    Example:
        >>> image = torch.randint(200, (1, 1, 16, 16))
        >>> mse(Scene([image, image + 10], image)).item()  # the mean of 0² and 10²
        50.0
    """
    return scene.once(_squared_errors).mean(0) * (peak / PEAK) ** 2


def rmse(scene: Scene) -> Tensor:
    """Root of the mean squared error, the mean over the sources: (B,) in [0, 255]."""
    return scene.once(_squared_errors).sqrt().mean(0)


def _rmse_root_first(scene: Scene) -> Tensor:
    """The root of the sum of squares, then divided by the number of pixels instead of by its root."""
    return rmse(scene) / scene.fused[0].numel() ** 0.5


def psnr(scene: Scene, error: Measure = mse) -> Tensor:
    """Peak signal-to-noise ratio 10 log10(255² / `error`) in dB, of the mean squared error over all sources.

    Returns:
        (B,), 0 or more; infinite where all images are equal.
    """
    return 10 * torch.log10(PEAK**2 / error(scene))


def _psnr_fused_peak(scene: Scene) -> Tensor:
    return 10 * torch.log10(scene.fused.amax((1, 2)).square() / mse(scene))


METRICS: tuple[Metric, ...] = (
    Metric(
        name="CC",
        title="correlation coefficient",
        measure=cc,
        better="higher",
        text="mean of Pearson's correlations with the sources",
        source="Pearson, Proc. R. Soc. Lond. 58, 1895",
    ),
    Metric(
        name="SCD",
        title="sum of the correlations of differences",
        measure=scd,
        better="higher",
        text="sum over the sources",
        source="Aslantas, Bendes, AEU Int. J. Electron. Commun. 69, 2015",
    ),
    Metric(
        name="MSE",
        title="mean squared error against the sources",
        measure=mse,
        better="lower",
        text="levels from 0 to 255, mean over the sources",
        source="Jagalingam, Hegde, Aquatic Procedia 4, 2015",
        conventions={"unit": Convention(partial(mse, peak=1), "levels from 0 to 1: Tang's scripts, IVIF_ZOO")},
    ),
    Metric(
        name="RMSE",
        title="root of the mean squared error against the sources",
        measure=rmse,
        better="lower",
        text="levels from 0 to 255, mean of the sources' roots",
        source="Jagalingam, Hegde, Aquatic Procedia 4, 2015",
        conventions={
            "root_first": Convention(_rmse_root_first, "the root is taken before dividing by the pixels: VIFB"),
        },
    ),
    Metric(
        name="PSNR",
        title="peak signal-to-noise ratio against the sources",
        measure=psnr,
        better="higher",
        text="in dB, peak 255, of the MSE over all sources",
        source="Jagalingam, Hegde, Aquatic Procedia 4, 2015",
        conventions={
            "fused_peak": Convention(_psnr_fused_peak, "the peak is the fused image's largest level: CDDFuse"),
            "unit_error": Convention(
                partial(psnr, error=partial(mse, peak=1)),
                "peak 255 with the error of levels from 0 to 1, 48.13 dB more: Tang's scripts, IVIF_ZOO",
            ),
            "rmse_root_first": Convention(
                partial(psnr, error=_rmse_root_first), "RMSE@root_first for the MSE: VIFB, MEFB"
            ),
        },
    ),
)
