"""Images of a program, as numpy arrays or torch tensors, into what the fuser takes; and its result back into that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from util.errors import UserError

AnyImage = TypeVar("AnyImage", npt.NDArray[Any], Tensor)
_INTEGERS = (np.dtype(np.uint8), np.dtype(np.uint16))


def as_images(sources: Sequence[AnyImage]) -> tuple[list[Any], Callable[[Any], AnyImage]]:
    """Turns the sources of a scene into images (H, W, 3).

    Args:
        sources: arrays (H, W) or (H, W, 3), or tensors (H, W), (1, H, W) or (3, H, W), of one size; `uint8` and
            `uint16`, or floats in [0, 1].

    Returns:
        The images, `uint8`, `uint16` or `float32`; and what turns a fused image (H, W) or (H, W, 3) into one like the
        sources: of the same library, layout, device, and of the deepest of their dtypes. It has colour channels where
        one of the sources has.

    Raises:
        UserError: not images, of several sizes or kinds, or values out of the range.
    """
    if isinstance(sources, np.ndarray | Tensor):
        raise UserError("sources are one array: expected a list with an array for each source")
    kinds = {next((kind for kind in (np.ndarray, Tensor) if isinstance(one, kind)), type(one)) for one in sources}
    if kinds not in ({np.ndarray}, {Tensor}):
        names = ", ".join(sorted(f"{kind.__module__}.{kind.__name__}" for kind in kinds))
        raise UserError(f"sources are of type {names}: expected numpy arrays, or torch tensors, all alike")
    arrays = [_as_array(source, number) for number, source in enumerate(sources, start=1)]
    sizes = [f"{array.shape[1]}x{array.shape[0]}" for array in arrays]
    if len(set(sizes)) > 1:
        raise UserError(f"sources are of different sizes ({', '.join(sizes)}): expected one size")
    if len({array.dtype in _INTEGERS for array in arrays}) > 1:
        raise UserError("sources are integers and floats: expected one of both")
    deepest = max(sources, key=lambda source: source.dtype.itemsize)
    coloured = any(array.ndim == 3 for array in arrays)

    def like_sources(fused: npt.NDArray[Any]) -> Any:
        if coloured and fused.ndim == 2:
            fused = np.repeat(fused[..., None], 3, axis=2)
        if isinstance(deepest, np.ndarray):
            return fused.astype(deepest.dtype, copy=False)
        planes = fused.transpose(2, 0, 1) if coloured else fused[None] if deepest.ndim == 3 else fused
        return torch.from_numpy(np.ascontiguousarray(planes)).to(deepest.device, deepest.dtype)

    return [_in_rgb(array) for array in arrays], like_sources


def _as_array(source: Any, number: int) -> npt.NDArray[Any]:
    """A source as an array (H, W) or (H, W, 3)."""
    shape, dtype = tuple(source.shape), str(source.dtype).removeprefix("torch.")
    channels_at = 0 if isinstance(source, Tensor) else -1
    allowed = (1, 3) if isinstance(source, Tensor) else (3,)
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[channels_at] not in allowed) or 0 in shape:
        expected = "(H, W), (1, H, W) or (3, H, W)" if isinstance(source, Tensor) else "(H, W) or (H, W, 3)"
        raise UserError(f"source {number} is of shape {shape}: expected {expected}")
    if dtype not in ("uint8", "uint16") and not dtype.endswith(("float16", "float32", "float64")):
        raise UserError(f"source {number} is of dtype {dtype}: expected uint8, uint16, or floats in [0, 1]")
    floats = dtype not in ("uint8", "uint16")
    if isinstance(source, Tensor):
        tensor = source.detach().cpu()
        array = (tensor.float() if floats else tensor).numpy()
        array = (
            array[0] if shape[0] == 1 and len(shape) == 3 else array.transpose(1, 2, 0) if len(shape) == 3 else array
        )
    else:
        array = source.astype(np.float32, copy=False) if floats else source
    if floats:
        lowest, highest = float(array.min()), float(array.max())
        if not (lowest >= 0 and highest <= 1):  # NaN fits nowhere
            raise UserError(f"source {number} holds values from {lowest:g} to {highest:g}: expected floats in [0, 1]")
    return array


def _in_rgb(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """(H, W, 3), a grey image with three equal channels, without a copy."""
    return array if array.ndim == 3 else np.broadcast_to(array[..., None], (*array.shape, 3))
