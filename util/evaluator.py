"""Fuses a test set, writes the pictures and measures them."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from data.base_dataset import FusionDataset, Pictures
from data.image_io import Picture, write_image
from util.errors import UserError
from util.fusing import plain_average, saved_levels
from util.metrics import REFERENCE_METRICS
from util.picture_fuser import PictureFuser, Plan
from util.results import ItemResult

AVERAGE = "_average"
_LARGE_ITEM = 200_000_000  # bytes; two of more than this are never in memory at once
_LONGEST_NAME = 255  # bytes, on the file systems in use


class Evaluator:
    """Fuses the items of a dataset into `folder`.

    Args:
        fuser: fuses pictures.
        folder: the results folder.
        metrics: names of `util.metrics.REFERENCE_METRICS` to compute where an item has a target.
        skip_bad: leave out items that cannot be read, instead of stopping.

    Attributes:
        seconds: what fusing took, without reading and writing.
        skipped: a line on each item that was left out.
    """

    def __init__(
        self, fuser: PictureFuser, folder: Path, metrics: Sequence[str] = (), *, skip_bad: bool = False
    ) -> None:
        self._fuser = fuser
        self._folder = folder
        self._metrics = metrics
        self._skip_bad = skip_bad
        self.seconds = 0.0
        self.skipped: list[str] = []

    def run(self, dataset: FusionDataset, *, batch_size: int = 1, read_ahead: bool = True) -> list[ItemResult]:
        """Fuses, writes and measures all items.

        Args:
            dataset: the items.
            batch_size: how many neighbours of one size and kind are fused together.
            read_ahead: read an item while the one before it is fused.

        Returns:
            One result per item, in order.

        Raises:
            UserError: an item that cannot be used, or two items with the same name.
        """
        for stale in ("index.html", "metrics.csv", "metrics.json"):  # of an earlier test: they describe other pictures
            (self._folder / stale).unlink(missing_ok=True)
        results: list[ItemResult] = []
        seen: set[str] = set()
        with tqdm(total=len(dataset), unit="picture", dynamic_ncols=True) as bar:
            for plan, group in self._groups(self._read(dataset, read_ahead), batch_size):
                for item in group:
                    if item.name in seen:
                        raise UserError(f"two items are called {item.name!r}: their results would overwrite each other")
                    seen.add(item.name)
                results += self._run_group(group, plan)
                bar.update(len(group))
        self._remove_others({path for result in results for path in result.pictures.values()})
        return results

    def _read(self, dataset: FusionDataset, read_ahead: bool) -> Iterator[Pictures]:
        with ThreadPoolExecutor(max_workers=1) as reader:
            waiting = None
            for index in range(len(dataset)):
                pending = waiting or reader.submit(dataset.pictures, index)
                waiting = None
                try:
                    item = pending.result()
                except UserError as error:
                    if not self._skip_bad:
                        raise
                    self.skipped.append(str(error))
                    continue
                if read_ahead and not _is_large(item) and index + 1 < len(dataset):
                    waiting = reader.submit(dataset.pictures, index + 1)
                del pending  # it would keep the pictures while the next ones are fused
                yield item
                del item

    def _groups(self, items: Iterator[Pictures], batch_size: int) -> Iterator[tuple[Plan, list[Pictures]]]:
        """Groups neighbours that can be fused together, at most `batch_size` at a time."""
        group: list[Pictures] = []
        plan: Plan | None = None
        for item in items:
            of_item = self._fuser.plan(item.sources)
            if plan is not None and group and plan != of_item:
                yield plan, group
                group = []
            group, plan = [*group, item], of_item
            if len(group) == batch_size or _is_large(item):
                yield plan, group
                group = []
        if plan is not None and group:
            yield plan, group

    def _remove_others(self, written: set[str]) -> None:
        """Removes pictures of an earlier test from the folder, which would be measured and counted with these."""
        for sub_folder in ("fused", "images"):
            for pattern in ("*.png", ".*.tmp"):  # the latter of a test that was killed
                for path in (self._folder / sub_folder).glob(pattern):
                    if f"{sub_folder}/{path.name}" not in written:
                        path.unlink()

    def _run_group(self, group: Sequence[Pictures], plan: Plan) -> list[ItemResult]:
        started = time.perf_counter()
        fused = self._fuser.fuse([item.sources for item in group], plan)
        self.seconds += time.perf_counter() - started
        return [self._finish(item, picture) for item, picture in zip(group, fused, strict=True)]

    def _finish(self, item: Pictures, fused: Picture) -> ItemResult:
        pictures = {"fused": f"fused/{file_name(item.name, '.png')}"}
        write_image(self._folder / pictures["fused"], fused)
        roles = item.roles if len(item.roles) == len(item.sources) else ("",) * len(item.sources)
        shown = {
            f"source {i} {role}".strip(): source
            for i, (role, source) in enumerate(zip(roles, item.sources, strict=True), start=1)
        }
        values: dict[str, float] = {}
        if item.target is not None:
            shown["target"] = item.target
            if self._metrics:
                values = self._measure(item, fused)
        for label, picture in shown.items():
            ending = "_".join(["", *label.split(" ")[:2]])  # without the role, which may hold anything
            pictures[label] = f"images/{file_name(item.name, f'{ending}.png')}"
            write_image(self._folder / pictures[label], _in_8_bits(picture))
        ordered = {label: pictures[label] for label in sorted(pictures, key=_reading_order)}
        return ItemResult(item.name, (fused.shape[1], fused.shape[0]), ordered, values)

    def _measure(self, item: Pictures, fused: Picture) -> dict[str, float]:
        assert item.target is not None
        average = saved_levels(plain_average([_levels(source) / 255 for source in item.sources]))
        wanted = _levels(item.target)
        return {
            metric + suffix: float(REFERENCE_METRICS[metric](levels, wanted))
            for suffix, levels in (("", _levels(fused)), (AVERAGE, average))
            for metric in self._metrics
        }


def file_name(name: str, ending: str) -> str:
    """Returns a file's name for an item; a name too long for the file system is cut and made unique again.

    Args:
        name: the item's.
        ending: what follows it.
    """
    raw = os.fsencode(name)
    room = _LONGEST_NAME - len(os.fsencode(ending))
    if len(raw) <= room:
        return name + ending
    mark = f"~{hashlib.sha256(raw).hexdigest()[:8]}"
    return raw[: room - len(mark)].decode("utf-8", errors="ignore") + mark + ending


def parse_metrics(text: str) -> list[str]:
    """Reads the value of --metrics.

    Raises:
        UserError: a metric that does not exist.
    """
    if text == "none":
        return []
    if text == "all":
        return list(REFERENCE_METRICS)
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in REFERENCE_METRICS:
            raise UserError(f"--metrics {text}: {name!r} is not one of: {', '.join(REFERENCE_METRICS)}, all, none")
    return names


def _is_large(item: Pictures) -> bool:
    return sum(source.nbytes for source in item.sources) > _LARGE_ITEM


def _levels(picture: Picture) -> Tensor:
    """A picture (H, W, 3) or (H, W) as levels from 0 to 255, (1, 3, H, W); those of 16 bits between whole levels."""
    levels = picture.astype(np.float32)
    if picture.dtype == np.uint16:
        levels /= 257
    planes = np.broadcast_to(levels[..., None], (*levels.shape, 3)) if levels.ndim == 2 else levels
    return torch.from_numpy(np.ascontiguousarray(planes.transpose(2, 0, 1)))[None]


def _in_8_bits(picture: Picture) -> Picture:
    """What a page shows of a picture."""
    return picture if picture.dtype == np.uint8 else np.rint(picture / 257).astype(np.uint8)


def _reading_order(label: str) -> int:
    """Sources first, in their order, then fused and target."""
    return {"s": 0, "f": 1, "t": 2}[label[0]]
