"""Like train.py, in 64-bit floats: without rounding to hide behind, two ways to compute the same must agree closely."""

import dataclasses
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.assembly import build_runtime
from engine.launch import ProcessRank, launch
from engine.training.begin_training import begin_training
from options.commands import parse_train


def main(argv):
    config, _ = parse_train(argv)
    place = ProcessRank.from_environment()
    if place == ProcessRank() and config.run.processes > 1:
        return launch(Path(__file__), argv, config.run.processes)
    torch.set_default_dtype(torch.float64)
    config = dataclasses.replace(config, run=dataclasses.replace(config.run, precision="64"))
    with build_runtime(config, place) as runtime:
        begin_training(config, runtime).fit()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
