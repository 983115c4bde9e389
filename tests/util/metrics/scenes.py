"""Small scenes for tests by hand."""

import numpy as np
import torch

from util.metrics.catalogue import definition
from util.metrics.scene import Scene


def scene(*pictures):
    """The sources and, last, the fused picture, as (H, W) arrays of whole levels; a batch of one."""
    *sources, fused = (torch.from_numpy(np.array(picture))[None, None] for picture in pictures)
    return Scene(sources, fused)


def measured(name, *pictures):
    """The value of `NAME` or `NAME@convention` for the sources and, last, the fused picture."""
    return definition(name)[1](scene(*pictures)).item()


def noise(count, height=20, width=25, seed=0):
    """As many pictures of independent levels."""
    return list(np.random.default_rng(seed).integers(0, 256, (count, height, width)))
