"""GSGIF-GAN through the real commands: any number of sources, several processes, going on."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch

from tests.images import scene, write_pairs
from tests.integration import train_in_double
from tests.integration.commands import SMALL, curve, fuse, in_a_shell, train
from util.images.image_io import read_image, write_image

WORDS = ["--model", "gsgif", "--n_blocks", 1, *SMALL, "--n_epochs", 2, "--n_epochs_decay", 0, "--loggers", "none"]
TERMS = {"G_L1", "G_feat", "G_GAN", "D_fake", "D_real"}


def start(root, name, *more):
    return train("--dataroot", root / "data", "--checkpoints_dir", root, "--name", name, *WORDS, *more)


def weights(root, name, network="G"):
    return torch.load(root / name / f"latest_net_{network}.pth", weights_only=True)


@pytest.mark.parametrize(
    ("words", "terms"),
    [
        (["--fusion", "saliency", "--skips", "features"], TERMS),
        (["--fusion", "max", "--skips", "residual", "--precision", "bf16", "--lambda_feat_fused", 1], {"G_feat_fused"}),
        (["--lambda_GAN", 0, "--feature_stages", 3, "--norm", "instance"], {"G_L1", "G_feat"}),
        (["--lambda_feat", 0, "--gan_mode", "wgangp", "--norm", "none", "--ema", 0.9], TERMS - {"G_feat"}),
        (["--netD", "basic", "--gan_mode", "lsgan", "--accumulate", 2, "--clip_grad", 1], TERMS),
    ],
)
def test_every_choice_trains_and_fuses(tmp_path, words, terms):
    write_pairs(tmp_path / "data", 2)
    write_pairs(tmp_path / "val", 1, 45, 61)
    assert start(tmp_path, "run", *words, "--val_dataroot", tmp_path / "val") == 0
    last = [record for record in curve(tmp_path / "run") if record["kind"] == "losses"][-1]
    assert terms <= set(last)
    assert ("G_feat" in last, "G_GAN" in last) == ("--lambda_feat" not in words, "--lambda_GAN" not in words)
    sources = [tmp_path / f"{place}.png" for place in range(3)]
    for place, path in enumerate(sources):
        write_image(path, scene(place, 21, 30))
    fused = []
    for order in (sources, sources[::-1]):
        words = ["--sources", *order, "--out", tmp_path / "fused.png", "--checkpoints_dir", tmp_path, "--gpu_ids", "-1"]
        assert fuse(*words, "--name", "run") == 0
        fused.append(read_image(tmp_path / "fused.png").astype(int))
    assert fused[0].shape == (21, 30, 3)
    assert np.abs(fused[0] - fused[1]).max() <= 1


def test_a_run_that_is_continued_ends_as_one_that_was_not(tmp_path):
    write_pairs(tmp_path / "data", 4)
    more = ["--skips", "features", "--lambda_feat_fused", 1]
    assert start(tmp_path, "whole", *more) == 0
    assert start(tmp_path, "parts", *more, "--n_epochs", 1) == 0
    assert train("--checkpoints_dir", tmp_path, "--name", "parts", "--continue_train", "--n_epochs", 2) == 0
    for network in ("G", "D"):
        whole, parts = weights(tmp_path, "whole", network), weights(tmp_path, "parts", network)
        assert all(torch.equal(whole[key], parts[key]) for key in whole)


def test_two_processes_train_as_one(tmp_path):
    write_pairs(tmp_path / "data", 8)
    words = ["--dataroot", tmp_path / "data", "--checkpoints_dir", tmp_path, *WORDS, "--batch_size", 4]
    words += ["--norm", "none", "--no_dropout", "--skips", "residual", "--lambda_feat_fused", 1]
    try:
        assert train_in_double.main([*map(str, words), "--name", "one"]) == 0
    finally:
        torch.set_default_dtype(torch.float32)
    done = in_a_shell(
        "tests/integration/train_in_double.py", *words, "--name", "two", "--gpu_ids", "-1,-1",
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for network in ("G", "D"):
        one, two = weights(tmp_path, "one", network), weights(tmp_path, "two", network)
        assert max(float((one[key] - two[key]).abs().max()) for key in one) < 1e-11


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--netG", "IFCNN"], "--model gsgif trains GSGIF_generator only: add --netG GSGIF_generator"),
        (["--feature_stages", 0, 4], "--feature_stages 0 4: expected different stages of 0 to 3"),
        (["--feature_stages", 1, 1], "--feature_stages 1 1: expected different stages of 0 to 3"),
        (["--lambda_L1", 0, "--lambda_GAN", 0], "nothing trains the decoder"),
        (["--lambda_feat", -1], "--lambda_feat -1.0: expected a number of 0 or more"),
        (["--fusion", "sum"], "--fusion 'sum' is not one of: mean, max, saliency"),
        (["--n_blocks", 0], "--n_blocks 0: expected a number from 1 to 100"),
    ],
)
def test_bad_options_are_named_and_leave_no_run_folder(tmp_path, capsys, words, said):
    write_pairs(tmp_path / "data", 2)
    places = ["--dataroot", tmp_path / "data", "--checkpoints_dir", tmp_path, "--name", "run", "--gpu_ids", "-1"]
    assert train(*places, "--model", "gsgif", *words) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert said in error[0]
    assert not (tmp_path / "run").exists()
