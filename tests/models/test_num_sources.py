"""Training and fusing with more than two sources, through the real commands."""

import json

import cv2
import numpy as np
import pytest
import torch

from models import create_generator
from tests.images import scene, write_photographs
from tests.integration.commands import SMALL, fuse, train
from util.images.image_io import read_image, write_image

COMMON = ["--n_epochs", 1, "--n_epochs_decay", 0, "--print_freq", 2, "--loggers", "none"]
COMMON += ["--init_gain", 0.2]  # larger than usual: what a few steps leave of a network shall still depend on its input
WORDS = [*SMALL, *COMMON]


def write_stacked(folder, count, num_sources, *, with_target=True):
    """Items whose sources are each sharp in one upright stripe, as many stripes as sources."""
    for number in range(count):
        sharp = scene(number, 48, 64)
        soft = cv2.GaussianBlur(sharp, (0, 0), 3)
        stripe = np.arange(64) * num_sources // 64
        sources = [np.where((stripe == place)[:, None], sharp, soft) for place in range(num_sources)]
        write_image(folder / f"p{number}.png", np.hstack([*sources, sharp] if with_target else sources))
    return folder


def losses(folder):
    """The last record of a training's losses."""
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [record for record in records if record["kind"] == "losses"][-1]


def assert_trained(folder, num_sources):
    """Two steps with finite losses, one term for each rebuilt source."""
    last = losses(folder)
    terms = {name for name in last if name.startswith("G_L1_R")}
    assert terms == {f"G_L1_R{number}" for number in range(1, num_sources + 1)}
    assert all(np.isfinite(last[name]) for name in terms | {"G_L1", "G_GAN", "D_real", "D_fake"})
    assert last["samples"] == 4


def assert_fuses(root, name, num_sources):
    """test.py fuses stacked items of so many sources, and every one of them matters."""
    for place in range(num_sources + 1):  # in item `place`, that source is dark; in the last, none is
        sources = [scene(number, 48, 64) for number in range(num_sources)]
        if place < num_sources:
            sources[place] = np.zeros_like(sources[place])
        write_image(root / f"test{num_sources}" / f"{place}.png", np.hstack(sources))
    status = fuse(
        "--dataroot", root / f"test{num_sources}", "--checkpoints_dir", root, "--name", name, "--gpu_ids", "-1",
        "--results_dir", root / "results", "--dataset_mode", "aligned", "--num_sources", num_sources,
        "--num_threads", 0, "--metrics", "none",
    )  # fmt: skip
    assert status == 0
    folder = root / "results" / name / "test_latest" / "fused"
    fused = [read_image(folder / f"{place}.png") for place in range(num_sources + 1)]
    assert all(image.shape == (48, 64, 3) for image in fused)
    assert min(np.abs(image.astype(int) - fused[-1]).mean() for image in fused[:-1]) > 1


@pytest.mark.parametrize("num_sources", [3, 4])
def test_stacked_files(tmp_path, num_sources):
    write_stacked(tmp_path / "data" / "train", 4, num_sources)
    write_stacked(tmp_path / "val", 1, num_sources)
    words = ["--dataroot", tmp_path / "data", "--val_dataroot", tmp_path / "val", "--num_sources", num_sources]
    assert train(*words, "--checkpoints_dir", tmp_path, "--name", "run", *WORDS) == 0
    assert_trained(tmp_path / "run", num_sources)
    assert_fuses(tmp_path, "run", num_sources)


@pytest.mark.parametrize("recipe", ["realistic", "rgbd"])
def test_on_the_fly(tmp_path, recipe):
    write_photographs(tmp_path / "data", 4)
    words = ["--dataroot", tmp_path / "data", "--dataset_mode", "pmf", "--recipe", recipe, "--num_sources", 3]
    assert train(*words, "--checkpoints_dir", tmp_path, "--name", "run", *WORDS) == 0
    assert_trained(tmp_path / "run", 3)


def test_saliency_on_the_fly(tmp_path):
    """As many sources as said, or a number drawn for each batch; test.py takes over the least."""
    write_photographs(tmp_path / "data", 12)
    words = ["--dataroot", tmp_path / "data", "--dataset_mode", "saliency", "--checkpoints_dir", tmp_path, *WORDS]
    assert train(*words, "--name", "two", "--max_dataset_size", 4) == 0
    assert_trained(tmp_path / "two", 2)
    assert train(*words, "--name", "drawn", "--num_sources_max", 5, "--print_freq", 12) == 0
    assert {f"G_L1_R{number}" for number in range(1, 4)} <= set(losses(tmp_path / "drawn")), "six batches, more than 2"
    assert_fuses(tmp_path, "drawn", 3)


def test_shared_decoders_fuse_any_number_of_sources(tmp_path):
    write_stacked(tmp_path / "data" / "train", 4, 3)
    words = ["--dataroot", tmp_path / "data", "--num_sources", 3, "--checkpoints_dir", tmp_path, "--name", "run"]
    assert train(*words, *WORDS) == 0
    assert_fuses(tmp_path, "run", 2)
    assert_fuses(tmp_path, "run", 5)


def test_separate_decoders(tmp_path):
    write_stacked(tmp_path / "data" / "train", 4, 3)
    words = ["--dataroot", tmp_path / "data", "--checkpoints_dir", tmp_path, "--name", "run", *WORDS]
    assert train(*words, "--num_sources", 3, "--decoders", "separate") == 0
    assert_trained(tmp_path / "run", 3)
    weights = torch.load(tmp_path / "run" / "latest_net_G.pth", weights_only=True)
    decoders = [weights[f"{name}.7.weight"] for name in ("model_decoder", "model1", "model2", "model3")]
    assert not any(torch.equal(one, other) for i, one in enumerate(decoders) for other in decoders[:i])
    initial = create_generator("R2GAN_generator", ngf=4, num_sources=3, decoders="separate").state_dict()
    assert set(initial) == set(weights)
    assert_fuses(tmp_path, "run", 3)
    assert_fuses(tmp_path, "run", 2)
    assert_fuses(tmp_path, "run", 4)  # fusing needs no more than the one decoder of the fused image


@pytest.mark.parametrize("fusion", ["max", "sum", "mean"])
def test_ifcnn(tmp_path, fusion):
    """Its first layer is trained as well, so that no published weights are needed."""
    write_photographs(tmp_path / "data", 4)
    words = ["--dataroot", tmp_path / "data", "--dataset_mode", "pmf", "--recipe", "rgbd", "--num_sources", 3]
    words += ["--model", "ifcnn", "--netG", "IFCNN", "--fusion", fusion, "--train_conv1", "--perceptual_from", 0]
    words += ["--gpu_ids", "-1", "--crop_size", 32, "--batch_size", 2, "--num_threads", 0, *COMMON]
    assert train(*words, "--checkpoints_dir", tmp_path, "--name", "run") == 0
    last = losses(tmp_path / "run")
    assert last["samples"] == 4
    assert np.isfinite(last["G_MSE"])
    assert_fuses(tmp_path, "run", 3)
    assert_fuses(tmp_path, "run", 4)
