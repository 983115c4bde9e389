"""What tests of several folders share."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.data
import torch

from tests.data.helpers import block_map, save
from tests.images import scene


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Small networks gain nothing by a second thread, which only waits where another process has its core."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def astronaut():
    return skimage.data.astronaut()


@pytest.fixture
def pmf_root(tmp_path, astronaut):
    """Four small photographs with index maps, under root/images and root/maps."""
    root = tmp_path / "pmf"
    for number in (1, 2, 9, 10):
        photo = astronaut[number * 20 : number * 20 + 60, 100:180]
        save(root / "images" / f"img{number}.png", photo)
        save(root / "maps" / f"img{number}.png", (block_map(60, 80) + number).astype(np.uint8))
    return root


@pytest.fixture
def folders(tmp_path):
    """Three scenes, two methods and references; the methods' images have names of their own."""
    for number, name in enumerate(("c01", "c02", "c10")):
        images = [scene(10 * number + i, 32, 40) for i in range(3)]
        mean = np.mean(images, axis=0).astype(np.uint8)
        save(tmp_path / "ir" / f"{name}.png", images[0])
        save(tmp_path / "vi" / f"{name}.png", images[1])
        save(tmp_path / "good" / f"{name}_mean.png", mean)
        save(tmp_path / "bad" / f"{name}.png", images[2])
        save(tmp_path / "gt" / f"{name}.png", mean)
    return tmp_path
