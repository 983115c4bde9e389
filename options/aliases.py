"""Other spellings that the pix2pix family used over the years, so that old command lines keep working."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

# old spelling -> the option here
SYNONYMS: dict[str, str] = {
    "niter": "n_epochs",
    "niter_decay": "n_epochs_decay",
    "batchSize": "batch_size",
    "loadSize": "load_size",
    "fineSize": "crop_size",
    "nThreads": "num_threads",
    "num_workers": "num_threads",
    "which_epoch": "epoch",
    "which_model_netG": "netG",
    "which_model_netD": "netD",
    "resize_or_crop": "preprocess",
    "how_many": "num_test",
    "lambda_A": "lambda_L1",
    "n_layers_D": "n_layers",
}

# a flag that stood for a value of another option
SHORTHANDS: dict[str, tuple[str, str]] = {"no_lsgan": ("gan_mode", "vanilla")}

# accepted without effect: option -> (number of values it takes, why it has none)
WITHOUT_EFFECT: dict[str, tuple[int, str]] = {
    "direction": (1, "the sources and the target are told apart by their panel"),
    "which_direction": (1, "the sources and the target are told apart by their panel"),
    "pool_size": (1, "the discriminator sees the newest fused images, as in R2GAN"),
    "epoch_count": (1, "--continue_train resumes at the epoch where the run stopped"),
    "load_iter": (1, "choose the checkpoint with --epoch"),
    "save_by_iter": (0, "numbered checkpoints are saved by epoch"),
    "suffix": (1, "put it into --name"),
    "aspect_ratio": (1, "images keep their size"),
    "ntest": (1, "limit the items with --num_test"),
    "isTrain": (0, "train.py trains, test.py tests"),
    "display_freq": (1, "every watcher shows the images of --update_html_freq"),
    "display_ncols": (1, "each image has a window of its own"),
    "display_winsize": (1, "images are shown at their own size"),
}


def modernise(
    argv: Sequence[str], without_effect: Mapping[str, tuple[int, str]] = WITHOUT_EFFECT
) -> tuple[list[str], list[str]]:
    """Rewrites old spellings in the arguments as typed, and drops the options of `without_effect`.

    Returns:
        The arguments in today's spelling, and one line for each option that was accepted without having an effect.
    """
    words, notices = [], []
    arguments = list(argv)
    while arguments:
        word = arguments.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--"):
            words.append(word)
        elif (today := SYNONYMS.get(name, name)) in without_effect:
            count, reason = without_effect[today]
            notices.append(f"--{name} has no effect here: {reason}")
            if count and not equals and arguments:
                arguments.pop(0)
        elif name in SHORTHANDS:
            target, implied = SHORTHANDS[name]
            words += [f"--{target}", implied]
        elif arguments and re.fullmatch(r"-\d+(,-\d+)+", arguments[0]):
            words.append(f"--{today}={arguments.pop(0)}")  # argparse would take the value -1,-1 for an option
        else:
            words.append(f"--{today}{equals}{value}")
    return words, notices
