"""Creates the dataset of a --dataset_mode; `options.registry` says which class that is."""

from __future__ import annotations

from typing import Any

from data.base_dataset import FusionDataset
from options.data import DatasetOptions
from options.registry import DATASETS
from util.suggest import check_choice


def list_dataset_modes() -> list[str]:
    """Returns the names that `create_dataset` knows."""
    return sorted(DATASETS)


def create_dataset(mode: str, options: DatasetOptions, **settings: Any) -> FusionDataset:
    """Creates the dataset of a mode, one of `list_dataset_modes()`.

    Args:
        mode: its name.
        options: those of the mode, see `options.registry.DATASETS`.
        **settings: root, phase, num_sources, transform, seed, …, see `FusionDataset.__init__`.

    Raises:
        UserError: an unknown mode, or what the class raises.
    """
    check_choice("--dataset_mode", mode, list_dataset_modes())
    dataset: FusionDataset = DATASETS[mode].load()(options, **settings)
    return dataset
