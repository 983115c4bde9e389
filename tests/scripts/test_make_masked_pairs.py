import numpy as np
import pytest
import skimage.data

from data.decomposition.synthesis import COARSE
from scripts.make_masked_pairs import main
from tests.data.helpers import save
from util.errors import run_command
from util.images.image_io import read_image


def make(folder, *more):
    words = ["--images", folder / "images", "--out", folder / "out", "--workers", 1, *more]
    return run_command(main, [str(word) for word in words])


@pytest.fixture
def source(tmp_path):
    for number in range(3):
        save(tmp_path / "images" / f"p{number}.png", skimage.data.astronaut()[:60, 50 * number : 50 * number + 90])
    return tmp_path


def test_the_sources_hold_together_what_the_photograph_shows(source, capsys):
    assert make(source, "--pairs_per_image", 2) == 0
    assert "6 pairs made, 0 kept" in capsys.readouterr().out
    for path in sorted((source / "out").glob("*_stacked.png")):
        one, other, target = np.split(read_image(path), 3, axis=1)
        assert target.shape == (60, 90, 3)
        kept = [(panel == target).all(axis=2) for panel in (one, other)]
        assert (kept[0] | kept[1]).all()
        cell = (60 // COARSE) * (90 // COARSE)
        assert not all(mask.all() for mask in kept)
        assert sum(~mask for mask in kept).sum() >= cell
    assert not np.array_equal(*(read_image(source / "out" / f"p0_{pair}_stacked.png") for pair in (1, 2)))


def test_the_same_seed_gives_the_same_pairs_and_is_kept(source, capsys):
    def images():
        return {path.name: path.read_bytes() for path in (source / "out").glob("*.png")}

    assert make(source) == 0
    before = images()
    (source / "out" / "p1_stacked.png").unlink()
    assert make(source) == 0
    assert "1 pairs made, 2 kept" in capsys.readouterr().out
    assert images() == before
    assert make(source, "--seed", 1) == 2
    assert "was begun with seed 0 (now 1)" in capsys.readouterr().err
    assert images() == before


def test_two_sources_only(source, capsys):
    assert make(source, "--num_sources", 3) == 2
    assert capsys.readouterr().err.startswith("error: --num_sources 3: two masked copies are made of a photograph")
    assert not (source / "out").exists()
