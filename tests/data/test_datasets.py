import dataclasses

import numpy as np
import pytest
import torch

from data import create
from data.base_dataset import FusionDataset
from data.cache import ArrayCache
from data.create import create_dataset, list_dataset_modes
from data.pmf.recipe import PMFRecipe
from data.pmf.synthesis import published_pair
from data.template_dataset import TemplateDataset
from data.transforms import JointTransform
from engine.assembly import build_dataset
from options.commands import parse_train
from options.data import DatasetOptions, PMFOptions
from options.registry import Entry
from tests.data.helpers import block_map, make_dataset, save, to_uint8
from tests.data.patch_files import random_pairs, write_ours
from tests.images import write_sources
from util.errors import UserError
from util.images.image_io import list_images, read_image


@pytest.fixture
def stacked_root(tmp_path, astronaut):
    for number in (1, 2, 10):
        save(tmp_path / "train" / f"p{number}_stacked.png", astronaut[number : number + 40, : 3 * 50])
    return tmp_path


def test_stacked_panels(stacked_root, astronaut):
    dataset = make_dataset("aligned", root=stacked_root, phase="train")
    assert len(dataset) == 3
    assert [sample["name"] for sample in dataset] == ["p1", "p2", "p10"]
    sample = dataset[2]
    assert sample["sources"].shape == (2, 3, 40, 50)
    assert sample["sources"].dtype == torch.float32
    wide = astronaut[10:50, :150]
    panels = [to_uint8(sample["sources"][0]), to_uint8(sample["sources"][1]), to_uint8(sample["target"])]
    assert np.array_equal(np.hstack(panels), wide)  # A | C | B: the sources first, the target last


def test_stacked_without_target_in_root_itself(stacked_root):
    dataset = make_dataset("aligned", root=stacked_root / "train", phase="test", num_sources=3, with_target=False)
    assert dataset[0]["sources"].shape == (3, 3, 40, 50)
    assert "target" not in dataset[0]


def test_stacked_with_the_wrong_number_of_panels(stacked_root):
    with pytest.raises(UserError, match=r"p1_stacked\.png is 150 .* 4 equal panels .*--num_sources and --with_target"):
        make_dataset("aligned", root=stacked_root, phase="train", num_sources=3)


def test_all_stacked_images_are_looked_at_before_the_first_is_used(stacked_root):
    last = list_images(stacked_root / "train")[-1]
    save(last, np.zeros((20, 151, 3), np.uint8))
    with pytest.raises(UserError, match=rf"{last.name} is 151 pixels wide"):
        make_dataset("aligned", root=stacked_root, phase="train")
    assert len(make_dataset("aligned", root=stacked_root, phase="train", max_size=1)) == 1, (
        "what is not used may be anything"
    )


def test_stacked_transform_is_joint(stacked_root):
    wide = read_image(stacked_root / "train" / "p1_stacked.png")
    save(stacked_root / "train" / "p1_stacked.png", np.hstack([wide[:, :50]] * 3))
    dataset = make_dataset("aligned", root=stacked_root, phase="train", transform=JointTransform(crop_size=16))
    sample = dataset[5, 0]
    assert sample["target"].shape == (3, 16, 16)
    assert torch.equal(sample["sources"][0], sample["target"])
    assert torch.equal(sample["sources"][1], sample["target"])


def test_empty_and_missing_folders(tmp_path):
    with pytest.raises(UserError, match="no images in"):
        make_dataset("aligned", root=tmp_path, phase="train")
    save(tmp_path / "test" / "a.png", np.zeros((8, 24, 3), np.uint8))
    with pytest.raises(UserError, match=r"no images in .* itself, but in test: name one of these; .* sources"):
        make_dataset("aligned", root=tmp_path, phase="train")
    with pytest.raises(UserError, match=r"no such folder: .*none"):
        make_dataset("aligned", root=tmp_path / "none", phase="train")
    with pytest.raises(UserError, match=r"no folder .*train/images"):
        make_dataset("pmf", root=tmp_path, phase="train")


def equal(one, two):
    return all(torch.equal(one[key], two[key]) for key in ("sources", "target")) and one["name"] == two["name"]


@pytest.mark.parametrize("recipe", ["realistic", "published"])
def test_a_sample_depends_on_seed_epoch_and_index_only(pmf_root, recipe):
    def make(seed=3):
        transform = JointTransform(crop_size=40)
        return make_dataset("pmf", root=pmf_root, phase="train", recipe=recipe, transform=transform, seed=seed)

    dataset = make()
    first = dataset[4, 2]
    for key in ((0, 0), (4, 1), (5, 2)):
        assert not equal(first, dataset[key])
    assert equal(first, make()[4, 2])
    assert equal(dataset[1], make()[0, 1])
    assert not torch.equal(first["target"], make(seed=4)[4, 2]["target"])


def test_pmf_realistic_native_size(pmf_root):
    dataset = make_dataset("pmf", root=pmf_root, phase="test", num_sources=3, sigma=(2, 2), kernel="gaussian")
    sample = dataset[3]
    assert sample["name"] == "img10"
    assert sample["sources"].shape == (3, 3, 60, 80)
    assert np.array_equal(to_uint8(sample["target"]), read_image(pmf_root / "images" / "img10.png"))
    assert not any(torch.equal(source, sample["target"]) for source in sample["sources"])


def test_pmf_realistic_is_cut_before_it_is_blurred(pmf_root):
    """At the border of the cut the blur reflects; it does not see what lies beyond."""
    dataset = make_dataset("pmf", root=pmf_root, phase="train", sigma=(6, 6), transform=JointTransform(crop_size=20))
    sample = dataset[0]
    photo = read_image(pmf_root / "images" / "img1.png")
    assert sample["target"].shape == (3, 20, 20)
    windows = np.lib.stride_tricks.sliding_window_view(photo, (20, 20), axis=(0, 1))
    cuts = [to_uint8(sample["target"]), to_uint8(sample["target"])[:, ::-1]]
    assert any((windows == cut.transpose(2, 0, 1)).all(axis=(2, 3, 4)).any() for cut in cuts)


def test_pmf_published(pmf_root):
    photo = read_image(pmf_root / "images" / "img2.png")
    save(pmf_root / "maps" / "img2.png", block_map(30, 33).astype(np.uint8))  # any size will do
    dataset = make_dataset("pmf", root=pmf_root, phase="train", recipe="published")
    labels = np.repeat(block_map(30, 33)[..., None], 3, axis=2).astype(np.uint8)
    expected = published_pair(np.ascontiguousarray(photo[..., ::-1]), labels)
    sample = dataset[1]
    for tensor, panel in zip([*sample["sources"], sample["target"]], expected, strict=True):
        assert np.array_equal(to_uint8(tensor), panel[..., ::-1])


@pytest.mark.parametrize(
    ("recipe", "size", "shape"),
    [("published", 64, (64, 64, 3)), ("realistic", 30, (30, 40, 3)), ("rgbd", 30, (30, 40, 3))],
)
def test_pmf_size(pmf_root, recipe, size, shape):
    """Published: a square; otherwise without distortion."""
    files = pmf_root / "images" / "img1.png", pmf_root / "maps" / "img1.png"
    made = PMFRecipe(PMFOptions(recipe=recipe), size=size).make(files, np.random.default_rng(0))
    assert [image.shape for image in made] == [shape] * 3


def test_pmf_folders(pmf_root, tmp_path):
    (pmf_root / "images").rename(tmp_path / "photos")
    (pmf_root / "val").mkdir()
    (pmf_root / "maps").rename(pmf_root / "val" / "maps")
    assert len(make_dataset("pmf", root=pmf_root, phase="val", images=tmp_path / "photos")) == 4
    with pytest.raises(UserError, match=r"images.* give --images DIR"):
        make_dataset("pmf", root=pmf_root, phase="val", images="")


def test_pmf_unequal_sizes(pmf_root):
    save(pmf_root / "maps" / "img9.png", block_map(60, 81).astype(np.uint8))
    with pytest.raises(UserError, match=r"maps/img9\.png is 81x60, but photograph .*images/img9\.png is 80x60"):
        make_dataset("pmf", root=pmf_root, phase="train")[2]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"recipe": "real"}, "--recipe"),
        ({"kernel": "box"}, "--kernel"),
        ({"num_sources": 1}, "--num_sources"),
        ({"sigma": (3, 2)}, "--sigma"),
        ({"sigma": (0, 2)}, "--sigma"),
        ({"sigma": (1, float("nan"))}, "--sigma"),
        ({"recipe": "published", "num_sources": 3}, "--num_sources 3"),
        ({"pairs_per_image": 0}, "--pairs_per_image 0: expected a number from 1 to 10000"),
    ],
)
def test_pmf_bad_values(pmf_root, values, message):
    with pytest.raises(UserError, match=message):
        make_dataset("pmf", root=pmf_root, phase="train", **values)


@pytest.mark.parametrize(("recipe", "size"), [("realistic", -5), ("published", 0)])
def test_pmf_bad_size(recipe, size):
    with pytest.raises(UserError, match="--size"):
        PMFRecipe(PMFOptions(recipe=recipe), size=size)


def test_max_size_and_indices(pmf_root):
    dataset = make_dataset("pmf", root=pmf_root, phase="train", max_size=3)
    assert len(dataset) == 3
    assert len(make_dataset("pmf", root=pmf_root, phase="train", max_size=0)) == 4
    assert len(make_dataset("pmf", root=pmf_root, phase="train", max_size=9)) == 4
    assert dataset[-1]["name"] == "img9"
    with pytest.raises(IndexError):
        dataset[3]


def test_template(pmf_root, astronaut):
    dataset = TemplateDataset(
        DatasetOptions(), root=pmf_root, phase="images", transform=JointTransform(crop_size=16), seed=1
    )
    sample = dataset[2, 3]
    assert sample["sources"].shape == (2, 3, 16, 16)
    darker, brighter = sample["sources"].mean(dim=(1, 2, 3))
    assert darker < sample["target"].mean() < brighter
    assert equal(sample, dataset[2, 3])


def test_a_dataset_that_was_added_gets_the_arguments_of_the_others(pmf_root, monkeypatch):
    entry = Entry(DatasetOptions, "data.template_dataset:TemplateDataset")
    monkeypatch.setattr(create, "DATASETS", {"mine": entry})
    config, _ = parse_train(["--dataroot", str(pmf_root / "images"), "--dataset_mode", "decomposition", "--seed", "7"])
    mine = dataclasses.replace(config, selection=dataclasses.replace(config.selection, dataset_mode="mine"))
    dataset = build_dataset(mine, transform=JointTransform(crop_size=16))
    assert isinstance(dataset, TemplateDataset)
    assert len(dataset) == 4
    with pytest.raises(UserError, match="--num_sources 3"):
        TemplateDataset(DatasetOptions(), root=pmf_root, phase="images", num_sources=3)


@pytest.mark.parametrize("mode", list_dataset_modes())
def test_every_mode_is_created(mode, pmf_root):
    root = pmf_root if mode == "pmf" else pmf_root / "images"
    if mode == "patches":
        root = write_ours(pmf_root / "patches.h5", random_pairs(4))
    if mode == "aligned":
        for path in list_images(root):
            save(path, np.hstack([read_image(path)] * 3))
    options = {}
    if mode == "mixture":
        write_sources(pmf_root / "images" / "pairs" / "set", 2)
        for path in list_images(root):
            save(root / "photos" / path.name, read_image(path))
    if mode == "pairs_and_photos":
        options["photos"] = str(root)
        for role in ("ir", "vi"):
            for path in list_images(root):
                save(pmf_root / "pairs" / role / path.name, read_image(path))
        root = pmf_root / "pairs"
    dataset = make_dataset(mode, root=root, phase="train", **options)
    assert isinstance(dataset, FusionDataset)
    assert len(dataset) == (1000 if mode == "mixture" else 4)


def test_an_unknown_mode_names_the_near_ones():
    assert list_dataset_modes() == [
        "aligned",
        "decomposition",
        "mixture",
        "pairs_and_photos",
        "patches",
        "pmf",
        "saliency",
        "sources",
    ]
    wanted = (
        r"aligned, decomposition, mixture, pairs_and_photos, patches, pmf, saliency, sources \(did you mean aligned\?\)"
    )
    with pytest.raises(UserError, match=f"'alined' is not one of: {wanted}"):
        create_dataset("alined", DatasetOptions(), root=".", phase="train")


def test_decoded_images_are_kept_up_to_the_limit():
    cache, loads = ArrayCache(limit=250), []

    def get(key):
        return cache.get(key, lambda: loads.append(key) or (np.zeros(100, np.uint8),))

    for key in "abcabc":
        get(key)
    assert loads == ["a", "b", "c", "c"], "two fit, the third is loaded again"


def test_a_kept_photograph_gives_the_samples_of_a_fresh_one(pmf_root):
    kept = make_dataset("pmf", root=pmf_root, phase="train", pairs_per_image=2)
    assert len(kept) == 8
    first = [kept[3, index]["sources"].clone() for index in range(8)]
    again = [
        make_dataset("pmf", root=pmf_root, phase="train", pairs_per_image=2)[3, index]["sources"] for index in range(8)
    ]
    assert all(torch.equal(kept[3, index]["sources"], first[index]) for index in range(8))
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    assert not torch.equal(first[0], first[4]), "the second pair of a photograph is another one"
