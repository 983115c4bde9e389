"""Weights that ship: they load, fuse, have a card, stay small, and were trained on nothing that is tested with."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from engine import load_fuser
from options.run import GENERAL, SHIPPED
from tests.data.helpers import shared
from tests.images import scene

NAMES = sorted(path.name for path in SHIPPED.iterdir() if path.is_dir())
TRAINING_SETS = ("bsds500", "camvid", "ecssd", "photos", "llvip32", "roadscene/train", "med_train_")


def test_the_general_network_ships():
    assert GENERAL in NAMES
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) < 60e6


@pytest.mark.parametrize("name", NAMES)
def test_weights_fuse_and_have_a_card(name):
    fused = load_fuser(name, gpu_ids="-1")([scene(1), scene(2)])
    assert fused.shape == scene(1).shape
    assert fused.std() > 10
    card = (SHIPPED / name / "README.md").read_text()
    for heading in ("Data", "Training", "Known failures"):
        assert f"## {heading}" in card


@pytest.mark.parametrize("name", NAMES)
def test_no_file_of_a_test_set_was_trained_on(name):
    """data.sha256 lists the files of the training; each belongs to a set that is marked for training."""
    trained = (SHIPPED / name / "data.sha256").read_text().split()
    assert len(trained) > 100
    where = {}
    for line in shared("data", "MANIFEST.sha256").read_text().splitlines():
        digest, _, path = line.partition("  ")
        where.setdefault(digest, []).append(path)
    assert {digest for digest in trained if digest not in where} == set()
    paths = [path for digest in trained for path in where[digest]]
    assert [path for path in paths if not path.startswith(TRAINING_SETS)] == []


def test_the_general_network_keeps_what_only_one_source_shows():
    """A spot that only the first source has, and a texture that only the second has, are both in the fused image."""
    rows, columns = np.mgrid[:128, :160]
    spot = np.where((rows - 64) ** 2 + (columns - 40) ** 2 < 144, 220, 60).astype(np.uint8)
    texture = (120 + 60 * ((columns // 4 + rows // 4) % 2) * (columns > 90)).astype(np.uint8)
    fused = load_fuser(gpu_ids="-1")([spot, texture]).astype(float)
    inside, around = fused[60:68, 36:44].mean(), fused[20:30, 20:60].mean()
    assert inside - around > 40
    assert fused[30:100, 100:150].std() > 15


def test_the_weights_are_those_of_the_card():
    content = (SHIPPED / GENERAL / "latest_net_G.safetensors").read_bytes()
    assert hashlib.sha256(content).hexdigest() in (SHIPPED / GENERAL / "README.md").read_text()
