"""Reads the reference values of `tests/golden/networks` (made by the public implementations, see its README)."""

from __future__ import annotations

from pathlib import Path

import pytest
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


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Returns the tensors whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
