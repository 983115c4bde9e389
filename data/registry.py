"""Which class reads which --dataset_mode. Add a line here to add a dataset (see data/template_dataset.py)."""

from __future__ import annotations

import importlib
from types import MappingProxyType
from typing import Any

from data.base_dataset import FusionDataset
from util.suggest import check_choice

_DATASETS = MappingProxyType(
    {
        "aligned": "data.stacked_dataset:StackedDataset",
        "sources": "data.sources_dataset:SourcesDataset",
        "pmf": "data.pmf_dataset:PMFDataset",
        "saliency": "data.saliency_dataset:SaliencyDataset",
        "patches": "data.patches_dataset:PatchesDataset",
        "decomposition": "data.decomposition_dataset:DecompositionDataset",
        "pairs_and_photos": "data.pairs_and_photos_dataset:PairsAndPhotosDataset",
    }
)


def list_dataset_modes() -> list[str]:
    """Returns the names that `create_dataset` knows."""
    return sorted(_DATASETS)


def create_dataset(mode: str, **kwargs: Any) -> FusionDataset:
    """Creates a dataset.

    Args:
        mode: a name out of `list_dataset_modes()`.
        **kwargs: the arguments of its class.

    Raises:
        UserError: an unknown mode, or what the class raises.
    """
    check_choice("--dataset_mode", mode, list_dataset_modes())
    module, name = _DATASETS[mode].split(":")
    dataset: FusionDataset = getattr(importlib.import_module(module), name)(**kwargs)
    return dataset
