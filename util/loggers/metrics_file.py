"""The record on disk: metrics.jsonl for programs and loss_log.txt for people."""

from __future__ import annotations

import contextlib
from pathlib import Path

from util.journal import Entry, Journal, finite_or_text, read_journal
from util.loggers.events import LoggedRun, TrainingEvent


class FileLogger:
    """Appends one line per record, so that the curves are there whatever becomes of the run.

    Of a resumed run, the records after the point where it resumes are dropped: it makes them again.
    """

    def __init__(self, run: LoggedRun) -> None:
        path, resume_at = run.folder / "metrics.jsonl", run.resume_at
        kept = [record for record in read_records(path) if resume_at.keeps(record)] if resume_at else []
        self._journals = (Journal(path, kept), Journal(run.folder / "loss_log.txt", kept, to_line=_readable))

    def handle(self, event: TrainingEvent) -> None:
        """Takes in an event."""
        if event.kind in ("losses", "validation"):
            record = {"kind": event.kind, "epoch": event.epoch, "samples": event.samples}
            for journal in self._journals:
                journal.append(record | finite_or_text(event.values))


def read_records(path: Path) -> list[Entry]:
    """Reads a metrics.jsonl; lines torn by a crash or written by others are left out."""
    return [
        record
        for record in read_journal(path)
        if {"kind", "epoch"} <= set(record) and isinstance(record.get("samples"), int)
    ]


def read_values(record: Entry) -> dict[str, float]:
    """The values of a record by name; "nan" and "inf", written as text, are numbers again."""
    values = {}
    for name, value in record.items():
        if name not in ("kind", "epoch", "samples"):
            with contextlib.suppress(TypeError, ValueError):  # a line that somebody else wrote
                values[name] = float(value)
    return values


def _readable(record: Entry) -> str:
    shown = " ".join(
        f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}"
        for name, value in record.items()
        if name not in ("kind", "epoch", "samples")
    )
    kind = "validation, " if record["kind"] == "validation" else ""
    return f"({kind}epoch: {record['epoch']}, samples: {record['samples']}) {shown}"
