"""Options of test.py alone."""

from __future__ import annotations

from dataclasses import dataclass

from options.fields import Options, option


@dataclass(frozen=True)
class TestingOptions(Options):
    """What is fused and measured, and where the results go."""

    __test__ = False  # the name begins with Test, but pytest has nothing to collect here

    sources: tuple[str, ...] = option((), "fuse these images of one scene, without any folder", metavar="FILE")
    out: str = option("", "with --sources: the fused image to write", metavar="FILE")
    list: bool = option(False, "print what was understood of --dataroot and stop")
    results_dir: str = option("./results", "folder that holds the results of the runs")
    batch_size: int = option(1, "images of one size that are fused together")
    num_test: int = option(0, "fuse no more than this many items; 0 means all")
    metrics: str = option(
        "quick", "metrics to compute: names separated by commas, all, none, or a quick few", metavar="NAMES"
    )
    save_decomposition: bool = option(
        False, "also save and show the images that a network decomposes the sources into: common, unique"
    )
