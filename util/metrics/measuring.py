"""Measures images in memory, by the names of metrics that people type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from util.errors import UserError
from util.images.image_io import Image
from util.metrics import METRICS, REFERENCE_METRICS, REFERENCE_SUFFIX, compute_metrics
from util.suggest import suggest

QUICK = ("EN", "SD", "SF", "MI", "SSIM", "Qabf", "VIF")
"""A few metrics of different kinds that together take a tenth of a second."""

Values = dict[str, float]
"""Metric → value."""


def measure_image(
    sources: Sequence[Image], fused: Image, metrics: Sequence[str], reference: Image | None = None
) -> Values:
    """Measures one fused image; metrics against a reference are left out where there is none.

    Args:
        sources: (H, W, 3) or (H, W), 8 or 16 bits.
        fused: an image of that size.
        metrics: see `compute_metrics`.
        reference: the known ideal result.
    """
    if reference is None:
        metrics = [name for name in metrics if not name.endswith(REFERENCE_SUFFIX)]
    target = None if reference is None else as_levels(reference)
    found = compute_metrics([as_levels(source) for source in sources], as_levels(fused), metrics, target)
    return {name: float(value) for name, value in found.items()}


def as_levels(image: Image) -> Tensor:
    """An image (H, W, 3) or (H, W) as levels from 0 to 255, (1, 3, H, W); those of 16 bits between whole levels."""
    levels = image.astype(np.float32)
    if image.dtype == np.uint16:
        levels /= 257
    planes = np.broadcast_to(levels[..., None], (*levels.shape, 3)) if levels.ndim == 2 else levels
    return torch.from_numpy(np.ascontiguousarray(planes.transpose(2, 0, 1)))[None]


def parse_metrics(text: str, *, reference: bool = True) -> list[str]:
    """Reads the value of --metrics: names separated by commas, all, none or quick.

    Args:
        text: the value.
        reference: whether there is a reference image.

    Raises:
        UserError: a metric that does not exist, or that needs a reference; all, none or quick beside other names.
    """
    against_reference = [name + REFERENCE_SUFFIX for name in REFERENCE_METRICS]
    words = {"none": (), "all": (*METRICS, *against_reference), "quick": (*QUICK, *against_reference[:2])}
    if text in words:
        return [name for name in words[text] if reference or name not in against_reference]
    known = [*_all_names(), *against_reference]
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if not name:
            raise UserError(f"--metrics {text!r}: one of the names is empty")
        if name in words:
            raise UserError(f"--metrics {text}: {name!r} stands alone, as in --metrics {name}, or name metrics only")
        if name in against_reference and not reference:
            raise UserError(f"--metrics {text}: {name} needs to know what the image should be: give --reference DIR")
        if name not in known:
            near = suggest(name, known) or f": there are {', '.join(METRICS)}, all, none and quick"
            raise UserError(f"--metrics {text}: no metric is called {name!r}{near}")
    return list(dict.fromkeys(names))


def _all_names() -> Iterator[str]:
    for metric in METRICS.values():
        yield metric.name
        yield from (f"{metric.name}@{convention}" for convention in metric.conventions)
