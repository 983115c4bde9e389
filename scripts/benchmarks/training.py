"""Speed and memory of ways to train."""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from options.strict import StrictParser, split_words, whole
from scripts.benchmarks.processes import add_turns, run_measured
from util.images.image_io import write_image
from util.loggers.metrics_file import read_records

_DESCRIPTION = """Trains for a few steps with train.py itself, on images of noise, once per way of training, in
turns, and prints samples per second (the median over the turns), its ratio to the first way, and the most memory that a
process took. What follows -- goes to train.py in every way, such as: -- --model smfnet"""


@dataclass
class Way:
    """One way of training.

    Attributes:
        name: what the table calls it.
        words: options of train.py.
        speeds: samples per second, one per turn.
        megabytes: the most resident memory of a process, over the turns.
    """

    name: str
    words: list[str]
    speeds: list[float] = field(default_factory=list)
    megabytes: float = 0.0


def main(argv: Sequence[str]) -> int:
    """Runs the command; see --help."""
    own, more = split_words(argv, ["train.py"])
    options = _build_parser().parse_strict(own)
    with tempfile.TemporaryDirectory() as folder, _silent_server() as port:
        _write_noise(Path(folder) / "data", options.batch_size, options.side)
        ways = _ways(port)
        turns = [(turn, way) for turn in range(options.turns) for way in ways]
        for turn, way in tqdm(turns, unit="training"):
            words = [*_common_words(Path(folder), options), *_network_words(more, options.ngf), *more]
            _train(Path(folder), f"{way.name} {turn}", way, words)
    _print_table(ways)
    return 0


def _build_parser() -> StrictParser:
    parser = StrictParser(
        prog="benchmark.py train", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add_turns(parser)
    # With fewer steps there is no record but the first.
    add("--steps", type=whole("--steps", 3), default=12, help="steps per training, the first third not measured")
    add("--batch_size", type=whole("--batch_size", 1), default=8, help="samples per step (default: 8)")
    add("--side", type=whole("--side", 1), default=128, help="sides of the crops, in pixels (default: 128)")
    add("--ngf", type=int, default=16, help="filters of the default generator's first layer (default: 16)")
    return parser


def _ways(port: int) -> list[Way]:
    quiet = ["--loggers", "none"]
    return [
        Way("32 bit, no watcher", quiet),
        Way("bfloat16", [*quiet, "--precision", "bf16"]),
        Way("no channels-last", [*quiet, "--no_channels_last"]),
        Way("batch in two parts", [*quiet, "--accumulate", "2"]),
        Way("two processes (CPU)", [*quiet, "--gpu_ids", "-1,-1"]),
        Way("console and page", ["--loggers", "console,page"]),
        Way("Visdom that never answers", ["--loggers", "console,page,visdom", "--display_port", str(port)]),
    ]


def _common_words(folder: Path, options: argparse.Namespace) -> list[str]:
    record = options.batch_size * max(1, options.steps // 3)
    return [
        *("--dataroot", str(folder / "data"), "--checkpoints_dir", str(folder), "--num_threads", "0"),
        *("--batch_size", str(options.batch_size), "--crop_size", str(options.side)),
        *("--n_epochs", str(options.steps), "--n_epochs_decay", "0", "--print_freq", str(record)),
        *("--save_latest_freq", "1000000000", "--save_epoch_freq", "1000000000"),
    ]


def _network_words(more: Sequence[str], ngf: int) -> list[str]:
    """The default network is made smaller; another that was asked for is taken as it is."""
    chosen = {word.split("=", 1)[0] for word in more}
    return [] if {"--netG", "--model", "--config"} & chosen else ["--ngf", str(ngf)]


def _train(folder: Path, name: str, way: Way, common: Sequence[str]) -> None:
    command = [sys.executable, "train.py", "--name", name, *common, *way.words]
    _, megabytes = run_measured(f"{way.name}: train.py", command)
    records = [record for record in read_records(folder / name / "metrics.jsonl") if record["kind"] == "losses"]
    # The first record holds what happens once: memory found, kernels chosen, networks compiled.
    way.speeds.append(statistics.fmean(float(record["samples_per_s"]) for record in records[1:]))
    way.megabytes = max(way.megabytes, megabytes)


def _write_noise(folder: Path, count: int, side: int) -> None:
    rng = np.random.default_rng(0)
    for number in range(count):
        write_image(folder / f"{number:03d}.png", rng.integers(0, 256, (side, 3 * side, 3), np.uint8))


@contextlib.contextmanager
def _silent_server() -> Iterator[int]:
    """A port where connections are accepted and nothing ever comes back."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def _print_table(ways: Sequence[Way]) -> None:
    first = statistics.median(ways[0].speeds)
    print(f"{'way':<28}{'samples/s':>12}{'ratio':>8}{'MB':>8}")
    for way in ways:
        speed = statistics.median(way.speeds)
        print(f"{way.name:<28}{speed:>12.2f}{speed / first:>8.2f}{way.megabytes:>8.0f}")
    print(json.dumps({way.name: way.speeds for way in ways}))
