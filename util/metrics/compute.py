"""Metrics of fused pictures by their names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from util.metrics.catalogue import FAMILIES, METRICS, definition
from util.metrics.reference import REFERENCE_METRICS, REFERENCE_SUFFIX
from util.metrics.scene import LEVELS, Scene

_TOGETHER = {"cpu": 1 << 18}
"""Pixels that are measured together: on a CPU, maps that no longer fit its cache cost more than calls."""
_TOGETHER_ELSEWHERE = 1 << 24


def compute_metrics(
    sources: Sequence[Tensor],
    fused: Tensor,
    metrics: Sequence[str] | None = None,
    reference: Tensor | None = None,
) -> dict[str, Tensor]:
    """Measures fused pictures against their sources, and against a reference where there is one.

    Colour is measured on its luma in whole levels (see `Scene`), except against a reference: there on all channels.
    What is undefined (the correlation with a constant picture, a window larger than the picture) is NaN.

    Args:
        sources: N >= 2 of (B, 1 or 3, H, W) in [0, 255].
        fused: (B, 1 or 3, H, W) in [0, 255].
        metrics: names as in `METRICS`, with another convention as `name@convention`, and of `REFERENCE_METRICS` as
            `name@reference`; all of `METRICS`, and with a reference those too, if None.
        reference: (B, 1 or 3, H, W) in [0, 255], what the fused pictures should be.

    Returns:
        Name → (B,) in float64, in the order asked for, on the device of `fused`.

    Raises:
        ValueError: shapes or values that cannot be used, a name that does not exist, or a metric against a reference
            without one.
    """
    if metrics is None:
        metrics = [*METRICS, *(name + REFERENCE_SUFFIX for name in REFERENCE_METRICS if reference is not None)]
    against_reference = [name for name in metrics if name.endswith(REFERENCE_SUFFIX)]
    if against_reference and reference is None:
        raise ValueError(f"{against_reference[0]} without a reference picture")
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


def _parts(fused: Tensor) -> Iterator[slice]:
    """The batch in parts that are measured together; each picture's values are the same in any of them."""
    # A joint histogram is as large as this, however small the picture.
    pixels = max(LEVELS**2, fused.shape[-2] * fused.shape[-1])
    size = max(1, _TOGETHER.get(fused.device.type, _TOGETHER_ELSEWHERE) // pixels)
    for start in range(0, len(fused), size):
        yield slice(start, start + size)


def _measure(scene: Scene, names: Sequence[str]) -> Iterator[tuple[str, Tensor]]:
    """Family by family, since the metrics of one share their maps."""
    wanted = {name: definition(name) for name in names}
    for family in FAMILIES:
        for name, (metric, measure) in wanted.items():
            if metric in family:
                yield name, measure(scene)
        scene.forget()
