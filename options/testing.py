"""Options of test.py alone."""

from __future__ import annotations

from dataclasses import dataclass

from options.fields import option


@dataclass(frozen=True)
class TestingOptions:
    """Which weights fuse, what is measured, and where the results go."""

    __test__ = False  # the name begins with Test, but pytest has nothing to collect here

    results_dir: str = option("./results", "folder that holds the results of the runs")
    epoch: str = option("latest", "which checkpoint to use: latest, best, or an epoch's number")
    batch_size: int = option(1, "pictures of one size that are fused together")
    num_test: int = option(0, "fuse no more than this many items; 0 means all")
    metrics: str = option("PSNR,SSIM", "metrics to compute, separated by commas; all; or none", metavar="NAMES")
    eval: bool = option(True, "evaluation mode: no dropout, learned statistics in batch norm")
