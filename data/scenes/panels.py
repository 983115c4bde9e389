"""Splitting a wide image into its panels: the sources side by side and, where there is one, the target last."""

from __future__ import annotations

from pathlib import Path

import numpy.typing as npt

from util.errors import UserError

STACKED = "_stacked"  # what the name of a stacked image may end in


def panel_width(path: Path, width: int, num_sources: int, *, with_target: bool) -> int:
    """Returns the width of one panel of an image that is `width` pixels wide.

    Raises:
        UserError: the image does not consist of so many equal panels.
    """
    count = num_sources + with_target
    if width % count:
        raise UserError(
            f"{path} is {width} pixels wide, which are not {count} equal panels ({num_sources} "
            f"sources{' and the target' if with_target else ''}): check --num_sources and --with_target"
        )
    return width // count


def split_panels(path: Path, wide: npt.NDArray, num_sources: int, *, with_target: bool) -> list[npt.NDArray]:
    """Splits an image (H, W, C) into equal panels: the sources and, with `with_target`, the target last.

    Raises:
        UserError: see `panel_width`.
    """
    width = panel_width(path, wide.shape[1], num_sources, with_target=with_target)
    return [wide[:, start : start + width] for start in range(0, wide.shape[1], width)]


def panel_stem(path: Path) -> str:
    """Returns the name of a stacked image's sample: its stem without a trailing `_stacked`."""
    return path.stem.removesuffix(STACKED) or path.stem
