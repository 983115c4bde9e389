"""Large images in overlapping tiles: memory is bounded by a row of tiles, and seams do not show.

Where two tiles overlap, the outer three eighths of each are thrown away, because a network sees a border there that is
none, and the middle quarter is blended linearly. A network whose receptive field reaches no farther than three eighths
of the overlap gives the same image as without tiles, up to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

_BLENDED = 0.25  # of the overlap


@dataclass(frozen=True)
class Span:
    """Where a tile lies along one side.

    Attributes:
        start: first pixel.
        stop: one past the last.
        shared: how many of its first pixels the tile before it also has.
    """

    start: int
    stop: int
    shared: int


def overlap_for(reach: int) -> int:
    """The overlap that a network needs which looks `reach` pixels far: its discarded part covers them."""
    return math.ceil(2 * reach / (1 - _BLENDED))


def spans(length: int, tile: int, overlap: int, divisor: int = 1) -> list[Span]:
    """Cuts a side into overlapping tiles.

    Args:
        length: of the side, in pixels.
        tile: length of a tile, at least `divisor`; the last one may be shorter.
        overlap: how many pixels neighbours share at least, but never more than half a tile.
        divisor: tiles begin at its multiples, so that a strided network sees the same grid in all of them.
    """
    tile = tile // divisor * divisor
    overlap = min(-(-overlap // divisor) * divisor, tile // 2 // divisor * divisor)
    if length <= tile:
        return [Span(0, length, 0)]
    last = -(-(length - tile) // divisor) * divisor
    starts = [*range(0, last, tile - overlap), last]
    found = [Span(0, tile, 0)]
    for start in starts[1:]:
        found.append(Span(start, min(start + tile, length), found[-1].stop - start))
    return found


def in_tiles(
    compute: Callable[[slice, slice], Tensor], rows: list[Span], columns: list[Span]
) -> Iterator[tuple[slice, Tensor]]:
    """Computes an image tile by tile and hands it on in stripes, from top to bottom.

    Args:
        compute: takes the rows and columns of a tile and returns (B, C, height, width) of it.
        rows: from `spans`.
        columns: from `spans`.

    Yields:
        The rows of a stripe, and the stripe (B, C, height, whole width).
    """
    waiting: Tensor | None = None  # the lower end of the stripe before, which the next one shares
    for i, row in enumerate(rows):
        stripe = _stripe(compute, row, columns)
        if waiting is not None:
            stripe[..., : row.shared, :] = _blend(waiting, stripe[..., : row.shared, :], dimension=-2)
        shared_below = rows[i + 1].shared if i + 1 < len(rows) else 0
        height = row.stop - row.start - shared_below
        waiting = stripe[..., height:, :].clone() if shared_below else None
        yield slice(row.start, row.start + height), stripe[..., :height, :]


def _stripe(compute: Callable[[slice, slice], Tensor], row: Span, columns: list[Span]) -> Tensor:
    """The tiles of one row, blended into (B, C, height, whole width)."""
    stripe: Tensor | None = None
    for column in columns:
        tile = compute(slice(row.start, row.stop), slice(column.start, column.stop))
        if stripe is None:
            if len(columns) == 1:
                return tile
            stripe = tile.new_empty((*tile.shape[:-1], columns[-1].stop))
        else:
            before = stripe[..., column.start : column.start + column.shared]
            tile[..., : column.shared] = _blend(before, tile[..., : column.shared], dimension=-1)
        stripe[..., column.start : column.stop] = tile
    assert stripe is not None
    return stripe


def _blend(before: Tensor, after: Tensor, dimension: int) -> Tensor:
    """Goes over from one image of an overlap to the other along a dimension."""
    length = after.shape[dimension]
    place = (torch.arange(length, device=after.device, dtype=after.dtype) + 0.5) / length
    share = ((place - 0.5) / _BLENDED + 0.5).clamp(0, 1)
    if dimension == -2:
        share = share[:, None]
    return torch.lerp(before, after, share)
