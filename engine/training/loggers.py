"""Who is told how a training goes: builds the loggers that --loggers names."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from options.commands import TrainConfig
from options.watching import WatchingOptions
from util.errors import UserError, one_line
from util.loggers import (
    BackgroundLogger,
    Board,
    ConsoleLogger,
    FileLogger,
    GuardedLogger,
    Logger,
    PageLogger,
    ResumePoint,
    VisdomLogger,
    fill_board,
    read_records,
)

log = logging.getLogger(__name__)

# What the loggers import; a package that is there may still be broken.
_IMPORTS = {"tensorboard": "torch.utils.tensorboard", "wandb": "wandb"}


def check_loggers(options: WatchingOptions) -> None:
    """Says before anything is written that a logger cannot be had.

    Raises:
        UserError: its package is not installed or broken, or an option of it makes no sense. Visdom, which is chosen by
            default, is only left out when its package is not installed or broken.
    """
    for name, module in _IMPORTS.items():
        if name not in options.chosen():
            continue
        if find_spec(name) is None:
            raise UserError(f"--loggers {name}: the package is not installed: python -m pip install {name}")
        try:
            importlib.import_module(module)
        except Exception as error:  # a broken package may fail in any way
            reason = one_line(str(error) or type(error).__name__)
            raise UserError(f"--loggers {name}: the package cannot be imported ({reason})") from error
    if "visdom" in options.chosen():
        check_address(options.display_server)


def check_address(server: str) -> None:
    """Says what is wrong with the value of --display_server.

    Raises:
        UserError: it is no address, or has more in it than a host.
    """
    if any(mark.isspace() for mark in server):  # which urlsplit would partly pass over
        raise UserError(f"--display_server {server}: is no address (it has white space in it)")
    try:
        address = urlsplit(server if "://" in server else f"http://{server}")
        port = address.port
    except ValueError as error:
        raise UserError(f"--display_server {server}: is no address ({error})") from error
    if address.scheme not in ("http", "https") or not address.hostname:
        raise UserError(f"--display_server {server}: is no address such as http://localhost")
    if address.username is not None or address.password is not None:  # not repeated: it is a password
        raise UserError("--display_server: an address with a name or a password in it is not supported")
    if port is not None:
        raise UserError(f"--display_server {server}: the port goes to --display_port")
    if address.path not in ("", "/") or "?" in server or "#" in server:
        raise UserError(f"--display_server {server}: has more in it than a host, such as http://localhost")


def build_loggers(
    config: TrainConfig, folder: Path, facts: Mapping[str, str], *, total_samples: int, resume_at: ResumePoint | None
) -> list[Logger]:
    """Builds the listeners of a training.

    Args:
        config: the options.
        folder: the run's folder.
        facts: what a reader should know about the training.
        total_samples: samples of the whole training.
        resume_at: where the training resumes; None starts it.

    Returns:
        The records on disk first: they are there whatever becomes of the others.

    Raises:
        UserError: the folder cannot be written to.
    """
    loggers: list[Logger] = [FileLogger(folder, resume_at)]
    for name in config.watching.chosen():
        if name == "console":
            console = ConsoleLogger(total_samples, resume_at.samples if resume_at else 0)
            loggers.append(GuardedLogger("The console", console, "--loggers page leaves it out."))
        elif name == "page":
            page = PageLogger(folder / "web", config.run.name, facts, resume_at)
            loggers.append(GuardedLogger("The training page", page, "--no_html leaves it out."))
        elif name == "visdom":
            loggers += _visdom(config, folder, facts, resume_at)
        elif name == "tensorboard":
            loggers.append(_tensorboard(folder, facts, resume_at))
        elif name == "wandb":
            loggers.append(_wandb(config, folder, facts, resumed=resume_at is not None))
    return loggers


def _visdom(config: TrainConfig, folder: Path, facts: Mapping[str, str], resume_at: ResumePoint | None) -> list[Logger]:
    """The dashboard that is chosen by default; nothing where its package is missing or broken."""
    if find_spec("visdom") is None:
        log.warning("Visdom is not installed and left out: python -m pip install visdom, or --display_id 0")
        return []
    try:
        from util.loggers.visdom_client import VisdomClient  # noqa: PLC0415  # only where it is chosen
    except Exception as error:  # a broken package may fail in any way
        reason = one_line(str(error) or type(error).__name__)
        log.warning("Visdom cannot be imported (%s) and is left out; --display_id 0 does so silently", reason)
        return []
    options, run = config.watching, config.run
    board = Board(run.name, facts)
    if resume_at is not None:
        fill_board(board, folder, resume_at.keeps)
    elsewhere = "" if run.checkpoints_dir == "./checkpoints" else f" --checkpoints_dir {run.checkpoints_dir}"
    logger = VisdomLogger(
        board,
        VisdomClient(options.display_server, options.display_port, options.display_env or run.name),
        prefix=f"{run.name}: ",
        where=f"{options.display_server}:{options.display_port}",
        advice="Start it with python -m visdom.server -bind_local, or show the run later with "
        f"python scripts/visdom_replay.py --name {run.name}{elsewhere}; --display_id 0 leaves it out.",
        fresh=resume_at is None,
    )
    return [logger]


def _tensorboard(folder: Path, facts: Mapping[str, str], resume_at: ResumePoint | None) -> BackgroundLogger:
    from util.loggers.tensorboard import TensorBoardLogger  # noqa: PLC0415  # only where it is chosen

    records = read_records(folder / "metrics.jsonl") if resume_at else []
    return BackgroundLogger(
        "TensorBoard",
        lambda: TensorBoardLogger(folder / "tensorboard", facts, resume_at, records),
        advice="The event files end here.",
    )


def _wandb(config: TrainConfig, folder: Path, facts: Mapping[str, str], *, resumed: bool) -> BackgroundLogger:
    from util.loggers.wandb import WandbLogger  # noqa: PLC0415  # only where it is chosen

    project, name = config.watching.wandb_project_name, config.run.name
    return BackgroundLogger(
        "W&B",
        lambda: WandbLogger(folder, project, name, facts, resumed=resumed),
        advice="Log in with wandb login, or record without a connection: WANDB_MODE=offline.",
    )
