"""Reads the values of `tests/golden/networks`, made by the public implementations (see the README beside it)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.data.helpers import SHARED, shared

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "networks"


def load_reference(name: str) -> dict[str, Tensor]:
    """Returns the tensors of `<name>.safetensors`, the whole ones of ../shared in place of the parts of them kept here.

    Skips the test where a file outside the repository is needed and absent.
    """
    here, place = GOLDEN / f"{name}.safetensors", ("reference", "networks", f"{name}.safetensors")
    if not here.is_file():
        return load_file(shared(*place))
    whole = SHARED.joinpath(*place)
    return load_file(here) | (load_file(whole) if whole.is_file() else {})


def at_stored_places(values: Tensor, stored: Tensor) -> Tensor:
    """Every n-th value along each dimension, as many as are stored."""
    steps = [whole // kept for whole, kept in zip(values.shape, stored.shape, strict=True)]
    return values[tuple(slice(None, None, step) for step in steps)]


def layout(name: str) -> dict[str, dict]:
    """Returns `<name>.json`: the published names and shapes (`shapes`), `gain` and, where there are any, `aliases`."""
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def filled_weights(name: str) -> dict[str, Tensor]:
    """Returns the weights under which `<name>.safetensors` was computed, which are made by a rule instead of stored.

    Numbers u in [0, 1) from the place of a name among all sorted names, in float64, rounded once to float32:

    * `*running_var`: 0.5 + u; `*running_mean`: 0.2 u - 0.1; `*num_batches_tracked`: 0;
    * one-dimensional `*weight`: 0.9 + 0.2 u; what else has at most one dimension larger than 1: 0.2 u - 0.1;
    * the rest: uniform with standard deviation gain / sqrt(product of all dimensions but the first).
    """
    description = layout(name)
    return {
        key: torch.from_numpy(_filled(key, tuple(shape), place, description["gain"]))
        for place, (key, shape) in enumerate(sorted(description["shapes"].items()))
    }


def _filled(name: str, shape: tuple[int, ...], place: int, gain: float) -> np.ndarray:
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    numbers = np.arange(1, int(np.prod(shape)) + 1, dtype=np.float64)
    u = np.modf(np.abs(np.sin(12.9898 * numbers + 78.233 * (place + 1))) * 43758.5453)[0]
    if name.endswith("running_var"):
        values = 0.5 + u
    elif len(shape) == 1 and name.endswith("weight"):
        values = 0.9 + 0.2 * u
    elif name.endswith("running_mean") or sum(side > 1 for side in shape) <= 1:
        values = 0.2 * u - 0.1
    else:
        values = (2 * u - 1) * np.sqrt(3.0) * gain / np.sqrt(np.prod(shape[1:]))
    return values.reshape(shape).astype(np.float32)


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Returns the tensors whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
