"""Options that train.py and test.py have in common."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from options.fields import Options, option
from util.errors import UserError
from util.files import natural_key
from util.suggest import suggest

MOST_LISTED = 5
OPTIONS_FILE = "options.json"  # what travels with the networks of a run
GENERAL = "general"  # what test.py fuses with where no run is named
SHIPPED = Path(__file__).resolve().parents[1] / "weights"


@dataclass(frozen=True)
class RunOptions(Options):
    """Options of every run: name, devices, random numbers, precision."""

    name: str = option("experiment_name", "name of the run: its folder under --checkpoints_dir and --results_dir")
    checkpoints_dir: str = option("./checkpoints", "folder that holds the folders of the runs")
    gpu_ids: str = option(
        "",
        "GPUs to use, such as 0 or 0,1 to train in a process on each; -1 is the CPU, -1,-1 two processes on it; by "
        "default GPU 0 where there is one",
    )
    seed: int = option(
        0,
        "seed of the random numbers: initial weights, dropout, data order, augmentation",
        at_least=0,
        at_most=2**32 - 1,
    )
    precision: str = option("32", "32-bit floats, or bfloat16 where it is safe", choices=("32", "bf16"))
    channels_last: bool = option(True, "keep tensors channels-last in memory, which is faster on CPUs and new GPUs")
    compile: bool = option(False, "compile the generator with torch.compile")
    verbose: bool = option(False, "print the networks, and tracebacks of errors")

    @property
    def folder(self) -> Path:
        """The folder of the run, in which a training writes."""
        return Path(self.checkpoints_dir) / self.name

    @property
    def networks_folder(self) -> Path:
        """Where the networks of the name are: the folder of the run, else that of the weights that ship."""
        shipped = SHIPPED / self.name
        return shipped if shipped.is_dir() and not self.folder.is_dir() else self.folder

    @property
    def processes(self) -> int:
        """How many processes a training has, one for each device named."""
        return max(1, len(self.gpu_ids.split(",")))

    @property
    def runs(self) -> list[str]:
        """The names of the runs that are there: the folders of --checkpoints_dir that hold networks."""
        return sorted({path.parent.name for path in Path(self.checkpoints_dir).glob("*/*_net_*.pth")}, key=natural_key)

    def check(self, config: Any) -> None:  # noqa: ARG002
        """The name is that of a folder, the GPUs are numbers, each named once."""
        check_run_name(self.name)
        if self.gpu_ids and not re.fullmatch(r"-1(,-1)*|\d+(,\d+)*", self.gpu_ids.replace(" ", "")):
            raise UserError(f"--gpu_ids {self.gpu_ids!r}: expected numbers such as 0 or 0,1, or -1 for the CPU")
        ids = [int(part) for part in self.gpu_ids.split(",") if part.strip()]
        if len(set(ids)) < len(ids) and -1 not in ids:
            raise UserError(f"--gpu_ids {self.gpu_ids}: a GPU is named twice")

    def check_exists(self, *, named: bool) -> None:
        """Checks that there is a run of this name, which the user gave if it is `named`.

        Raises:
            UserError: there is none; those that are near it, or some that are there, are named.
        """
        if self.networks_folder.is_dir():
            return
        runs = self.runs
        more = f" and {len(runs) - MOST_LISTED} more" if len(runs) > MOST_LISTED else ""
        listed = f"; there are: {', '.join(runs[:MOST_LISTED])}{more}"
        if not runs:
            listed = ", which holds none; --checkpoints_dir DIR names another folder"
        if not named:
            raise UserError(f"--name is missing: name a run of {self.checkpoints_dir}{listed}")
        near = suggest(self.name, [*runs, *shipped_names()]) or listed
        raise UserError(f"--name {self.name}: there is no such run in {self.checkpoints_dir}{near}")


def shipped_names() -> list[str]:
    """The names of the weights that ship."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{OPTIONS_FILE}"))


def check_run_name(name: str) -> None:
    """Raises `UserError` unless `name` is that of a folder, which leads nowhere else."""
    if not name or name in (".", "..") or any(mark in name for mark in "/\\\0"):
        raise UserError(f"--name {name!r}: expected the name of a folder, without slashes")
