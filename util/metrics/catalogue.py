"""All metrics by name."""

from __future__ import annotations

from collections.abc import Mapping

from util.metrics import (
    correlation,
    excess_gradient,
    fmi,
    fused_image,
    gradient,
    information,
    mef_ssim,
    perception,
    phase_congruency,
    piella,
    structural,
    universal,
    vif,
    wavelet,
)
from util.metrics.metric import Measure, Metric
from util.metrics.reference import REFERENCE_METRICS, REFERENCE_SUFFIX
from util.statistics.direction import Better

FAMILIES: tuple[tuple[Metric, ...], ...] = (
    fused_image.METRICS,
    information.METRICS,
    fmi.METRICS,
    correlation.METRICS,
    gradient.METRICS,
    wavelet.METRICS,
    phase_congruency.METRICS,
    (*structural.METRICS, *mef_ssim.METRICS, *piella.METRICS),
    universal.METRICS,
    perception.METRICS,
    vif.METRICS,
    excess_gradient.METRICS,
)
"""The metrics whose maps are shared, family by family."""

METRICS: Mapping[str, Metric] = {metric.name: metric for family in FAMILIES for metric in family}
"""Name → metric, in the order of tables."""


def definition(name: str) -> tuple[Metric, Measure]:
    """Returns the metric and the function of a name such as `SSIM` or `SSIM@sum`.

    Raises:
        ValueError: an unknown name.
    """
    base, at, convention = name.partition("@")
    if base not in METRICS:
        raise ValueError(f"no metric is called {base!r}; there are: {', '.join(METRICS)}")
    metric = METRICS[base]
    if not at:
        return metric, metric.measure
    if convention not in metric.conventions:
        there = ", ".join(f"{base}@{other}" for other in metric.conventions) or "none"
        raise ValueError(f"no other convention is called {name!r}; there are: {there}")
    return metric, metric.conventions[convention].measure


def describe(name: str) -> tuple[Better, str]:
    """Returns which values of a name are better, and what is computed, in a few words.

    Raises:
        ValueError: an unknown name.

    Example:
        >>> describe("EN")
        ('higher', 'entropy; 256 levels, in bits')
    """
    base, _, convention = name.partition("@")
    if name.endswith(REFERENCE_SUFFIX) and base in REFERENCE_METRICS:
        return "higher", "against the reference image, mean over the channels"
    metric, _ = definition(name)
    if convention:
        return metric.better, f"{metric.title}; {metric.conventions[convention].text}"
    return metric.better, f"{metric.title}; {metric.text}" + (f" ({metric.defective})" if metric.defective else "")
