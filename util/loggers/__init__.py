"""Subscribers of a training's events: console, files, page, dashboards.

What needs a dashboard's own package is not imported here: `tensorboard`, `wandb`, `visdom_client`.
"""

from util.loggers.background import BackgroundLogger
from util.loggers.board import Board
from util.loggers.console import ConsoleLogger
from util.loggers.events import Logger, ResumePoint, TrainingEvent
from util.loggers.guarded import GuardedLogger
from util.loggers.metrics_file import FileLogger, read_records
from util.loggers.page import PageLogger
from util.loggers.recorded import fill_board
from util.loggers.visdom import VisdomLogger

__all__ = [
    "BackgroundLogger",
    "Board",
    "ConsoleLogger",
    "FileLogger",
    "GuardedLogger",
    "Logger",
    "PageLogger",
    "ResumePoint",
    "TrainingEvent",
    "VisdomLogger",
    "fill_board",
    "read_records",
]
