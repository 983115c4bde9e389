"""How fast training samples are made."""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import math
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data.loader import SampleLoader
from data.sampler import EpochSampler
from engine.runtime import Runtime
from engine.training.begin_training import build_loader
from options.commands import TrainConfig, parse_train
from options.strict import StrictParser, split_words, whole
from options.validate import validate_train
from scripts.benchmarks.processes import add_turns
from util.images.image_io import write_image

_DESCRIPTION = """Makes training samples as train.py does, with several numbers of --num_threads, in turns, and prints
samples per second (the median over the turns), milliseconds per sample and the ratio to the first row. What follows --
are options of train.py that say which samples, such as: -- --dataset_mode pmf --dataroot datasets/city. Without them
pairs are made by --dataset_mode pmf out of images of noise."""


def main(argv: Sequence[str]) -> int:
    """Runs the command; see --help."""
    own, more = split_words(argv, ["train.py"])
    options = _build_parser().parse_strict(own)
    with tempfile.TemporaryDirectory() as folder:
        config, parsed = parse_train(more or _samples_of_noise(Path(folder)))
        validate_train(config, parsed)
        speeds: dict[int, list[float]] = {threads: [] for threads in options.threads}
        for threads in tqdm(list(speeds) * options.turns, unit="turn"):
            speeds[threads].append(_speed(config, threads, options.samples))
    _print_table(speeds)
    return 0


def _build_parser() -> StrictParser:
    parser = StrictParser(
        prog="benchmark.py data", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--samples", type=whole("--samples", 1), metavar="N", default=200, help="samples in a turn (default: 200)")
    text = "--num_threads (default: 0 1 2)"
    add("--threads", type=whole("--threads", 0), nargs="+", metavar="N", default=[0, 1, 2], help=text)
    add_turns(parser)
    return parser


def _samples_of_noise(folder: Path) -> list[str]:
    rng = np.random.default_rng(0)
    for number in range(8):
        write_image(folder / "images" / f"{number}.png", rng.integers(0, 256, (480, 640, 3), np.uint8))
        labels = rng.integers(0, 5, (6, 8), np.uint8).repeat(80, axis=0).repeat(80, axis=1)
        write_image(folder / "maps" / f"{number}.png", labels)
    return ["--dataset_mode", "pmf", "--dataroot", str(folder), "--pairs_per_image", "100"]


def _speed(config: TrainConfig, threads: int, samples: int) -> float:
    """Samples per second, from the second batch on: the first waits for the threads to start."""
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, num_threads=threads))
    with Runtime(gpu_ids="-1") as runtime:
        sampler, loader = build_loader(config, runtime)
        batches = _endless(sampler, loader)
        next(batches)
        wanted = math.ceil(samples / config.training.batch_size)
        started = time.perf_counter()
        for _ in itertools.islice(batches, wanted):
            pass
        return wanted * config.training.batch_size / (time.perf_counter() - started)


def _endless(sampler: EpochSampler, loader: SampleLoader) -> Iterator[object]:
    for epoch in itertools.count(1):
        sampler.set_epoch(epoch)
        yield from loader


def _print_table(speeds: dict[int, list[float]]) -> None:
    first = statistics.median(next(iter(speeds.values())))
    print(f"{'threads':>8}{'samples/s':>12}{'ms':>8}{'ratio':>8}")
    for threads, turns in speeds.items():
        speed = statistics.median(turns)
        print(f"{threads:>8}{speed:>12.1f}{1000 / speed:>8.2f}{speed / first:>8.2f}")
