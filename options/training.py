"""Options of train.py alone."""

from __future__ import annotations

from dataclasses import dataclass

from options.fields import Options, option


@dataclass(frozen=True)
class TrainingOptions(Options):
    """Length, rate, rhythm and validation of a training. Every frequency counts samples or epochs, never steps."""

    batch_size: int = option(8, "samples per step, of all processes together")
    accumulate: int = option(
        1, "compute each batch in this many parts and add their gradients, which needs less memory"
    )
    sync_bn: bool = option(True, "with several GPUs, compute batch norm's statistics over all of them")
    n_epochs: int = option(100, "epochs at the full learning rate")
    n_epochs_decay: int = option(100, "epochs over which the learning rate then goes linearly to zero")
    lr: float = option(0.0002, "learning rate of Adam")
    beta1: float = option(0.5, "first momentum of Adam")
    clip_grad: float = option(
        0.0, "largest norm of a network's gradient (--model smfnet: of each part's), such as 100; 0 does not limit it"
    )
    lr_policy: str = option(
        "linear", "learning rate over the epochs", choices=("linear", "step", "multistep", "plateau", "cosine")
    )
    lr_decay_iters: int = option(50, "epochs between two steps of --lr_policy step")
    lr_milestones: tuple[int, ...] = option(
        (), "after how many epochs --lr_policy multistep makes its steps, such as 20 40 45 47", metavar="EPOCHS"
    )
    lr_decay_factor: float = option(
        0.1, "what the learning rate is multiplied by at a step of --lr_policy step and multistep"
    )
    lr_min: float = option(0.0, "learning rate that no --lr_policy goes below")
    init_type: str = option("normal", "initial weights", choices=("normal", "xavier", "kaiming", "orthogonal"))
    init_gain: float = option(0.02, "scale of the initial weights of --init_type normal, xavier and orthogonal")
    ema: float = option(0.0, "decay of an exponential moving average of the generator, such as 0.999; 0 is off")
    continue_train: bool = option(False, "go on from the last saved state of --name, with its options")
    accept_changes: bool = option(False, "with --continue_train: go on with the options given, though they differ")
    overwrite: bool = option(False, "start anew although --name already holds a training, which is lost")
    val_dataroot: str = option(
        "", "folder of validation items, with a target where training needs one; the best epoch is kept", metavar="DIR"
    )
    val_roles: str = option(
        "", "which folders of --val_dataroot are the sources, in this order, such as ir,vi; default: as --roles says"
    )
    val_freq: int = option(1, "epochs between two validations")
    save_epoch_freq: int = option(5, "epochs between two numbered checkpoints")
    save_latest_freq: int = option(5000, "samples between two savings of the latest state")
    print_freq: int = option(100, "samples between two records of the losses")
    update_html_freq: int = option(1000, "samples between two rows of images, on the page and the dashboards")
