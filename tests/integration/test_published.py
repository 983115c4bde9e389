"""IFCNN's published weights against its authors' own result images, through the commands that users type."""

import cv2
import numpy as np
import pytest

from scripts import import_checkpoint
from tests.data.helpers import shared
from tests.integration.commands import fuse
from util.errors import run_command
from util.images.image_io import read_image


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    """The three published files, imported."""
    weights, folder = shared("data", "weights", "ifcnn"), tmp_path_factory.mktemp("published")
    for rule in ("MAX", "SUM", "MEAN"):
        words = ["--netG", "IFCNN", "--weights", weights / f"IFCNN-{rule}.pth", "--name", rule]
        words += ["--checkpoints_dir", folder]
        assert run_command(import_checkpoint.main, [str(word) for word in words]) == 0
    return folder


@pytest.fixture
def compare(checkpoints, tmp_path):
    """Fuses a set and compares it with the published images: item → largest difference and PSNR (dB)."""

    def run(data, folder, task, rule="MAX", options=()):
        words = ["--dataroot", shared("data", data), "--checkpoints_dir", checkpoints, "--name", rule]
        words += ["--results_dir", tmp_path, "--gpu_ids", "-1", "--metrics", "none"]
        assert fuse(*words, *options) == 0
        found = {}
        for path in sorted((tmp_path / rule / "test_latest" / "fused").iterdir()):
            published = shared("data", "published", "ifcnn", folder, f"IFCNN-{rule}-{task}-{path.name}")
            ours, theirs = (read_image(p).astype(int) for p in (path, published))
            assert ours.shape == theirs.shape
            mse = np.mean(np.square(ours - theirs))
            found[path.stem] = (np.abs(ours - theirs).max(), 10 * np.log10(255**2 / mse) if mse else np.inf)
        return found

    return run


@pytest.mark.parametrize(("data", "task", "items"), [("tno14", "IV", 14), ("med8", "MD", 8)])
def test_grey_images_are_reproduced_to_one_level(compare, data, task, items):
    found = compare(data, "Code_results", task)
    assert len(found) == items
    assert max(largest for largest, _ in found.values()) <= 1
    assert min(psnr for _, psnr in found.values()) >= 86


@pytest.mark.parametrize("rule", ["MAX", "SUM"])
@pytest.mark.parametrize(("data", "task", "items"), [("tno14", "IV", 14), ("med8", "MD", 8)])
def test_the_other_published_images_follow_from_an_option(compare, rule, data, task, items):
    found = compare(data, f"Results/{task}", task, rule=rule, options=["--ifcnn_norm", "imagenet"])
    assert len(found) == items
    assert max(largest for largest, _ in found.values()) <= 1


@pytest.mark.parametrize(
    ("data", "folder", "task", "items"), [("lytro", "Results/CMF", "CMF", 20), ("lytro3", "Code_results", "CMF3", 4)]
)
def test_colour_images_are_reproduced_as_far_as_their_jpeg_sources_allow(compare, data, folder, task, items):
    found = compare(data, folder, task)
    assert len(found) == items
    assert min(psnr for _, psnr in found.values()) >= 48


def test_multi_exposure_is_reproduced_where_the_sources_are_not_subsampled(compare):
    found = compare("mef", "Code_results", "ME", rule="MEAN", options=["--exposure"])
    assert len(found) == 6
    assert found["window"][0] <= 3
    assert min(psnr for _, psnr in found.values()) >= 30
    assert min(psnr for name, (_, psnr) in found.items() if name != "house") >= 60  # house: 4:2:0 JPEG


def test_the_tiles_of_a_published_network_show_no_seams(checkpoints, tmp_path):
    """Images of 520 x 520 in tiles of 200: at most one level from the image in one piece."""
    words = ["--dataroot", shared("data", "lytro"), "--checkpoints_dir", checkpoints, "--name", "MAX", "--num_test", 2]
    words += ["--gpu_ids", "-1", "--metrics", "none"]
    for tile in (0, 200):
        assert fuse(*words, "--tile", tile, "--tile_overlap", 32, "--results_dir", tmp_path / str(tile)) == 0
    whole = sorted((tmp_path / "0" / "MAX" / "test_latest" / "fused").iterdir())
    assert len(whole) == 2
    for path in whole:
        other = cv2.imread(str(tmp_path / "200" / "MAX" / "test_latest" / "fused" / path.name))
        assert np.abs(cv2.imread(str(path)).astype(int) - other).max() <= 1
