"""Options of train.py alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from options.fields import Options, Parsed, option, without_effect
from util.errors import UserError

INIT_TYPES = ("normal", "xavier", "kaiming", "orthogonal")


@dataclass(frozen=True)
class TrainingOptions(Options):
    """Optimisation, checkpoints and validation; frequencies are in samples or epochs."""

    batch_size: int = option(8, "samples per step, of all processes together", at_least=1)
    accumulate: int = option(
        1, "compute each batch in this many parts and accumulate their gradients, which needs less memory", at_least=1
    )
    sync_bn: bool = option(True, "with several GPUs, compute batch norm's statistics over all of them")
    n_epochs: int = option(100, "epochs at the full learning rate", at_least=0)
    n_epochs_decay: int = option(
        100, "epochs after that, over which the learning rate decays linearly to zero", at_least=0
    )
    lr: float = option(0.0002, "learning rate of Adam", above=0)
    beta1: float = option(0.5, "first momentum of Adam", at_least=0, below=1)
    clip_grad: float = option(
        0.0,
        "largest norm of a network's gradient (--model smfnet: of each part's), such as 100; 0 does not limit it",
        at_least=0,
    )
    lr_policy: str = option(
        "linear", "schedule of the learning rate", choices=("linear", "step", "multistep", "plateau", "cosine")
    )
    lr_decay_iters: int = option(50, "epochs between two decays with --lr_policy step", at_least=1)
    lr_milestones: tuple[int, ...] = option(
        (),
        "epochs after which the learning rate decays with --lr_policy multistep, such as 20 40 45 47",
        metavar="EPOCHS",
    )
    lr_decay_factor: float = option(0.1, "factor of each decay with --lr_policy step and multistep", above=0, at_most=1)
    lr_min: float = option(0.0, "lower bound of the learning rate", at_least=0)
    init_type: str = option("normal", "distribution of the initial weights", choices=INIT_TYPES)
    init_gain: float = option(
        0.02, "scale of the initial weights with --init_type normal, xavier and orthogonal", above=0
    )
    ema: float = option(
        0.0, "decay of an exponential moving average of the generator, such as 0.999; 0 is off", at_least=0, below=1
    )
    continue_train: bool = option(False, "resume from the last saved state of --name, with its options")
    accept_changes: bool = option(False, "with --continue_train: resume with the options given, though they differ")
    overwrite: bool = option(False, "delete the training that --name already holds and start anew")
    val_dataroot: str = option(
        "", "folder of validation items, with a target where training needs one; the best epoch is kept", metavar="DIR"
    )
    val_roles: str = option(
        "", "which folders of --val_dataroot are the sources, in this order, such as ir,vi; default: as --roles says"
    )
    val_freq: int = option(1, "epochs between two validations", at_least=1)
    save_epoch_freq: int = option(5, "epochs between two numbered checkpoints", at_least=1)
    save_latest_freq: int = option(5000, "samples between two saves of the latest state", at_least=1)
    print_freq: int = option(100, "samples between two records of the losses", at_least=1)
    update_html_freq: int = option(
        1000, "samples between two rows of images, on the page and the dashboards", at_least=1
    )

    @property
    def last_epoch(self) -> int:
        """How many epochs the training has."""
        return self.n_epochs + self.n_epochs_decay

    def check(self, config: Any) -> None:  # noqa: ARG002
        """See `Options.check`."""
        if self.last_epoch < 1:
            raise UserError("--n_epochs 0 --n_epochs_decay 0: expected at least one epoch in all")
        if self.lr_min > self.lr:
            raise UserError(f"--lr_min {self.lr_min}: expected a rate from 0 to that of --lr, {self.lr}")
        milestones = self.lr_milestones
        if self.lr_policy == "multistep" and not milestones:
            raise UserError(
                "--lr_policy multistep: add --lr_milestones, after how many epochs the rate falls: 20 40 45 47"
            )
        if list(milestones) != sorted(set(milestones)) or min(milestones, default=1) < 1:
            given = " ".join(map(str, milestones))
            raise UserError(
                f"--lr_milestones {given}: expected rising numbers of epochs from 1 on, such as 20 40 45 47"
            )
        if self.continue_train and self.overwrite:
            raise UserError("--continue_train resumes a run, --overwrite deletes it: choose one")
        if self.lr_policy == "plateau" and not self.val_dataroot:
            raise UserError("--lr_policy plateau watches the validation: add --val_dataroot DIR")
        if self.val_dataroot and not Path(self.val_dataroot).is_dir():
            missing = "expected a folder of images" if Path(self.val_dataroot).is_file() else "no such folder"
            raise UserError(f"--val_dataroot {self.val_dataroot}: {missing}")

    def notices(self, config: Any, parsed: Parsed) -> list[str]:  # noqa: ARG002
        """See `Options.notices`."""
        owner_of_factor = "multistep" if self.lr_policy == "multistep" else "step"
        owners = {"lr_decay_iters": "step", "lr_milestones": "multistep", "lr_decay_factor": owner_of_factor}
        notices = without_effect(parsed, "lr_policy", self.lr_policy, owners)
        if self.lr_policy == "multistep" and self.lr_milestones[-1] >= self.last_epoch:
            last = self.last_epoch
            notices.append(f"--lr_milestones {self.lr_milestones[-1]}: no epoch comes after it, the last one is {last}")
        return notices
