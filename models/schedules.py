"""How the learning rate changes from epoch to epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau

from options.training import TrainingOptions


def linear_factor(epoch: int, n_epochs: int, n_epochs_decay: int) -> float:
    """Returns the factor of the learning rate in `epoch`, counted from 0.

    It is 1 for `n_epochs` epochs, then falls by equal steps over `n_epochs_decay` more, and would be 0 in the epoch
    after them.

    Example:
        >>> [linear_factor(epoch, n_epochs=2, n_epochs_decay=3) for epoch in range(6)]
        [1.0, 1.0, 0.75, 0.5, 0.25, 0.0]
    """
    return max(0.0, 1.0 - max(0, epoch - n_epochs + 1) / (n_epochs_decay + 1))


def cosine_factor(epoch: int, epochs: int) -> float:
    """Returns the factor of the learning rate in `epoch`, counted from 0: half a cosine from 1 to 0 over `epochs`.

    Example:
        >>> [round(cosine_factor(epoch, epochs=4), 3) for epoch in range(5)]
        [1.0, 0.854, 0.5, 0.146, 0.0]
    """
    return 0.5 * (1.0 + math.cos(math.pi * min(epoch / max(epochs, 1), 1.0)))


def multistep_factor(epoch: int, milestones: Sequence[int], decay: float) -> float:
    """Returns the factor of the learning rate in `epoch`, counted from 0: times `decay` after each of `milestones`.

    Example:
        >>> [multistep_factor(epoch, milestones=[1, 3], decay=0.5) for epoch in range(4)]
        [1.0, 0.5, 0.5, 0.25]
    """
    return decay ** sum(epoch >= milestone for milestone in milestones)


def build_scheduler(optimizer: Optimizer, training: TrainingOptions) -> LRScheduler:
    """Builds the schedule of one optimiser; `step()` is called once at the end of each epoch.

    Args:
        optimizer: the schedule starts from its present learning rates.
        training: the policy, and its options. "linear", see `linear_factor`; "step", times `lr_decay_factor` every
            `lr_decay_iters` epochs; "multistep", see `multistep_factor`; "plateau", times 0.2 when the quality given to
            `step(quality)` has not risen by 1 % for more than 5 steps; "cosine", from the learning rate to 0 over all
            epochs; none below `lr_min`.
    """
    if training.lr_policy == "plateau":
        return ReduceLROnPlateau(optimizer, mode="max", factor=0.2, threshold=0.01, patience=5, min_lr=training.lr_min)
    factors: dict[str, Callable[[int], float]] = {
        "linear": lambda epoch: linear_factor(epoch, training.n_epochs, training.n_epochs_decay),
        "step": lambda epoch: training.lr_decay_factor ** (epoch // training.lr_decay_iters),
        "multistep": lambda epoch: multistep_factor(epoch, training.lr_milestones, training.lr_decay_factor),
        "cosine": lambda epoch: cosine_factor(epoch, training.last_epoch),
    }
    lowest = training.lr_min / optimizer.param_groups[0]["lr"]
    return LambdaLR(optimizer, lambda epoch: max(factors[training.lr_policy](epoch), lowest))


def restore_scheduler(scheduler: LRScheduler, state: Mapping[str, Any]) -> None:
    """Brings a schedule and its optimiser's rates to the epoch of a saved one.

    All policies but "plateau" are functions of the epoch, so the rate comes from the present options: a training that
    is resumed with more epochs or another --lr follows the new schedule.

    Args:
        scheduler: from `build_scheduler`; its optimiser's rates are set as well.
        state: what the saved schedule's `state_dict` returned.
    """
    if not isinstance(scheduler, LambdaLR):
        scheduler.load_state_dict(dict(state))
        return
    scheduler.last_epoch = state["last_epoch"]
    for group, base, factor in zip(
        scheduler.optimizer.param_groups, scheduler.base_lrs, scheduler.lr_lambdas, strict=True
    ):
        group["lr"] = base * factor(scheduler.last_epoch)
