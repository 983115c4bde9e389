"""Samples of several tasks: real pairs, and stacks made of photographs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from data.base_dataset import SampleKey
from data.exposures.synthesis import exposures
from data.pmf.random_regions import random_regions
from data.transforms import JointTransform
from tests.data.helpers import make_dataset
from tests.images import scene, write_photographs, write_sources
from util.errors import UserError

TRANSFORM = JointTransform(crop_size=40, flip=True)


@pytest.fixture
def root(tmp_path):
    write_sources(tmp_path / "pairs" / "one", 3)
    write_sources(tmp_path / "pairs" / "two", 2)
    photos = write_photographs(tmp_path / "made", 3) / "images"
    photos.rename(tmp_path / "photos")
    return tmp_path


def mixture(root, **settings):
    return make_dataset("mixture", root=root, phase="train", transform=TRANSFORM, seed=3, **settings)


def test_samples_are_luma_of_every_task(root):
    dataset = mixture(root, num_sources_max=4, samples_per_epoch=60)
    assert len(dataset) == 60
    samples = [dataset[SampleKey(0, item, item)] for item in range(60)]
    assert {sample["task"] for sample in samples} == {"pairs", "focus", "exposure"}
    assert {sample["name"] for sample in samples if sample["task"] == "pairs"} == {"one", "two"}
    for sample in samples:
        number, *shape = sample["sources"].shape
        assert shape == [1, 40, 40]
        assert ("target" in sample) == (sample["task"] != "pairs")
        assert number == 2 or sample["task"] != "pairs"
        assert 0 <= sample["sources"].min() <= sample["sources"].max() <= 1
    assert {len(sample["sources"]) for sample in samples} == {2, 3, 4}


def test_the_samples_of_a_batch_are_alike_and_a_sample_is_drawn_by_its_key_alone(root):
    dataset, again = (mixture(root, num_sources_max=4) for _ in range(2))
    for batch in range(8):
        samples = [dataset[SampleKey(1, item, batch)] for item in range(4)]
        assert len({(sample["task"], sample["sources"].shape) for sample in samples}) == 1
        assert len({sample["sources"].sum().item() for sample in samples}) == 4
        repeated = again[SampleKey(1, 2, batch)]
        assert torch.equal(repeated["sources"], samples[2]["sources"])


def test_shares_leave_tasks_out(root):
    stacks = mixture(root, share_focus=0.5, share_exposure=0.5)
    assert {stacks[SampleKey(0, item, item)]["task"] for item in range(20)} == {"focus", "exposure"}
    pairs = mixture(root, share_focus=0.0, share_exposure=0.0)
    assert {pairs[SampleKey(0, item, item)]["task"] for item in range(20)} == {"pairs"}


def test_what_is_missing_is_named(root, tmp_path):
    (root / "photos").rename(root / "elsewhere")
    with pytest.raises(UserError, match=r"photos: no photographs.*--share_focus 0 --share_exposure 0"):
        mixture(root)
    assert len(mixture(root, share_focus=0.0, share_exposure=0.0)) == 1000
    with pytest.raises(UserError, match=r"empty.pairs: no folders with pairs"):
        mixture(tmp_path / "empty", share_focus=0.0, share_exposure=0.0)


def test_exposures_hold_together_what_the_photograph_holds():
    photo = scene(1, 60, 80)[..., :1]
    stack = exposures(photo, np.random.default_rng(0), num_sources=4)
    means = sorted(image.mean() for image in stack)
    assert all(image.shape == photo.shape and image.dtype == np.uint8 for image in stack)
    assert means[0] < photo.mean() < means[-1]
    assert all(later - sooner > 3 for sooner, later in pairwise(means))
    # In the shortest exposure brighter stays brighter, up to noise.
    darkest = min(stack, key=np.mean).astype(float)
    assert np.corrcoef(darkest.ravel(), photo.ravel())[0, 1] > 0.9


def test_random_regions_are_connected_areas_of_every_label():
    labels = random_regions(120, 160, np.random.default_rng(1), number=3)
    assert labels.shape == (120, 160)
    assert set(np.unique(labels)) == {0, 1, 2}
    borders = (labels[:, 1:] != labels[:, :-1]).mean()
    assert borders < 0.1, "regions, not noise"
