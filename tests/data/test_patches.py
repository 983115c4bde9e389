import os
import pickle
from multiprocessing import get_context

import h5py
import numpy as np
import pytest
import torch

from data.loader import create_loader
from data.patches.cutter import PatchCutter, contrast
from data.patches.reader import PatchReader, find_patch_file
from data.sampler import EpochSampler
from data.transforms import JointTransform
from tests.data.helpers import make_dataset, save
from tests.data.patch_files import random_pairs, write_ours, write_published
from util.errors import UserError
from util.images.colour import luma


@pytest.fixture(params=["ours", "published", "compressed"])
def pairs_file(request, tmp_path):
    pairs = random_pairs(13)
    if request.param == "published":
        return write_published(tmp_path / "patches.h5", pairs), pairs
    settings = {"compression": "gzip", "shuffle": True} if request.param == "compressed" else {}
    return write_ours(tmp_path / "patches.h5", pairs, **settings), pairs


def test_patches_are_delivered_bit_for_bit(pairs_file):
    path, pairs = pairs_file
    dataset = make_dataset("patches", root=path, phase="train")
    assert len(dataset) == 13
    for index, sample in enumerate(dataset):
        assert sample["sources"].dtype == torch.float32
        assert np.array_equal(sample["sources"].numpy(), pairs[index][:, None])
        assert sample["name"] == f"patches-{index}"
        assert set(sample) == {"sources", "name"}
    assert torch.equal(dataset[-1]["sources"], dataset[12]["sources"])
    with pytest.raises(IndexError):
        dataset[13]
    assert len(make_dataset("patches", root=path, phase="train", max_size=5)) == 5


def batches(dataset, num_threads):
    sampler = EpochSampler(len(dataset), 4, seed=3)
    sampler.set_epoch(2)
    return list(create_loader(dataset, batch_size=4, sampler=sampler, num_threads=num_threads))


def test_several_workers_give_what_one_gives(pairs_file):
    path, _ = pairs_file
    dataset = make_dataset("patches", root=path, phase="train", transform=JointTransform(crop_size=8), seed=5)
    dataset[0]  # the file is open here when the workers are forked
    alone, together = batches(dataset, 0), batches(dataset, 2)
    assert len(alone) == len(together) >= 3
    for one, other in zip(alone, together, strict=True):
        assert one["sources"].shape == (4, 2, 1, 8, 8)
        assert torch.equal(one["sources"], other["sources"])
        assert one["name"] == other["name"]
    assert torch.equal(batches(dataset, 0)[0]["sources"], alone[0]["sources"]), "and the file is still open here"


def test_a_dataset_travels_to_a_process_of_its_own(pairs_file):
    path, pairs = pairs_file
    dataset = make_dataset("patches", root=path, phase="train")
    dataset[0]
    copy = pickle.loads(pickle.dumps(dataset))
    assert np.array_equal(copy[7]["sources"].numpy()[:, 0], pairs[7])
    with get_context("spawn").Pool(1) as pool:
        assert np.array_equal(pool.apply(copy.file.read, (9,)), pairs[9])


def test_a_file_is_open_once_in_each_process_and_read_only(pairs_file, monkeypatch):
    path, pairs = pairs_file
    opened, complete = [], h5py.File
    monkeypatch.setattr(h5py, "File", lambda *words: opened.append(complete(*words)) or opened[-1])
    file = PatchReader(path)
    assert (len(opened), bool(opened[0])) == (1, False), "looking at the file leaves it closed"
    file.read(0)
    file.read(1)
    assert (len(opened), opened[1].mode) == (2, "r")
    with pytest.raises((OSError, ValueError, RuntimeError)):
        opened[1].create_group("new")
    monkeypatch.setattr(os, "getpid", lambda: -5)  # as in a fork
    assert np.array_equal(file.read(2), pairs[2])
    assert [bool(handle) for handle in opened] == [False, False, True]
    file.close()
    with complete(path, "r+"):
        pass


def test_a_transform_cuts_both_patches_alike(tmp_path):
    pairs = random_pairs(4)
    pairs[:, 1] = pairs[:, 0]
    write_ours(tmp_path / "p.h5", pairs)
    dataset = make_dataset("patches", root=tmp_path, phase="train", transform=JointTransform(crop_size=8), seed=1)
    seen = set()
    for epoch in range(8):
        ir, vi = dataset[epoch, 2]["sources"].numpy()[:, 0]
        assert ir.shape == (8, 8)
        assert np.array_equal(ir, vi)
        assert np.isin(ir, pairs[2, 0]).all(), "cut out, not computed"
        seen.add(ir.tobytes())
    assert len(seen) > 1
    assert "cropped to 8" in dataset.description()[0]


@pytest.mark.parametrize("transform", [JointTransform(crop_size=256), JointTransform(preprocess="none")])
def test_patches_that_are_no_larger_than_the_crop_are_taken_whole(pairs_file, transform):
    path, pairs = pairs_file
    dataset = make_dataset("patches", root=path, phase="train", transform=transform)
    mirrored = {False, True}
    for epoch in range(20):
        got = dataset[epoch, 3]["sources"].numpy()[:, 0]
        straight, flipped = np.array_equal(got, pairs[3]), np.array_equal(got, pairs[3][:, :, ::-1])
        assert straight or flipped
        mirrored.discard(flipped)
    assert not mirrored, "both were seen"
    assert "taken whole" in dataset.description()[0]


def test_options_that_do_not_fit(pairs_file):
    path, _ = pairs_file
    for preprocess in ("resize_and_crop", "scale_width", "scale_width_and_crop"):
        with pytest.raises(UserError, match=f"--preprocess {preprocess}: patches are not resized"):
            make_dataset("patches", root=path, phase="train", transform=JointTransform(preprocess=preprocess))
    with pytest.raises(UserError, match="--num_sources 3"):
        make_dataset("patches", root=path, phase="train", num_sources=3)


def test_where_the_file_is_looked_for(tmp_path):
    path = write_ours(tmp_path / "a.h5", random_pairs(2))
    assert find_patch_file(path, "train") == path
    assert find_patch_file(tmp_path, "train") == path
    (tmp_path / "train").mkdir()
    with pytest.raises(UserError, match=r"expected one HDF5 file .*train, which holds none"):
        find_patch_file(tmp_path, "train")
    inner = write_ours(tmp_path / "train" / "b.hdf5", random_pairs(3))
    assert len(make_dataset("patches", root=tmp_path, phase="train")) == 3
    write_ours(tmp_path / "train" / "c.h5", random_pairs(3))
    with pytest.raises(UserError, match=r"holds b\.hdf5, c\.h5"):
        find_patch_file(tmp_path, "train")
    assert find_patch_file(inner, "train") == inner
    with pytest.raises(UserError, match="no such folder"):
        find_patch_file(tmp_path / "none.h5", "train")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0] * 16, 0.0),
        ([0.4] * 16, 0.0),
        ([0.0] * 15 + [1.0], 0.0),  # p90 is 0 although one pixel is bright
        ([0.0] * 8 + [1.0] * 8, 1.0),
        (list(np.linspace(0.5, 1.0, 11)), (0.95 - 0.55) / 0.95),
    ],
)
def test_contrast(values, expected):
    assert contrast(np.array(values)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("bits", [8, 16])
def test_luma_is_that_of_the_fused_images(tmp_path, bits):
    """What a network is trained on is what it is given when it fuses images; grey keeps its exact value."""
    dtype = np.uint8 if bits == 8 else np.uint16
    rng = np.random.default_rng(1)
    levels = rng.integers(0, 2**bits, (32, 32, 3)).astype(dtype)
    levels[:16] = levels[:16, :, :1]
    levels[0, 0] = np.iinfo(dtype).max
    ir, vi = save(tmp_path / "ir.png", levels[..., 0]), save(tmp_path / "vi.png", levels)
    ((infrared, visible),), dropped = PatchCutter(32, 1, 0.0).cut(ir, vi)
    assert dropped == 0
    floats = levels.astype(np.float64) / np.iinfo(dtype).max
    assert np.array_equal(infrared, floats[..., 0].astype(np.float32))
    assert np.array_equal(visible[:16], floats[:16, :, 0].astype(np.float32))
    assert visible.max() == 1
    np.testing.assert_allclose(visible, luma(floats.astype(np.float32)), atol=2e-7, rtol=0)


def test_both_patches_of_a_pair_need_contrast(tmp_path):
    ramp = np.tile(np.arange(100, 116, dtype=np.uint8) * 2, (16, 1))
    flat, dark = np.full((16, 16), 90, np.uint8), np.zeros((16, 16), np.uint8)
    cutter = PatchCutter(16, 16, 0.1)
    for name, ir, vi, kept in [("a", ramp, ramp, 1), ("b", flat, ramp, 0), ("c", ramp, flat, 0), ("d", dark, ramp, 0)]:
        patches, dropped = cutter.cut(save(tmp_path / "ir" / f"{name}.png", ir), save(tmp_path / f"{name}.png", vi))
        assert (len(patches), dropped) == (kept, 1 - kept)
        assert patches.shape == (kept, 2, 16, 16)
    assert len(PatchCutter(16, 16, 0.0).cut(tmp_path / "ir" / "d.png", tmp_path / "d.png")[0]) == 1, "0 keeps all"
    just = contrast(ramp / 255)
    for least, kept in [(just - 1e-6, 1), (just + 1e-6, 0)]:
        assert len(PatchCutter(16, 16, least).cut(tmp_path / "ir" / "a.png", tmp_path / "a.png")[0]) == kept
