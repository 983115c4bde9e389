"""Infrared-visible pairs beside masked copies of photographs."""

from __future__ import annotations

import pytest
import torch

from data.transforms import JointTransform
from tests.data.helpers import make_dataset
from tests.images import write_photographs, write_sources
from util.errors import UserError

TRANSFORM = JointTransform(crop_size=32, flip=False)


@pytest.fixture
def folders(tmp_path):
    write_sources(tmp_path / "pairs", 4)
    return {"root": tmp_path / "pairs", "photos": str(write_photographs(tmp_path / "more", 3) / "images")}


def test_a_sample_is_a_pair_and_a_photograph_taken_apart(folders):
    common = {"phase": "train", "transform": TRANSFORM, "seed": 4}
    dataset = make_dataset("pairs_and_photos", **folders, **common)
    pairs = make_dataset("sources", root=folders["root"], training=True, **common)
    photos = make_dataset("decomposition", root=folders["photos"], **common)
    assert len(dataset) == 4
    sample, pair, photo = dataset[2, 3], pairs[2, 3], photos[3, 2]  # 2 * 4 + 3 = 3 * 3 + 2
    assert sample.keys() == {"sources", "target", "masks", "pair", "name"}
    assert torch.equal(sample["pair"], pair["sources"])
    assert sample["name"] == pair["name"] == "03"
    assert all(torch.equal(sample[name], photo[name]) for name in ("sources", "target", "masks"))
    assert not torch.equal(sample["pair"], dataset[3, 3]["pair"])
    assert torch.equal(sample["pair"], dataset[2, 3]["pair"])


def test_photographs_go_on_from_epoch_to_epoch(folders):
    dataset = make_dataset("pairs_and_photos", **folders, phase="train", max_size=2)
    names = [dataset.photos.paths[(2 * epoch + index) % 3].stem for epoch in range(3) for index in range(2)]
    whole = [dataset.photos[turn, photo]["masks"] for turn in range(2) for photo in range(3)]
    assert names == ["00", "01", "02"] * 2
    for number, masks in enumerate(whole):
        assert torch.equal(dataset[divmod(number, 2)]["masks"], masks)


def test_infrared_is_first_and_roles_choose(folders):
    first, second = make_dataset("pairs_and_photos", **folders, phase="train")[0]["pair"]
    again = make_dataset("pairs_and_photos", **folders, phase="train", roles="vi,ir")[0]["pair"]
    assert torch.equal(again, torch.stack((second, first)))
    assert torch.equal(
        first, make_dataset("sources", root=folders["root"], phase="train", roles="ir,vi")[0]["sources"][0]
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"photos": ""}, "--photos is missing"),
        ({"photos": "/no/where"}, r"no such folder: /no/where \(given by --photos\)"),
        ({"roles": "ir,pet"}, "--roles: there is no role pet"),
        ({"num_sources": 3}, "--num_sources 3"),
        ({"transform": JointTransform(preprocess="scale_width")}, "--preprocess scale_width"),
    ],
)
def test_what_cannot_be_used_is_named(folders, change, message):
    with pytest.raises(UserError, match=message):
        make_dataset("pairs_and_photos", **{**folders, "phase": "train", **change})
