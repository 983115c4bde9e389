"""Builds the loggers that --loggers names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from options.commands import TrainConfig
from options.watching import LOGGERS, WatchingOptions
from util.errors import UserError, one_line
from util.loggers.events import LoggedRun, Logger, ResumePoint
from util.loggers.metrics_file import FileLogger


def run_facts(options: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """What a page says about a training, from those of its options that are there: group → option → value."""
    shown = {
        "model": ("selection", "model"),
        "generator": ("selection", "netG"),
        "discriminator": ("selection", "netD"),
        "data": ("data", "dataroot"),
        "batch size": ("training", "batch_size"),
    }
    facts = {name: str(options[group][key]) for name, (group, key) in shown.items() if key in options.get(group, {})}
    if "discriminator" in facts and not options.get("model", {}).get("lambda_GAN"):
        facts["discriminator"] = "none"
    training = options.get("training", {})
    if {"n_epochs", "n_epochs_decay"} <= set(training):
        facts["epochs"] = str(training["n_epochs"] + training["n_epochs_decay"])
    return facts


def check_loggers(options: WatchingOptions) -> None:
    """Checks that the packages of the chosen loggers are there, before anything is written.

    Raises:
        UserError: a package is not installed or broken. Visdom, which is chosen by default, is left out instead.
    """
    for name in options.chosen():
        try:
            resolve_name(LOGGERS[name])
        except ModuleNotFoundError as error:
            raise UserError(f"--loggers {name}: the package is not installed: python -m pip install {name}") from error
        except Exception as error:  # a broken package may fail in any way
            reason = one_line(str(error) or type(error).__name__)
            raise UserError(f"--loggers {name}: the package cannot be imported ({reason})") from error


def build_loggers(
    config: TrainConfig, folder: Path, facts: Mapping[str, str], *, total_samples: int, resume_at: ResumePoint | None
) -> list[Logger]:
    """Builds the loggers of a training; see `LoggedRun` for the arguments.

    Returns:
        The records on disk first: they are there whatever becomes of the others.

    Raises:
        UserError: the folder cannot be written to.
    """
    run = LoggedRun(config.run.name, folder, facts, total_samples, resume_at, config.watching)
    files = FileLogger(run)  # before the others, which read what it keeps
    started = [resolve_name(LOGGERS[name])(run) for name in config.watching.chosen()]
    return [files, *(logger for logger in started if logger)]
