"""Quality measures of a fused image, batched: (B, 1 or 3, H, W) in [0, 255] → (B,) in float64."""

from util.metrics.catalogue import METRICS, definition, describe
from util.metrics.compute import compute_metrics
from util.metrics.metric import Convention, Metric
from util.metrics.reference import REFERENCE_METRICS, REFERENCE_SUFFIX

__all__ = [
    "METRICS",
    "REFERENCE_METRICS",
    "REFERENCE_SUFFIX",
    "Convention",
    "Metric",
    "compute_metrics",
    "definition",
    "describe",
]
