"""Measures a generator on items kept for it, beside plain averaging of the sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest

from torch import Tensor
from torch.utils.data import DataLoader

from engine.fusing.batch import fuse_batch, plain_average, rebuild_batch, saved_levels
from engine.runtime import Runtime
from models.generators.base import CutsOffLevels, Generator
from util.metrics import REFERENCE_METRICS, compute_metrics
from util.statistics.summary import finite_mean

AGAINST_TARGET = ("PSNR", "SSIM")
AGAINST_SOURCES = ("Qabf", "SSIM", "VIF")


class Validator:
    """Computes the mean metrics of a generator over a validation set.

    Args:
        runtime: devices and processes, which each measure a part of the items.
        loader: this process's items: batches of one with "sources" (1, N, C, H, W) and "target" (1, C, H, W) in
            [0, 1]. Process r of W has the items r, r + W, r + 2W …
        with_target: fused images are measured against the target, which need not be there otherwise.
    """

    def __init__(self, runtime: Runtime, loader: DataLoader, *, with_target: bool = True) -> None:
        self._runtime = runtime
        self._with_target = with_target
        self._loader = loader
        self._of_average: dict[str, float] = {}

    def measure(
        self, generator: Generator, stopping: Callable[[], bool] = lambda: False, *, fuses: bool = True
    ) -> dict[str, float]:
        """Measures a generator, which must be in evaluation mode.

        Args:
            generator: the same in all processes.
            stopping: asked before each item; when it says yes, the rest of this process's items is left out.
            fuses: False measures the rebuilt sources, of a network that has not learned to fuse yet.

        Returns:
            Metric → mean over the finite values of the set, and `<metric>_average` for plain averaging. Against a
            target that is PSNR and SSIM of `REFERENCE_METRICS`; where none is known Qabf, SSIM and VIF of the fusion
            literature, against the sources. Of rebuilt sources PSNR_rebuilt and SSIM_rebuilt, the mean over them.
        """
        rows = []
        for batch in self._loader:
            if stopping():
                break
            sources = [generator.take(source) for source in batch["sources"].unbind(1)]
            rows.append(self._fused(generator, sources, batch) if fuses else self._rebuilt(generator, sources))
        of_processes = self._runtime.gather(rows)
        # In the order of the items, so that the mean does not depend on the number of processes.
        in_order = [row for turn in zip_longest(*of_processes) for row in turn if row is not None]
        names = dict.fromkeys(name for row in in_order for name in row)
        means = {name: finite_mean(row[name] for row in in_order if name in row) for name in names}
        self._of_average = self._of_average or {k: v for k, v in means.items() if k.endswith("_average")}
        return means | self._of_average

    def _levels(self, images: Tensor) -> Tensor:
        return saved_levels(self._runtime.to_device(images))

    def _fused(self, generator: Generator, sources: Sequence[Tensor], batch: Mapping[str, Tensor]) -> dict[str, float]:
        levels = [self._levels(source) for source in sources]
        target = self._levels(generator.take(batch["target"])) if self._with_target else None
        fused = fuse_batch(self._runtime, generator, sources)
        values = _measure(levels, saved_levels(fused, truncate=isinstance(generator, CutsOffLevels)), target)
        if not self._of_average:  # the sources do not change, so once is enough
            of_average = _measure(levels, self._levels(plain_average(sources)), target)
            values |= {f"{name}_average": value for name, value in of_average.items()}
        return values

    def _rebuilt(self, generator: Generator, sources: Sequence[Tensor]) -> dict[str, float]:
        rebuilt = rebuild_batch(self._runtime, generator, sources)
        pairs = [(saved_levels(one), self._levels(other)) for one, other in zip(rebuilt, sources, strict=True)]
        return {
            f"{name}_rebuilt": sum(REFERENCE_METRICS[name](*pair).item() for pair in pairs) / len(pairs)
            for name in AGAINST_TARGET
        }


def quality_of(values: Mapping[str, float]) -> tuple[str, float] | None:
    """The one value of a measurement that the best epoch is chosen by: PSNR where a target is known, else Qabf.

    Returns:
        Its name and itself, the higher the better; None for rebuilt sources, which say nothing of the fused image.
    """
    return next(((name, values[name]) for name in (AGAINST_TARGET[0], AGAINST_SOURCES[0]) if name in values), None)


def _measure(sources: Sequence[Tensor], fused: Tensor, target: Tensor | None) -> dict[str, float]:
    """Metric → value, of images (1, C, H, W) in [0, 255]."""
    if target is not None:
        return {name: REFERENCE_METRICS[name](fused, target).item() for name in AGAINST_TARGET}
    return {name: value.item() for name, value in compute_metrics(sources, fused, AGAINST_SOURCES).items()}
