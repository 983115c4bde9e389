"""Fuses a test set, writes the images and measures them."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from data.base_dataset import Scene, SceneDataset
from engine.fusing.batch import plain_average, saved_levels
from engine.fusing.fuser import Fuser, Plan
from engine.fusing.results import ItemResult
from util.errors import UserError
from util.images.image_io import write_image
from util.images.levels import Image, to_8_bits
from util.metrics import REFERENCE_SUFFIX, compute_metrics
from util.metrics.measuring import as_levels, measure_image
from util.metrics.tables import AVERAGE

log = logging.getLogger(__name__)

_LARGE_ITEM = 200_000_000  # bytes; two of more than this are never in memory at once
_LONGEST_NAME = 255  # bytes, on the file systems in use


class SetFuser:
    """Fuses the items of a dataset into `folder`.

    Args:
        fuser: fuses images.
        folder: where the results go.
        metrics: see `util.metrics.compute_metrics`; those against a reference where an item has a target.
        largest: images with more pixels are not measured, which takes 200 to 500 bytes per pixel; None for any size.
        skip_bad: leave out items that cannot be read, instead of stopping.
        save_decomposition: also write the images that the network decomposes the sources into.

    Attributes:
        folder: the results folder.
        seconds: what fusing took, without reading and writing.
        skipped: a line on each item that was left out.
        unmeasured: how many images were too large to be measured.
    """

    def __init__(
        self,
        fuser: Fuser,
        folder: Path,
        metrics: Sequence[str] = (),
        *,
        largest: int | None = None,
        skip_bad: bool = False,
        save_decomposition: bool = False,
    ) -> None:
        self._fuser = fuser
        self.folder = folder
        self._metrics = metrics
        self._largest = largest
        self._skip_bad = skip_bad
        self._save_decomposition = save_decomposition
        self.seconds = 0.0
        self.skipped: list[str] = []
        self.unmeasured = 0

    def run(self, dataset: SceneDataset, *, batch_size: int = 1, read_ahead: bool = True) -> list[ItemResult]:
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
        for stale in ("index.html", "metrics.csv", "metrics.json"):  # of an earlier test: they describe other images
            (self.folder / stale).unlink(missing_ok=True)
        results: list[ItemResult] = []
        seen: set[str] = set()
        with tqdm(total=len(dataset), unit="image", dynamic_ncols=True) as bar:
            for plan, group in self._groups(self._read(dataset, read_ahead), batch_size):
                for item in group:
                    if item.name in seen:
                        raise UserError(f"two items are called {item.name!r}: their results would overwrite each other")
                    seen.add(item.name)
                results += self._run_group(group, plan)
                bar.update(len(group))
        self._remove_others({path for result in results for path in result.images.values()})
        return results

    def _read(self, dataset: SceneDataset, read_ahead: bool) -> Iterator[Scene]:
        with ThreadPoolExecutor(max_workers=1) as reader:
            waiting = None
            for index in range(len(dataset)):
                pending = waiting or reader.submit(dataset.scene, index)
                waiting = None
                try:
                    item = pending.result()
                except UserError as error:
                    if not self._skip_bad:
                        raise
                    self.skipped.append(str(error))
                    continue
                if read_ahead and not _is_large(item) and index + 1 < len(dataset):
                    waiting = reader.submit(dataset.scene, index + 1)
                del pending  # it would keep the images while the next ones are fused
                yield item
                del item

    def _groups(self, items: Iterator[Scene], batch_size: int) -> Iterator[tuple[Plan, list[Scene]]]:
        """Groups neighbours that can be fused together, at most `batch_size` at a time."""
        group: list[Scene] = []
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
        """Removes images of an earlier test from the folder, which would be measured and counted with these."""
        replaced = 0
        for sub_folder in ("fused", "images", "decomposition"):
            for pattern in ("*.png", ".*.tmp"):  # the latter of a test that was killed
                for path in (self.folder / sub_folder).glob(pattern):
                    if f"{sub_folder}/{path.name}" not in written:
                        path.unlink()
                        replaced += (sub_folder, pattern) == ("fused", "*.png")
        if replaced:
            log.warning(
                "%s: %d fused images of an earlier test of other items are gone; --results_dir keeps sets apart.",
                self.folder,
                replaced,
            )

    def _run_group(self, group: Sequence[Scene], plan: Plan) -> list[ItemResult]:
        started = time.perf_counter()
        sources = [item.sources for item in group]
        fused = self._fuser.fuse_images(sources, plan)
        self.seconds += time.perf_counter() - started
        parts = self._fuser.decompose_images(sources, plan) if self._save_decomposition else [{} for _ in group]
        results = []
        for item, image, of_item in zip(group, fused, parts, strict=True):
            images, values = self._write(item, image, of_item), self._measure(item, image)
            results.append(ItemResult(item.name, (image.shape[1], image.shape[0]), images, values))
        return results

    def _write(self, item: Scene, fused: Image, parts: Mapping[str, Image]) -> dict[str, str]:
        """Writes the images of an item; returns label → path relative to the folder, in reading order."""
        images = {"fused": f"fused/{file_name(item.name, '.png')}"}
        write_image(self.folder / images["fused"], fused)
        for label, part in parts.items():
            images[label] = f"decomposition/{file_name(item.name, f'_{label}.png'.replace(' ', '_'))}"
            write_image(self.folder / images[label], part)
        roles = item.roles if len(item.roles) == len(item.sources) else ("",) * len(item.sources)
        shown = {
            f"source {i} {role}".strip(): source
            for i, (role, source) in enumerate(zip(roles, item.sources, strict=True), start=1)
        }
        if item.target is not None:
            shown["target"] = item.target
        for label, image in shown.items():
            ending = "_".join(["", *label.split(" ")[:2]])  # without the role, which may hold anything
            images[label] = f"images/{file_name(item.name, f'{ending}.png')}"
            write_image(self.folder / images[label], to_8_bits(image))
        return {label: images[label] for label in sorted(images, key=_reading_order)}

    def _measure(self, item: Scene, fused: Image) -> dict[str, float]:
        """The values of a fused image and, against a target, those of plain averaging."""
        if self._metrics and self._largest is not None and fused.shape[0] * fused.shape[1] > self._largest:
            self.unmeasured += 1
            return {}
        values = measure_image(item.sources, fused, self._metrics, item.target)
        against_target = [name for name in values if name.endswith(REFERENCE_SUFFIX)]
        if item.target is not None and against_target:
            sources = [as_levels(source) for source in item.sources]
            average = saved_levels(plain_average([source / 255 for source in sources]))
            of_average = compute_metrics(sources, average, against_target, as_levels(item.target))
            values |= {name + AVERAGE: float(value) for name, value in of_average.items()}
        return values


def file_name(name: str, ending: str) -> str:
    """Returns an item's name with an ending; one too long for the file system is cut and made unique again."""
    raw = os.fsencode(name)
    room = _LONGEST_NAME - len(os.fsencode(ending))
    if len(raw) <= room:
        return name + ending
    mark = f"~{hashlib.sha256(raw).hexdigest()[:8]}"
    return raw[: room - len(mark)].decode("utf-8", errors="ignore") + mark + ending


def _is_large(item: Scene) -> bool:
    return sum(source.nbytes for source in item.sources) > _LARGE_ITEM


def _reading_order(label: str) -> int:
    """Sources first, in their order, then fused and target, then the decomposition."""
    return {"s": 0, "f": 1, "t": 2}.get(label[0], 3)
