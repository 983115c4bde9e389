import struct
import zlib

import numpy as np
import pytest
import torch

from data.transforms import JointTransform
from tests.data.helpers import make_dataset, save, shared
from util.errors import UserError
from util.images.image_io import read_image


@pytest.fixture
def root(tmp_path, astronaut):
    """Two items of three roles and a target; the second is one row taller."""
    for number in (0, 1):
        for role, name in enumerate(("A", "B", "C", "gt")):
            save(tmp_path / "set" / name / f"{number}.png", astronaut[role : role + 20 + number, :30])
    return tmp_path / "set"


def test_sources_and_target_are_those_of_the_files(root):
    dataset = make_dataset("sources", root=root, phase="test")
    assert len(dataset) == 2
    assert dataset.skipped == []
    images = dataset.scene(1)
    assert images.name == "1"
    for image, role in zip([*images.sources, images.target], ("A", "B", "C", "gt"), strict=True):
        assert np.array_equal(image, read_image(root / role / "1.png"))
    assert dataset[1]["sources"].shape == (3, 3, 21, 30)
    two = make_dataset("sources", root=root, phase="test", roles="C, A", max_size=1)
    assert len(two) == 1
    assert two.description()[-2:] == ["used: the first 1", "2 items, 2 sources (C, A)"]
    assert not any(line.startswith("used") for line in dataset.description())
    assert np.array_equal(two.scene(0).sources[0], read_image(root / "C" / "0.png"))
    assert two[0]["sources"].shape == (2, 3, 20, 30)


def test_scenes_have_as_many_sources_as_files(tmp_path, astronaut):
    for scene, count in (("house", 2), ("door", 4)):
        for number in range(count):
            save(tmp_path / scene / f"{scene}{number}.png", astronaut[:10, number : number + 10])
    dataset = make_dataset("sources", root=tmp_path, phase="test")
    assert [(sample["name"], len(sample["sources"])) for sample in dataset] == [("door", 4), ("house", 2)]
    assert "target" not in dataset[0]
    assert dataset.inspection.counts == (4, 2)
    assert dataset.description()[-1] == "2 items, 2 to 4 sources (scenes)"


def test_stacked_panels(tmp_path, astronaut):
    wide = astronaut[:20, :60]
    save(tmp_path / "x_stacked.png", wide)
    images = make_dataset("sources", root=tmp_path, phase="test", with_target=True).scene(0)
    assert images.name == "x"
    assert np.array_equal(np.hstack([*images.sources, images.target]), wide)
    assert make_dataset("sources", root=tmp_path, phase="test").scene(0).target is None
    assert len(make_dataset("sources", root=tmp_path, phase="test", num_sources=3).scene(0).sources) == 3
    with pytest.raises(UserError, match="60 pixels wide, which are not 7 equal panels"):
        make_dataset("sources", root=tmp_path, phase="test", num_sources=7)


def test_files_one_by_one(root):
    files = [root / "B" / "0.png", root / "A" / "0.png"]
    dataset = make_dataset("sources", root="", phase="test", files=files)
    images = dataset.scene(0)
    assert (len(dataset), images.name, images.target) == (1, "0", None)
    assert np.array_equal(images.sources[0], read_image(files[0]))
    with pytest.raises(UserError, match=r"A/1\.png is 30x21, but .*B/0\.png is 30x20"):
        make_dataset("sources", root="", phase="test", files=[files[0], root / "A" / "1.png"])
    with pytest.raises(UserError, match=r"no such image: .*none\.png"):
        make_dataset("sources", root="", phase="test", files=[files[0], root / "none.png"])


def test_16_bits_stay(tmp_path):
    deep = np.arange(200, dtype=np.uint16).reshape(10, 20) * 300
    for role in ("ir", "vi"):
        save(tmp_path / role / "1.png", deep)
    dataset = make_dataset("sources", root=tmp_path, phase="test")
    assert dataset.inspection.bits == (16,)
    assert dataset.scene(0).sources[0].dtype == np.uint16
    assert np.array_equal(dataset.scene(0).sources[1][..., 2], deep)


def test_training(root):
    transform = JointTransform(crop_size=16)
    dataset = make_dataset(
        "sources", root=root, phase="train", num_sources=3, training=True, with_target=True, transform=transform, seed=4
    )
    sample = dataset[7, 1]
    assert sample["sources"].shape == (3, 3, 16, 16)
    assert sample["target"].shape == (3, 16, 16)
    assert torch.equal(sample["target"], dataset[7, 1]["target"])
    # Role r is cut r rows further down the same photograph, so that a joint cut shows the same rows r apart.
    assert torch.equal(sample["sources"][0][:, 1:], sample["sources"][1][:, :-1])
    assert torch.equal(sample["sources"][0][:, 3:], sample["target"][:, :-3])


def test_training_wants_targets_and_a_fixed_number_of_sources(root):
    with pytest.raises(UserError, match=r"item 0 .* has 3 sources, not 2: .*--num_sources"):
        make_dataset("sources", root=root, phase="train", training=True, with_target=True)
    assert len(make_dataset("sources", root=root, phase="train", training=True, with_target=True, roles="A,B")) == 2
    (root / "gt" / "1.png").unlink()
    with pytest.raises(UserError, match=r"item 1: its target is missing"):
        make_dataset("sources", root=root, phase="train", training=True, with_target=True, num_sources=3)
    (root / "gt" / "0.png").unlink()
    with pytest.raises(UserError, match=r"no item of .* has a target: put them into a folder target"):
        make_dataset("sources", root=root, phase="train", training=True, with_target=True, num_sources=3)
    assert len(make_dataset("sources", root=root, phase="test")) == 2


def test_bad_samples_are_skipped_by_request(root, astronaut):
    save(root / "B" / "1.png", astronaut[:20, :30])
    (root / "C" / "0.png").write_bytes((root / "C" / "0.png").read_bytes()[:200])
    save(root / "A" / "2.png", astronaut[:20, :30])
    for name in "ABC":
        save(root / name / "3.png", astronaut[:20, :30])
    with pytest.raises(UserError, match=r"\(2 more cannot be used either\); --on_bad_sample skip"):
        make_dataset("sources", root=root, phase="test")
    dataset = make_dataset("sources", root=root, phase="test", on_bad_sample="skip")
    assert [sample["name"] for sample in dataset] == ["3"]
    assert len(dataset.skipped) == 3


def test_training_skips_what_it_cannot_use(root, astronaut):
    """A training that is to skip looks for damage that only decoding shows; a test reads headers only."""
    for number in (2, 3):
        for name in ("A", "B", "C", "gt"):
            save(root / name / f"{number}.png", astronaut[:20, :30])
    options = {"root": root, "phase": "train", "num_sources": 3, "training": True, "with_target": True}
    damaged = root / "gt" / "1.png"
    content = bytearray(damaged.read_bytes())
    start = content.index(b"IDAT") + 4
    content[start : start + 40] = bytes(40)
    (length,) = struct.unpack_from(">I", content, start - 8)
    struct.pack_into(">I", content, start + length, zlib.crc32(content[start - 4 : start + length]))
    damaged.write_bytes(content)
    assert len(make_dataset("sources", root=root, phase="test")) == 4
    assert len(make_dataset("sources", **options)) == 4
    dataset = make_dataset("sources", **options, on_bad_sample="skip")
    assert [sample["name"] for sample in dataset] == ["0", "2", "3"]
    assert len(dataset.skipped) == 1 and str(damaged) in dataset.skipped[0]
    assert len(make_dataset("sources", root=root, phase="test", on_bad_sample="skip")) == 4


def test_training_skips_items_of_another_number_of_sources(tmp_path, astronaut):
    scenes = tmp_path
    for name in ("s/1.png", "s/2.png", "s/gt.png", "t/a.png", "t/b.png", "t/c.png", "t/gt.png"):
        save(scenes / name, astronaut[:20, :30])
    options = {"root": scenes, "phase": "train", "training": True, "with_target": True}
    with pytest.raises(UserError, match=r"item t .* has 3 sources, not 2: .*--on_bad_sample skip continues without"):
        make_dataset("sources", **options)
    dataset = make_dataset("sources", **options, on_bad_sample="skip")
    assert [sample["name"] for sample in dataset] == ["s"]
    assert len(dataset.skipped) == 1 and "item t" in dataset.skipped[0]


def test_a_file_that_changed_meanwhile_is_named(root, astronaut):
    dataset = make_dataset("sources", root=root, phase="test")
    save(root / "B" / "0.png", astronaut[:20, :31])
    with pytest.raises(UserError, match=r"B/0\.png is 31x20, but .*A/0\.png is 30x20"):
        dataset[0]
    (root / "B" / "1.png").unlink()
    with pytest.raises(UserError, match=r"B/1\.png"):
        dataset[1]


def test_a_real_set_is_read():
    dataset = make_dataset("sources", root=shared("data", "mef"), phase="test")
    sample = dataset[3]
    assert (sample["name"], len(sample["sources"])) == ("house", 4)
