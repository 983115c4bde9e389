"""Options of every run: its name, its machine, its randomness."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from options.fields import Options, option
from util.errors import UserError
from util.files import natural_key


@dataclass(frozen=True)
class RunOptions(Options):
    """What a training and a test have in common."""

    name: str = option("experiment_name", "name of the run: its folder under --checkpoints_dir and --results_dir")
    checkpoints_dir: str = option("./checkpoints", "folder that holds the folders of the runs")
    gpu_ids: str = option(
        "",
        "GPUs to use, such as 0 or 0,1 to train in a process on each; -1 is the CPU, -1,-1 two processes on it; by "
        "default GPU 0 where there is one",
    )
    seed: int = option(0, "seed of everything random: initial weights, dropout, data order, augmentation")
    precision: str = option("32", "arithmetic: 32 bit floats, or bfloat16 where it is safe", choices=("32", "bf16"))
    channels_last: bool = option(True, "keep tensors channels-last in memory, which is faster on CPUs and new GPUs")
    compile: bool = option(False, "compile the generator with torch.compile")
    verbose: bool = option(False, "print the networks, and tracebacks of errors")

    @property
    def folder(self) -> Path:
        """The folder of the run: the one place that says where a name is looked for."""
        return Path(self.checkpoints_dir) / self.name

    @property
    def processes(self) -> int:
        """How many processes a training has, one for each device named."""
        return max(1, len(self.gpu_ids.split(",")))

    @property
    def runs(self) -> list[str]:
        """The names of the runs that are there: the folders of --checkpoints_dir that hold networks."""
        return sorted({path.parent.name for path in Path(self.checkpoints_dir).glob("*/*_net_*.pth")}, key=natural_key)

    def check(self, config: Any) -> None:  # noqa: ARG002
        """Raises `UserError` for what names no devices."""
        if self.gpu_ids and not re.fullmatch(r"-1(,-1)*|\d+(,\d+)*", self.gpu_ids.replace(" ", "")):
            raise UserError(f"--gpu_ids {self.gpu_ids!r}: expected numbers such as 0 or 0,1, or -1 for the CPU")
        ids = [int(part) for part in self.gpu_ids.split(",") if part.strip()]
        if len(set(ids)) < len(ids) and -1 not in ids:
            raise UserError(f"--gpu_ids {self.gpu_ids}: a GPU is named twice")
