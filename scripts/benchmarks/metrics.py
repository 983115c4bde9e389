"""Seconds that metrics take."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from options.strict import StrictParser, whole
from scripts.benchmarks.processes import add_turns
from util.errors import UserError
from util.images.image_io import read_image
from util.metrics import METRICS, compute_metrics
from util.metrics.measuring import as_levels

_DESCRIPTION = """Measures seconds per image (the median over the turns) of every metric by itself, of all of them in
one call, which share what they have in common, and of the sets of metrics that other scripts compute: with one thread
and with two, one image at a time and in batches. Without images it takes some of noise."""

_SETS = {
    "all": tuple(METRICS),
    "all but FMI": tuple(name for name in METRICS if name != "FMI"),
    "8 of CDDFuse": ("EN", "SD", "SF", "MI", "SCD", "VIF", "Qabf", "SSIM"),
    "21 of IVIF ZOO": (
        *("EN", "SD", "SF", "AG", "EI", "MI", "QMI", "TE", "QNCIE", "CE", "CC", "SCD", "MSE", "PSNR"),
        *("Qabf", "Nabf", "SSIM", "MS_SSIM", "QY", "QCB", "VIF"),
    ),
}
"""Sets of metrics, for the yardsticks of the field's Python scripts; their definitions may differ from ours."""


def main(argv: Sequence[str]) -> int:
    """Runs the command; see --help."""
    options = _build_parser().parse_strict(argv)
    *sources, fused = _images(options)
    ways = {f"{count} thread{'s' * (count > 1)}": (count, 1) for count in options.threads}
    ways[f"batch of {options.batch_size}"] = (options.threads[0], options.batch_size)
    rows = {**{name: (name,) for name in METRICS}, **_SETS}
    seconds: dict[tuple[str, str], list[float]] = {(row, way): [] for way in ways for row in rows}
    for row, way in tqdm(list(seconds), unit="metric"):
        threads, batch = ways[way]
        torch.set_num_threads(threads)
        images = [image.expand(batch, -1, -1, -1) for image in (*sources, fused)]
        # Once before: the first call makes filters, and threads begin.
        turns = [_seconds(images, rows[row]) for _ in range(options.turns + 1)]
        seconds[row, way] = [took / batch for took in turns[1:]]
    _print_table(fused, rows, ways, seconds)
    return 0


def _build_parser() -> StrictParser:
    parser = StrictParser(prog="benchmark.py metrics", description=_DESCRIPTION)
    add = parser.add_argument
    add("--images", nargs="+", metavar="FILE", type=Path, default=(), help="sources and, last, what was fused of them")
    add("--side", type=whole("--side", 1), metavar="N", default=520, help="sides of the images of noise, in pixels")
    add("--threads", type=whole("--threads", 1), nargs="+", metavar="N", default=[1, 2], help="how many threads")
    add("--batch_size", type=whole("--batch_size", 1), metavar="N", default=4, help="images in a batch")
    add_turns(parser, 5)
    return parser


def _images(options: argparse.Namespace) -> list[Tensor]:
    """Two sources or more and the fused image, (1, 1 or 3, H, W)."""
    if options.images:
        if len(options.images) < 3:
            raise UserError("--images: expected at least two sources and what was fused of them")
        images = [as_levels(read_image(path)) for path in options.images]
        if len({image.shape for image in images}) > 1:
            raise UserError("--images: expected images of one size")
        return images
    generator = torch.Generator().manual_seed(0)
    scene, *noise = torch.rand(3, 1, 1, options.side, options.side, generator=generator)
    a, b = ((0.7 * scene + 0.3 * own) * 255 for own in noise)
    return [a, b, (a + b) / 2]


def _seconds(images: Sequence[Tensor], names: Sequence[str]) -> float:
    started = time.perf_counter()
    compute_metrics(images[:-1], images[-1], names)
    return time.perf_counter() - started


def _print_table(
    fused: Tensor,
    rows: dict[str, tuple[str, ...]],
    ways: dict[str, tuple[int, int]],
    seconds: dict[tuple[str, str], list[float]],
) -> None:
    print(f"seconds per image of {fused.shape[-1]}x{fused.shape[-2]}, and the ratio to {next(iter(ways))}")
    print(f"{'':<16}" + "".join(f"{way:>20}" for way in ways))
    for row in rows:
        values = [statistics.median(seconds[row, way]) for way in ways]
        print(f"{row:<16}" + "".join(f"{value:>13.4f}{value / values[0]:>7.2f}" for value in values))
