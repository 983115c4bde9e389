"""BlendNet: a convex combination of bands, for any number of sources; and its training."""

from __future__ import annotations

import json

import pytest
import torch

from engine import load_fuser
from models import create_generator
from models.layers.pyramid import from_bands, to_bands
from tests.images import scene, write_photographs, write_sources
from tests.integration.commands import train
from util.images.tiling import in_tiles, overlap_for, spans


def network(width=4):
    torch.manual_seed(0)
    net = create_generator("BlendNet", width=width).eval()
    for parameter in net.heads.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return net


def grey(number, height=64, width=96):
    return torch.from_numpy(scene(number, height, width).mean(-1) / 255)[None, None].float()


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (64, 64), (37, 130)])
def test_a_pyramid_adds_up_to_the_image(size):
    images = torch.rand(2, 3, *size)
    bands, at_sizes = to_bands(images, 6)
    torch.testing.assert_close(from_bands(bands, at_sizes[-1]), images)


def test_equal_sources_come_out_unchanged():
    image = grey(1)
    torch.testing.assert_close(network().fuse([image] * 3), image, atol=1e-5, rtol=0)


def test_a_new_network_prefers_the_source_of_more_contrast():
    sharp = grey(1)
    flat = torch.full_like(sharp, sharp.mean())
    fused = create_generator("BlendNet").eval().fuse([sharp, flat])
    detail = to_bands(sharp, 1)[0][0]
    kept = (to_bands(fused, 1)[0][0] * detail).sum() / detail.square().sum()
    assert kept > 0.9, "averaging would keep half"


@pytest.mark.parametrize("count", [2, 3, 6])
def test_the_order_of_the_sources_does_not_matter(count):
    net, sources = network(), [grey(number) for number in range(count)]
    torch.testing.assert_close(net.fuse(sources), net.fuse(sources[::-1]), atol=1e-5, rtol=0)


def test_tiles_are_the_whole_image():
    """Tiles of a long image, each seen with as much around it as the network looks at."""
    net, sources = network(width=2), [grey(number, 24, 6000) for number in (1, 2)]
    overlap = overlap_for(net.reach)
    columns = spans(6000, 2 * (overlap + net.grid), overlap, net.grid)
    assert len(columns) > 2

    def fuse(rows, columns):
        return net.fuse([source[..., rows, columns] for source in sources])

    ((_, stripe),) = in_tiles(fuse, spans(24, 128, 0, net.grid), columns)
    torch.testing.assert_close(stripe, net.fuse(sources), atol=1e-5, rtol=0)


def test_the_width_is_told_from_a_state_dict():
    net = network(width=6)
    assert net.options_from_state(net.state_dict()) == {"width": 6}


def test_training_on_a_mixture(tmp_path):
    """The real command: losses of every task are recorded, the run fuses, and data of one task is refused."""
    write_sources(tmp_path / "data" / "pairs" / "set", 3, 64, 64)
    (write_photographs(tmp_path / "made", 3, 64, 64) / "images").rename(tmp_path / "data" / "photos")
    words = ["--model", "blendnet", "--width", 4, "--gpu_ids", "-1", "--checkpoints_dir", tmp_path / "checkpoints"]
    words += ["--num_threads", 0, "--loggers", "none", "--n_epochs", 1, "--n_epochs_decay", 0, "--init_type", "kaiming"]
    words += ["--samples_per_epoch", 24, "--batch_size", 2, "--crop_size", 48, "--print_freq", 2, "--name", "run"]
    assert train("--dataset_mode", "mixture", "--dataroot", tmp_path / "data", *words) == 0
    records = (tmp_path / "checkpoints" / "run" / "metrics.jsonl").read_text().splitlines()
    names = {name for record in map(json.loads, records) for name in record}
    assert {"G_pairs_gradient", "G_focus_L1", "G_exposure_structure", "G_pairs_excess"} <= names
    fused = load_fuser(tmp_path / "checkpoints" / "run")([scene(1), scene(2), scene(3)])
    assert fused.shape == scene(1).shape
    assert train("--dataset_mode", "sources", "--dataroot", tmp_path / "data" / "pairs" / "set", *words) == 2
