import numpy as np
import pytest
import skimage.data

from tests.data.helpers import block_map, save


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
