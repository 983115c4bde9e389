"""Exposure stacks made from one photograph by a camera's response, so that exposure fusion has a target."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from util.images.levels import Floats, to_float, to_levels

GAMMA = (1.8, 2.6)  # of the camera's response
CURVE = (0.0, 0.6)  # share of a curve that compresses shadows and lights, 3 v² − 2 v³
STOPS = (1.0, 3.2)  # from the photograph's exposure to the longest, and to the shortest
NOISE = (0.0, 0.01)  # standard deviation


def exposures(photo: npt.NDArray[np.uint8], rng: np.random.Generator, *, num_sources: int) -> list[npt.NDArray]:
    """Makes longer and shorter exposures of a scene, in random order; the photograph itself is the target.

    Levels are linearised by a power, scaled by exposures whose logarithms lie at equal distances, clipped, brought
    back by another camera's response, and noise is added. What clipping loses is in no other exposure but a shorter,
    or a longer one.

    Args:
        photo: (H, W, C).
        rng: the random number generator.
        num_sources: how many exposures, 2 or more.

    Returns:
        `num_sources` images, `uint8` (H, W, C).
    """
    gamma, share = rng.uniform(*GAMMA), rng.uniform(*CURVE)
    longest, shortest = rng.uniform(*STOPS, size=2)
    linear = to_float(photo) ** np.float32(gamma)
    deviation = rng.uniform(*NOISE)
    made = []
    for stops in rng.permutation(np.linspace(longest, -shortest, num_sources)):
        developed = _develop(linear * np.float32(2**stops), gamma, share)
        noise = deviation * rng.standard_normal(developed.shape, dtype=np.float32)
        made.append(to_levels(developed + noise, np.uint8))
    return made


def _develop(light: Floats, gamma: float, share: float) -> Floats:
    """The camera's response, of light of which 1 saturates: floats in [0, 1]."""
    levels = np.clip(light, 0, 1) ** np.float32(1 / gamma)
    curve = 3 * levels**2 - 2 * levels**3
    return np.asarray(levels + np.float32(share) * (curve - levels), np.float32)
