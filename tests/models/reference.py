"""Reads the reference values of `tests/golden/networks` (made by the public implementations, see its README)."""

from __future__ import annotations

import json
from importlib import util
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
PLACES = (ROOT / "tests" / "golden" / "networks", ROOT.parent / "shared" / "reference" / "networks")


def load_reference(name: str) -> dict[str, Tensor]:
    """Returns the tensors of `<name>.safetensors`; skips the test where a file outside the repository is absent."""
    for place in PLACES:
        if (place / f"{name}.safetensors").is_file():
            return load_file(place / f"{name}.safetensors")
    pytest.skip(f"{name}.safetensors is too large for the repository and ../shared/reference/networks is not here")


def filled_weights(name: str) -> dict[str, Tensor]:
    """Returns the weights under which `<name>.safetensors` was computed, where they are not stored but made by a rule.

    Names, shapes and gain stand in `<name>.json`, the rule in `fill.py`, both beside it; skips where they are absent.
    """
    place = PLACES[1]
    if not (place / f"{name}.json").is_file():
        pytest.skip(f"{name}.json and fill.py are in ../shared/reference/networks, which is not here")
    spec = util.spec_from_file_location("fill", place / "fill.py")
    rule = util.module_from_spec(spec)
    spec.loader.exec_module(rule)
    layout = json.loads((place / f"{name}.json").read_text())
    return {key: torch.from_numpy(values) for key, values in rule.fill(layout["shapes"], layout["gain"]).items()}


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Returns the tensors whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
