import pickle
from multiprocessing import get_context

import numpy as np
import pytest
import torch

from data.loader import create_loader
from data.sampler import EpochSampler
from data.transforms import JointTransform
from tests.data.helpers import make_dataset, save, to_uint8
from tests.data.onnx_files import write_mean_of_channels
from tests.data.test_saliency import Brightness, script
from util.errors import UserError
from util.images.image_io import list_images, read_image


@pytest.fixture
def root(pmf_root):
    """Four photographs of 80x60, img1, img2, img9, img10, in a folder by themselves."""
    return pmf_root / "images"


def equal(one, two):
    return all(torch.equal(one[key], two[key]) for key in ("sources", "target")) and one["name"] == two["name"]


def test_a_sample_at_native_size(root):
    sample = make_dataset("saliency", root=root, phase="train", num_sources=3)[3]
    assert sample["name"] == "img10"
    assert sample["sources"].shape == (3, 3, 60, 80)
    sources, target = [to_uint8(source) for source in sample["sources"]], to_uint8(sample["target"])
    photo = read_image(root / "img10.png")
    assert np.array_equal(target, photo) or (target == target[..., :1]).all()
    assert np.any([source == target for source in sources], axis=0).all()
    assert not any(np.array_equal(source, target) for source in sources)


@pytest.mark.parametrize("saliency", ["spectral", "fine", "gradient", "maps", "model"])
def test_a_sample_depends_on_its_key_only(root, tmp_path, saliency):
    if saliency == "maps":
        for path in list_images(root):
            save(tmp_path / "grey" / path.name, read_image(path)[::2, ::2, 0])
        saliency = str(tmp_path / "grey")
    if saliency == "model":
        saliency = str(script(tmp_path / "model.pt", Brightness()))

    def make(seed=3):
        transform = JointTransform(crop_size=40)
        return make_dataset("saliency", root=root, phase="train", saliency=saliency, transform=transform, seed=seed)

    dataset = make()
    first = dataset[4, 2]
    assert first["sources"].shape == (2, 3, 40, 40)
    for key in ((0, 0), (4, 1), (5, 2)):
        assert not equal(first, dataset[key])
    assert equal(first, make()[4, 2])
    assert equal(dataset[1], make()[0, 1])
    assert not torch.equal(first["target"], make(seed=4)[4, 2]["target"])


def test_the_saliency_is_that_of_the_whole_photograph_and_found_once(root, monkeypatch):
    asked = []
    operator = lambda photo: asked.append(photo.shape) or np.zeros(photo.shape[:2], np.float32)  # noqa: E731
    monkeypatch.setattr("data.saliency.recipe.OPERATORS", {"spectral": operator})
    dataset = make_dataset(
        "saliency", root=root, phase="train", pairs_per_image=2, transform=JointTransform(crop_size=16)
    )
    assert len(dataset) == 8
    names = [dataset[epoch, index]["name"] for epoch in range(2) for index in range(8)]
    assert asked == [(60, 80, 3)] * 4
    assert names[:8] == ["img1_1", "img2_1", "img9_1", "img10_1", "img1_2", "img2_2", "img9_2", "img10_2"]
    assert not torch.equal(dataset[0]["sources"], dataset[4]["sources"]), "the second pair is another one"


@pytest.mark.parametrize("where", ["train/images", "images", "train", ".", "elsewhere"])
def test_where_photographs_are(root, tmp_path, where):
    home = tmp_path / "home"
    (home / "train").mkdir(parents=True)  # there, but without images, if they are above it
    folder = home / where
    if where == ".":
        (home / "train").rmdir()
    for path in list_images(root):
        save(folder / path.name, read_image(path))
    images = folder if where == "elsewhere" else None
    assert len(make_dataset("saliency", root=home, phase="train", images=images)) == 4


def test_bad_folders(root, tmp_path):
    with pytest.raises(UserError, match=r"no such folder: .*none \(given by --dataroot\)"):
        make_dataset("saliency", root=tmp_path / "none", phase="train")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no images in .*empty"):
        make_dataset("saliency", root=tmp_path / "empty", phase="train")
    save(tmp_path / "maps" / "img2.png", np.zeros((6, 8), np.uint8))
    with pytest.raises(UserError, match=r"img1\.png has no map: expected .*maps/img1\.png"):
        make_dataset("saliency", root=root, phase="train", saliency=str(tmp_path / "maps"))
    (root / "img2.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"img2\.png: the file is empty"):
        make_dataset("saliency", root=root, phase="train")[1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"saliency": "none"}, "--saliency 'none'"),
        ({"num_sources": 1}, "--num_sources must be 2 to 16"),
        ({"num_sources": 3, "num_sources_max": 2}, r"--num_sources_max 2: expected 3 \(--num_sources\) to 16, or 0"),
        ({"num_sources_max": 17}, "--num_sources_max 17"),
        ({"num_sources_max": -1}, "--num_sources_max -1"),
        ({"pairs_per_image": 0}, "--pairs_per_image"),
    ],
)
def test_bad_values(root, values, message):
    with pytest.raises(UserError, match=message):
        make_dataset("saliency", root=root, phase="train", **values)


def drawing(root, seed=0, num_sources_max=5):
    transform = JointTransform(crop_size=16)
    return make_dataset(
        "saliency",
        root=root,
        phase="train",
        pairs_per_image=10,
        num_sources_max=num_sources_max,
        transform=transform,
        seed=seed,
    )


def numbers(dataset, *, epoch, start=0, rank=0, world_size=1, num_threads=0):
    """The number of sources of each batch of 4, and the images of all."""
    sampler = EpochSampler(len(dataset), 4, seed=dataset.seed, rank=rank, world_size=world_size)
    sampler.set_epoch(epoch, start)
    batches = list(
        create_loader(dataset, batch_size=4 // world_size, sampler=sampler, num_threads=num_threads)
    )  # unequal numbers in a batch could not be stacked
    return [batch["sources"].shape[1] for batch in batches], batches


def test_the_number_of_sources_is_drawn_for_each_batch(root):
    dataset = drawing(root)
    found = [numbers(dataset, epoch=epoch)[0] for epoch in range(6)]
    assert {number for epoch in found for number in epoch} == {2, 3, 4, 5}
    assert len({tuple(epoch) for epoch in found}) == 6, "anew in every epoch"
    assert numbers(drawing(root), epoch=1)[0] == found[1]
    assert [numbers(drawing(root, seed=1), epoch=epoch)[0] for epoch in range(6)] != found
    assert set(numbers(drawing(root, num_sources_max=0), epoch=0)[0]) == {2}


def test_outside_of_a_batch_the_number_of_sources_is_fixed(root):
    dataset = drawing(root)
    assert {len(dataset[epoch, index]["sources"]) for epoch in range(3) for index in range(20)} == {2}
    assert {batch["sources"].shape[1] for batch in create_loader(dataset, batch_size=4)} == {2}


@pytest.mark.parametrize("start", [4, 24])
def test_an_epoch_taken_up_in_the_middle_goes_on_as_it_would_have(root, start):
    whole, batches = numbers(drawing(root), epoch=2)
    rest, rest_of_batches = numbers(drawing(root), epoch=2, start=start, num_threads=2)
    assert rest == whole[start // 4 :]
    for one, other in zip(batches[start // 4 :], rest_of_batches, strict=True):
        assert equal(one, other)


def test_all_processes_draw_the_same_number(root):
    alone, batches = numbers(drawing(root), epoch=3, start=8)
    parts = [numbers(drawing(root), epoch=3, start=8, rank=rank, world_size=2) for rank in (0, 1)]
    assert parts[0][0] == parts[1][0] == alone
    for place, batch in enumerate(batches):
        assert torch.equal(parts[0][1][place]["sources"], batch["sources"][::2])
        assert torch.equal(parts[1][1][place]["sources"], batch["sources"][1::2])


@pytest.mark.parametrize("name", ["model.pt", "model.onnx"])
def test_every_process_opens_the_model_itself(root, tmp_path, name):
    path = tmp_path / name
    write_mean_of_channels(path) if name.endswith("onnx") else script(path, Brightness())
    dataset = make_dataset("saliency", root=root, phase="train", saliency=str(path))
    first = dataset[0]  # the model is open here when the workers are forked
    batches = list(create_loader(dataset, batch_size=2, num_threads=2))
    assert torch.equal(batches[0]["sources"][0], first["sources"])
    with get_context("spawn").Pool(1) as pool:
        photo, saliency = pool.apply(pickle.loads(pickle.dumps(dataset)).recipe.read, ((root / "img1.png",),))
    assert np.array_equal(saliency, dataset.recipe.read((root / "img1.png",))[1])
    assert photo.shape == (60, 80, 3)


def test_a_model_is_opened_once_in_a_process(root, tmp_path, monkeypatch):
    path = script(tmp_path / "model.pt", Brightness())
    opened, load = [], torch.jit.load

    def counted(file, **options):
        opened.append(file)
        return load(file, **options)

    monkeypatch.setattr(torch.jit, "load", counted)
    dataset = make_dataset("saliency", root=root, phase="train", saliency=str(path))
    [dataset[index] for index in range(4)]
    assert opened == [path]
    monkeypatch.setattr("os.getpid", lambda: -5)
    dataset.recipe.read((root / "img1.png",))
    assert opened == [path, path]
