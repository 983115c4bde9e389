"""What the tests of measuring share."""

import numpy as np
import pytest

from tests.data.helpers import save
from tests.pictures import scene


@pytest.fixture
def folders(tmp_path):
    """Three scenes, two methods and references; the methods' pictures have names of their own."""
    for number, name in enumerate(("c01", "c02", "c10")):
        pictures = [scene(10 * number + i, 32, 40) for i in range(3)]
        mean = np.mean(pictures, axis=0).astype(np.uint8)
        save(tmp_path / "ir" / f"{name}.png", pictures[0])
        save(tmp_path / "vi" / f"{name}.png", pictures[1])
        save(tmp_path / "good" / f"{name}_mean.png", mean)
        save(tmp_path / "bad" / f"{name}.png", pictures[2])
        save(tmp_path / "gt" / f"{name}.png", mean)
    return tmp_path
