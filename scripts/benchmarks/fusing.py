"""Speed and memory of fusing, network by network."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import tqdm

from engine.fusing.batch import fuse_batch
from engine.runtime import Runtime
from models import create_generator, list_generators
from options.strict import StrictParser, whole
from scripts.benchmarks.processes import add_turns, run_measured
from util.suggest import check_choice

_DESCRIPTION = """Fuses a pair of noise images with each network, at its default options and with its initial weights,
in each precision, in turns and each time in a process of its own, and prints seconds per pair (the median over the
turns), the ratio to the first row, and the most memory: of the GPU where one is used, else of the process, with torch
itself."""

_SOURCES = 2
_DEFAULT_ATTENTION = ["fused"]


class _Row(NamedTuple):
    """What is measured."""

    netG: str
    precision: str
    attention: str


def main(argv: Sequence[str]) -> int:
    """Runs the command; see --help."""
    options = _build_parser().parse_strict(argv)
    for netG in options.netG:
        check_choice("netG", netG, list_generators())
    rows = [_Row(*row) for row in itertools.product(options.netG, options.precision, options.attention)]
    seconds: dict[_Row, list[float]] = {row: [] for row in rows}
    megabytes = dict.fromkeys(rows, 0.0)
    for row in tqdm(rows * options.turns, unit="pair"):
        took, peak = _in_a_process(row, options)
        seconds[row].append(took)
        megabytes[row] = max(megabytes[row], peak)
    _print_table(options, seconds, megabytes)
    return 0


def _build_parser() -> StrictParser:
    parser = StrictParser(prog="benchmark.py test", description=_DESCRIPTION)
    add = parser.add_argument
    networks = ["R2GAN_generator", "IFCNN", "SMFNet"]
    add("--netG", nargs="+", metavar="NAME", default=networks, help=f"the networks (default: {' '.join(networks)})")
    add("--precision", nargs="+", choices=("32", "bf16"), default=["32", "bf16"], help="default: both")
    add(
        "--attention",
        nargs="+",
        choices=("fused", "math"),
        default=_DEFAULT_ATTENTION,
        help="of transformers: fused, a part of its weights at a time, or math, all of them at once (default: fused)",
    )
    text = "of the images, in pixels"
    add("--width", type=whole("--width", 1), metavar="N", default=640, help=text)
    add("--height", type=whole("--height", 1), metavar="N", default=480, help=text)
    add("--threads", type=whole("--threads", 1), metavar="N", default=torch.get_num_threads(), help="on the CPU")
    add_turns(parser)
    return parser


def _in_a_process(row: _Row, options: argparse.Namespace) -> tuple[float, float]:
    """Seconds and MB of a process that has done nothing else."""
    words = [*row, str(options.width), str(options.height), str(options.threads)]
    command = [sys.executable, "-m", "scripts.benchmarks.fusing", *words]
    printed, of_process = run_measured(" ".join(row), command)
    seconds, of_gpu = json.loads(printed.strip().splitlines()[-1])
    return seconds, of_gpu or of_process


def _fuse_once(row: _Row, width: int, height: int, threads: int) -> tuple[float, float]:
    """Fuses a small pair, which finds kernels, then one of the size asked for; its seconds, and MB of the GPU or 0."""
    torch.set_num_threads(threads)
    with Runtime(precision=row.precision) as runtime, _attending(row.attention):
        generator = create_generator(row.netG).eval()
        runtime.move(generator)
        on_gpu = runtime.device.type == "cuda"
        for size in ((64, 64), (height, width)):
            sources = [torch.rand(1, generator.channels, *size) for _ in range(_SOURCES)]
            if on_gpu:
                torch.cuda.reset_peak_memory_stats()
                torch.cuda.synchronize()
            started = time.perf_counter()
            fuse_batch(runtime, generator, sources).cpu()  # waits for the device
            took = time.perf_counter() - started
        peak = torch.cuda.max_memory_allocated() / 2**20 if on_gpu else 0.0
    return took, peak


def _attending(attention: str) -> AbstractContextManager[Any]:
    """The context in which torch computes attention in this way; "fused" leaves it to torch."""
    return sdpa_kernel(SDPBackend.MATH) if attention == "math" else contextlib.nullcontext()


def _print_table(options: argparse.Namespace, seconds: dict[_Row, list[float]], megabytes: dict[_Row, float]) -> None:
    columns = ["network", "precision"]
    if options.attention != _DEFAULT_ATTENTION:  # most networks have none
        columns.append("attention")
    first = statistics.median(next(iter(seconds.values())))
    print(f"a pair of {options.width}x{options.height}")
    print(f"{_left(columns)}{'seconds':>10}{'ratio':>8}{'MB':>8}")
    for row, turns in seconds.items():
        took = statistics.median(turns)
        print(f"{_left(row[: len(columns)])}{took:>10.2f}{took / first:>8.2f}{megabytes[row]:>8.0f}")


def _left(words: Sequence[str]) -> str:
    return f"{words[0]:<20}" + "".join(f"{word:>10}" for word in words[1:])


if __name__ == "__main__":
    print(json.dumps(_fuse_once(_Row(*sys.argv[1:4]), *map(int, sys.argv[4:]))))
