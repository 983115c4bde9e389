"""Small scenes for tests by hand."""

import numpy as np
import torch

from util.metrics.catalogue import definition
from util.metrics.scene import Scene


def scene(*images):
    """The sources and, last, the fused image, as (H, W) arrays of whole levels; a batch of one."""
    *sources, fused = (torch.from_numpy(np.array(image))[None, None] for image in images)
    return Scene(sources, fused)


def measured(name, *images):
    """The value of `NAME` or `NAME@convention` for the sources and, last, the fused image."""
    return definition(name)[1](scene(*images)).item()


def noise(count, height=20, width=25, seed=0):
    """As many images of independent levels."""
    return list(np.random.default_rng(seed).integers(0, 256, (count, height, width)))
