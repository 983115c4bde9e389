"""Batches for the trainer: loaded by worker processes, stacked, and with errors that stay one line."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from data.base_dataset import FusionDataset, Key, Sample
from util.errors import UserError


@dataclass(frozen=True)
class _Failure:
    """A UserError on its way from a worker; torch would wrap the exception itself in the worker's traceback."""

    message: str


class _FailingSoftly(Dataset):
    """Hands a UserError on as a `_Failure`."""

    def __init__(self, dataset: FusionDataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: Key) -> Sample | _Failure:
        try:
            return self.dataset[key]
        except UserError as error:
            return _Failure(str(error))


class SampleLoader(DataLoader):
    """A `DataLoader` that raises a worker's `UserError` as such."""

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # torch types it by its own iterator class
        for batch in super().__iter__():
            if isinstance(batch, _Failure):
                raise UserError(batch.message)
            yield batch


def create_loader(
    dataset: FusionDataset,
    *,
    batch_size: int,
    sampler: Sampler | Sequence[int] | None = None,
    num_threads: int = 0,
) -> SampleLoader:
    """Creates the loader of a dataset.

    Args:
        dataset: where samples come from.
        batch_size: samples per batch of this process.
        sampler: the order: an `EpochSampler` in training, or indices; None takes all samples in their order.
        num_threads: worker processes; 0 loads in this process. No more than there are processors are started.

    Returns:
        A loader of dictionaries: tensors stacked, (B, N, 3, H, W) "sources" and (B, 3, H, W) "target", everything
        else as a list of B.

    Raises:
        UserError: while iterating, what the dataset raises, or samples of unequal sizes in one batch.
    """
    num_threads = min(num_threads, os.cpu_count() or 1)
    return SampleLoader(
        _FailingSoftly(dataset),
        batch_size=batch_size,
        sampler=sampler,
        num_workers=num_threads,
        collate_fn=collate,
        pin_memory=torch.cuda.is_available(),
        # Not persistent_workers: those that a loader keeps are killed with a traceback when the program ends.
        worker_init_fn=_start_worker,
        # The loader draws a number per epoch: from its own generator, so that the training's is left as it was.
        generator=torch.Generator().manual_seed(0),
    )


def collate(samples: Sequence[Sample | _Failure]) -> Sample | _Failure:
    """Stacks the tensors of samples; other values become lists."""
    batch: dict[str, list[Any]] = {}
    for sample in samples:
        if isinstance(sample, _Failure):
            return sample
        for key, value in sample.items():
            batch.setdefault(key, []).append(value)
    stacked: Sample = {}
    for key, values in batch.items():
        if not isinstance(values[0], torch.Tensor):
            stacked[key] = values
            continue
        for place, value in enumerate(values):
            if value.shape != values[0].shape:
                return _Failure(_unequal(batch["name"][0], values[0], batch["name"][place], value))
        stacked[key] = torch.stack(values)
    return stacked


def _unequal(name: str, tensor: torch.Tensor, other_name: str, other: torch.Tensor) -> str:
    sizes = [f"{shape[-1]}x{shape[-2]}" for shape in (tensor.shape, other.shape)]
    if sizes[0] == sizes[1]:
        sizes = [f"{tuple(shape)}" for shape in (tensor.shape, other.shape)]
    return (
        f"samples {name} ({sizes[0]}) and {other_name} ({sizes[1]}) cannot be in one batch: "
        "use --preprocess crop, or --batch_size 1"
    )


def _start_worker(_worker: int) -> None:
    # Ctrl-C reaches every process of a terminal, a scheduler's SIGTERM every process of a job: the trainer saves first
    # and then ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    cv2.setNumThreads(0)  # the workers are the parallelism
    torch.set_num_threads(1)
