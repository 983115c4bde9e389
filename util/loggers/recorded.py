"""A board filled with what a training has recorded on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from util.errors import UserError
from util.images.image_io import read_image
from util.journal import read_journal
from util.loggers.board import Board
from util.loggers.metrics_file import read_records, read_values
from util.report.training_page import RECORDS


def fill_board(
    board: Board, folder: Path, keep: Callable[[Mapping[str, Any]], bool] | None = None, *, closed: bool = False
) -> None:
    """Puts the curves of metrics.jsonl and the newest images of the training page of a run's folder on a board.

    Args:
        board: where to put them.
        folder: of the run.
        keep: says which records to show; all by default.
        closed: the training sends no further events: say how it ended as far as the page knows.
    """
    for record in read_records(folder / "metrics.jsonl"):
        kind = record["kind"]
        if kind in ("losses", "validation") and (keep is None or keep(record)):
            board.add_values(kind, record["samples"], _epoch(record), read_values(record))
    page = read_journal(folder / "web" / RECORDS)
    sets = [record for record in page if record.get("kind") == "images" and (keep is None or keep(record))]
    if sets and isinstance(sets[-1].get("samples"), int):
        board.add_images(sets[-1]["samples"], _read_images(folder / "web", sets[-1]))
    if closed:
        last = page[-1] if page else {}
        board.state = str(last.get("status")) if last.get("kind") == "finish" else "as recorded, no end so far"


def _read_images(folder: Path, record: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The images of one record of the page; those that are gone or damaged are left out."""
    images: dict[str, np.ndarray] = {}
    for entry in record.get("images") or []:
        try:
            label, url = entry
            path = (folder / unquote(url, errors="surrogateescape")).resolve()
            if path.is_relative_to(folder.resolve()):
                images[str(label)] = read_image(path, bits=8)
        except (UserError, OSError, TypeError, ValueError):
            continue
    return images


def _epoch(record: Mapping[str, Any]) -> int:
    epoch = record.get("epoch")
    return epoch if isinstance(epoch, int) else 0
