"""Measures a generator on items with a known target, beside plain averaging of the sources."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest

from torch.utils.data import DataLoader

from models.generators.base import Generator
from util.fusing import fuse, plain_average, saved_levels
from util.metrics import REFERENCE_METRICS
from util.runtime import Runtime

MEASURED = ("PSNR", "SSIM")


class Validator:
    """Computes the mean metrics of a generator over a validation set.

    Args:
        runtime: the machine, whose processes each measure a part of the items.
        loader: this process's items: batches of one with "sources" (1, N, C, H, W) and "target" (1, C, H, W) in
            [0, 1]. Process r of W has the items r, r + W, r + 2W …
    """

    def __init__(self, runtime: Runtime, loader: DataLoader) -> None:
        self._runtime = runtime
        self._loader = loader
        self._of_average: dict[str, float] = {}

    def measure(self, generator: Generator, stopping: Callable[[], bool] = lambda: False) -> dict[str, float]:
        """Measures a generator, which must be in evaluation mode.

        Args:
            generator: the same in all processes.
            stopping: asked before each item; when it says yes, the rest of this process's items is left out.

        Returns:
            Metric → mean over the finite values of the set, and `<metric>_average` for plain averaging.
        """
        rows = list(self._rows(generator, stopping))
        of_processes = self._runtime.gather(rows)
        # In the order of the items, so that the mean does not depend on the number of processes.
        in_order = [row for turn in zip_longest(*of_processes) for row in turn if row is not None]
        names = dict.fromkeys(name for row in in_order for name in row)
        means = {name: _mean([row[name] for row in in_order if name in row]) for name in names}
        self._of_average = self._of_average or {k: v for k, v in means.items() if k.endswith("_average")}
        return means | self._of_average

    def _rows(self, generator: Generator, stopping: Callable[[], bool]) -> Iterator[dict[str, float]]:
        for batch in self._loader:
            if stopping():
                return
            sources = [generator.take(source) for source in batch["sources"].unbind(1)]
            target = saved_levels(self._runtime.to_device(generator.take(batch["target"])))
            fused = fuse(self._runtime, generator, sources)
            pictures = {"": saved_levels(fused, truncate=generator.truncates)}
            if not self._of_average:  # the sources do not change, so once is enough
                pictures["_average"] = saved_levels(self._runtime.to_device(plain_average(sources)))
            yield {
                name + suffix: REFERENCE_METRICS[name](picture, target).item()
                for suffix, picture in pictures.items()
                for name in MEASURED
            }


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan
