"""The order of a training's samples, which can be taken up again anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, field

import numpy as np
from torch.utils.data import Sampler

from data.base_dataset import SampleKey


@dataclass(eq=False)
class EpochSampler(Sampler[SampleKey]):
    """Yields (epoch, index, batch), in an order that depends on (seed, epoch) only.

    With several processes each takes every `world_size`-th sample, so that the processes' batches together are the
    one batch that a single process would have; `batch` is its number in the epoch, the same in all of them. Only whole
    batches are made: what is left over is not used in an epoch.

    Attributes:
        length: how many samples the dataset has.
        batch_size: samples of a batch, of all processes together; a multiple of `world_size`.
        seed: where the order comes from.
        shuffle: draw a new order in every epoch; otherwise 0, 1, 2, …
        rank: which process this is, from 0.
        world_size: how many processes there are.
        epoch: the current one, see `set_epoch`.
        start: how many of its samples have been consumed already.
    """

    length: int
    batch_size: int
    seed: int = 0
    _: KW_ONLY
    shuffle: bool = True
    rank: int = 0
    world_size: int = 1
    epoch: int = field(default=0, init=False)
    start: int = field(default=0, init=False)

    @property
    def samples_per_epoch(self) -> int:
        """Samples of a whole epoch, of all processes together."""
        return self.length // self.batch_size * self.batch_size

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """Goes to an epoch.

        Args:
            epoch: its number.
            start: how many of its samples have been consumed already, by all processes together.
        """
        if not 0 <= start <= self.length:
            raise ValueError(f"start {start} is not within an epoch of {self.length} samples")
        self.epoch = epoch
        self.start = start

    def __len__(self) -> int:
        return (self.length - self.start) // self.batch_size * self.batch_size // self.world_size

    def __iter__(self) -> Iterator[SampleKey]:
        order = np.arange(self.length)
        if self.shuffle:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(self.length)
        first = self.start // self.batch_size
        for place in range(self.rank, len(self) * self.world_size, self.world_size):
            yield SampleKey(self.epoch, int(order[self.start + place]), first + place // self.batch_size)
