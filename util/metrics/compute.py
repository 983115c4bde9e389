"""Metrics of fused images by their names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from util.metrics.catalogue import FAMILIES, METRICS, definition, describe
from util.metrics.reference import REFERENCE_METRICS, REFERENCE_SUFFIX
from util.metrics.scene import LEVELS, PEAK, Scene

_PIXELS_TOGETHER = {"cpu": 1 << 18}
"""How many pixels are measured together: on a CPU, maps that no longer fit its cache cost more than calls."""
_PIXELS_TOGETHER_ELSEWHERE = 1 << 24


@torch.no_grad()
def compute_metrics(
    sources: Sequence[Tensor],
    fused: Tensor,
    metrics: Sequence[str] | None = None,
    reference: Tensor | None = None,
) -> dict[str, Tensor]:
    """Measures fused images against their sources, and against a reference where there is one.

    Colour images are measured on their luma in whole levels (see `Scene`), except against a reference: there on all
    channels. Undefined values (the correlation with a constant image, a window larger than the image) are NaN; only
    MEF_SSIM is -inf where its windows do not fit, as published.

    Args:
        sources: N >= 2 of (B, 1 or 3, H, W) in [0, 255].
        fused: (B, 1 or 3, H, W) in [0, 255].
        metrics: names as in `METRICS`, with another convention as `name@convention`, and of `REFERENCE_METRICS` as
            `name@reference`; if None all of `METRICS`, and with a reference all of `REFERENCE_METRICS` as well.
        reference: the known ideal result, of the shape of `fused`, in [0, 255].

    Returns:
        Name → (B,) in float64, in the given order, on the device of `fused`.

    Raises:
        ValueError: unsuitable shapes or values, an unknown name, or a metric against a reference without one.

    Example:
        >>> image = torch.tensor([0, 255]).repeat(16, 8)[None, None]  # (1, 1, 16, 16), half black, half white
        >>> values = compute_metrics(sources=[image, image], fused=image, metrics=["EN", "SSIM", "PSNR"])
        >>> {name: float(value) for name, value in values.items()}
        {'EN': 1.0, 'SSIM': 1.0, 'PSNR': inf}
    """
    if metrics is None:
        metrics = [*METRICS, *(name + REFERENCE_SUFFIX for name in REFERENCE_METRICS if reference is not None)]
    metrics = list(dict.fromkeys(metrics))
    for name in metrics:
        describe(name)  # raises on unknown names before anything is computed
    against_reference = [name for name in metrics if name.endswith(REFERENCE_SUFFIX)]
    if against_reference and reference is None:
        raise ValueError(f"{against_reference[0]} without a reference image")
    _check(fused, sources, reference)
    parts: dict[str, list[Tensor]] = {name: [] for name in metrics}
    for part in _parts(fused):
        scene = Scene([source[part] for source in sources], fused[part])
        for name, value in _measure(scene, [name for name in metrics if name not in against_reference]):
            parts[name].append(value)
        for name in against_reference:
            assert reference is not None
            metric = REFERENCE_METRICS[name.removesuffix(REFERENCE_SUFFIX)]
            parts[name].append(metric(fused[part], reference[part]))
    return {name: torch.cat(values) for name, values in parts.items()}


def _check(fused: Tensor, sources: Sequence[Tensor], reference: Tensor | None) -> None:
    """Checks what is not visible in parts of a batch."""
    if fused.ndim != 4 or not fused.numel():
        raise ValueError(f"a fused image of shape {tuple(fused.shape)}: must be (B, 1 or 3, H, W)")
    for source in sources:
        if source.ndim != 4 or (len(source), *source.shape[2:]) != (len(fused), *fused.shape[2:]):
            shapes = f"{tuple(source.shape)} of a source and {tuple(fused.shape)} of the fused image"
            raise ValueError(f"{shapes}: must be equal but for the channels")
    if reference is not None:
        if reference.shape != fused.shape:
            shapes = f"{tuple(reference.shape)} of the reference and {tuple(fused.shape)} of the fused image"
            raise ValueError(f"{shapes}: must be equal")
        low, high = reference.aminmax()
        if not (low >= 0 and high <= PEAK):  # NaN is refused, too
            raise ValueError(f"a reference with values from {low.item():g} to {high.item():g}: must be in [0, 255]")


def _parts(fused: Tensor) -> Iterator[slice]:
    """The batch in parts that are measured together; each image's values are the same in any of them."""
    # A joint histogram is as large as this, however small the image.
    pixels = max(LEVELS**2, fused.shape[-2] * fused.shape[-1])
    size = max(1, _PIXELS_TOGETHER.get(fused.device.type, _PIXELS_TOGETHER_ELSEWHERE) // pixels)
    for start in range(0, len(fused), size):
        yield slice(start, start + size)


def _measure(scene: Scene, names: Sequence[str]) -> Iterator[tuple[str, Tensor]]:
    """Family by family, since the metrics of one share their maps."""
    definitions = {name: definition(name) for name in names}
    for family in FAMILIES:
        for name, (metric, measure) in definitions.items():
            if metric in family:
                yield name, measure(scene)
        scene.forget()
