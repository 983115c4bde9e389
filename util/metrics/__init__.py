"""Quality measures of a fused picture, batched: (B, 1 or 3, H, W) in [0, 255] → (B,) in float64."""

from util.metrics.reference import psnr, ssim

REFERENCE_METRICS = {"PSNR": psnr, "SSIM": ssim}
"""Metrics that compare with a known sharp picture: name → function(fused, target). Higher is better for all."""

__all__ = ["REFERENCE_METRICS", "psnr", "ssim"]
