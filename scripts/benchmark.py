"""Speed and memory of this machine, as ratios within one run: figures of two runs are not comparable."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.benchmarks import data, fusing, metrics, training
from util.errors import run_command
from util.suggest import check_choice

_WHAT = {"train": training.main, "test": fusing.main, "metrics": metrics.main, "data": data.main}
_USAGE = """usage: benchmark.py train|test|metrics|data [options]

  train     ways of training: precision, processes, watchers
  test      seconds and memory of fusing a pair, network by network
  metrics   seconds per image of every metric, and of all together
  data      training samples per second

benchmark.py train --help, and so on, list the options of each."""


def main(argv: Sequence[str]) -> int:
    """Runs the command; see --help."""
    if not argv or argv[0] in ("-h", "--help"):
        print(_USAGE)
        return 0
    check_choice("what to measure,", argv[0], _WHAT)
    return _WHAT[argv[0]](argv[1:])


if __name__ == "__main__":
    sys.exit(run_command(main))
