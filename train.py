"""Trains a fusion network: photographs or pairs → sources and target → networks and losses → checkpoints.

    python train.py --dataroot datasets/PMF --name PMF_R2GAN

`python train.py --help` lists the options of the components selected; docs/ explains them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from engine.launch import ProcessRank, launch, leave, one_of_several
from options.commands import parse_train
from options.saved import options_to_continue
from options.validate import validate_train
from util.errors import run_command


def main(argv: Sequence[str]) -> int:
    """Parses the options, starts a process per device, and in each builds the parts and trains."""
    process = ProcessRank.from_environment()
    with one_of_several(process):
        config, parsed = parse_train(argv, options_to_continue(argv))
        notices = validate_train(config, parsed)
        if process == ProcessRank() and config.run.processes > 1:
            return launch(Path(__file__), argv, config.run.processes)

        # After the parse, so that --help and a mistyped option answer at once, without waiting for torch.
        from engine.assembly import build_runtime, set_up_logging  # noqa: PLC0415
        from engine.training.begin_training import begin_training  # noqa: PLC0415

        set_up_logging(config.run.verbose, process.rank)
        if process.rank == 0:
            sys.stderr.writelines(f"{notice}\n" for notice in notices)
        with build_runtime(config, process) as runtime:
            begin_training(config, runtime).fit()
    return 0


if __name__ == "__main__":
    leave(lambda: run_command(main))
