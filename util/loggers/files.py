"""The record on disk: metrics.jsonl for programs and loss_log.txt for people."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path

from util.files import append_text, write_text
from util.loggers.events import ResumePoint, TrainingEvent

Record = dict[str, float | str]


class FileLogger:
    """Appends one line per record, so that the curves are there whatever becomes of the run.

    Args:
        folder: the run's folder.
        resume_at: where the training goes on; later records, which the continued run makes again, are dropped. None
            starts the files anew.
    """

    def __init__(self, folder: Path, resume_at: ResumePoint | None = None) -> None:
        self._json_file = folder / "metrics.jsonl"
        self._text_file = folder / "loss_log.txt"
        records = read_records(self._json_file) if resume_at else []
        kept = [record for record in records if resume_at and resume_at.keeps(record)]
        write_text(self._json_file, "".join(json.dumps(record) + "\n" for record in kept))
        write_text(self._text_file, "".join(_readable(record) for record in kept))

    def handle(self, event: TrainingEvent) -> None:
        """Takes notice of an event."""
        if event.kind not in ("losses", "validation"):
            return
        record: Record = {"kind": event.kind, "epoch": event.epoch, "samples": event.samples}
        # JSON knows neither NaN nor infinity.
        record |= {name: value if math.isfinite(value) else str(value) for name, value in event.values.items()}
        append_text(self._json_file, json.dumps(record) + "\n")
        append_text(self._text_file, _readable(record))


def read_records(path: Path) -> list[Record]:
    """Reads a metrics.jsonl; lines torn by a crash or written by others are left out."""
    records: list[Record] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and {"kind", "epoch"} <= set(record) and isinstance(record.get("samples"), int):
            records.append(record)
    return records


def read_values(record: Record) -> dict[str, float]:
    """The values of a record by name; "nan" and "inf", written as text, are numbers again."""
    values = {}
    for name, value in record.items():
        if name not in ("kind", "epoch", "samples"):
            with contextlib.suppress(TypeError, ValueError):  # a line that somebody else wrote
                values[name] = float(value)
    return values


def _readable(record: Record) -> str:
    shown = " ".join(
        f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}"
        for name, value in record.items()
        if name not in ("kind", "epoch", "samples")
    )
    kind = "validation, " if record["kind"] == "validation" else ""
    return f"({kind}epoch: {record['epoch']}, samples: {record['samples']}) {shown}\n"
