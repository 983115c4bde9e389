"""Random regions, which stand in for depth where a photograph has no map."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

SCALES = (3.5, 6.5)  # logarithm to the base 2 of the size of a region, in pixels
DETAIL = 0.35  # of an outline: share of a field three times as fine


def random_regions(height: int, width: int, rng: np.random.Generator, *, number: int) -> npt.NDArray[np.intp]:
    """Divides a plane into regions with smooth, irregular borders: at each pixel the largest of `number` random fields.

    Args:
        height: in pixels.
        width: in pixels.
        rng: the random number generator.
        number: of labels; each may have several parts, or none.

    Returns:
        Labels (height, width), 0 … number − 1.
    """
    size = 2 ** rng.uniform(*SCALES)
    fields = []
    for _ in range(number):
        rows, columns = int(height / size) + 2, int(width / size) + 2
        coarse = rng.standard_normal((rows, columns), dtype=np.float32)
        fine = rng.standard_normal((3 * rows, 3 * columns), dtype=np.float32)
        grown = [cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC) for field in (coarse, fine)]
        fields.append(grown[0] + DETAIL * grown[1])
    return np.stack(fields).argmax(0)
