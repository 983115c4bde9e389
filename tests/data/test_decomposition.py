"""Decomposition data: how much is kept and by whom, colours, parts, and samples that can be made again."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from data.decomposition.synthesis import faded, masked_copies, random_masks, random_part
from data.transforms import JointTransform
from tests.data.helpers import make_dataset
from tests.images import scene
from util.errors import UserError
from util.images.image_io import write_image

DRAWS = 10_000
LOWEST, HIGHEST = 0.1, 0.1 + 1 / 1.12


def moment(power):
    """The mean of p^power for p uniform between `LOWEST` and `HIGHEST`."""
    return (HIGHEST ** (power + 1) - LOWEST ** (power + 1)) / ((power + 1) * (HIGHEST - LOWEST))


@pytest.fixture(scope="module")
def drawn():
    """10,000 draws of small masks, (draws, 2, 9, 9): each pixel of one has a cell of its own in every grid."""
    rng = np.random.default_rng(0)
    return np.stack([random_masks(9, 9, rng) for _ in range(DRAWS)])


def test_masks_together_keep_everything(drawn):
    assert drawn.dtype == bool
    assert drawn.any(axis=1).all()


def test_masks_keep_as_much_as_the_procedure_says(drawn):
    """Each source keeps a pixel with p², so both do with p⁴ and neither does with (1 - p²)², which is shared out."""
    per_draw = {"each": drawn.mean((1, 2, 3)), "both": drawn.all(axis=1).mean((1, 2))}
    expected = {"each": moment(2) + (1 - 2 * moment(2) + moment(4)) / 2, "both": moment(4)}
    for name, values in per_draw.items():
        error = values.std() / np.sqrt(DRAWS)
        assert error < 0.003
        assert abs(values.mean() - expected[name]) < 4.5 * error, name


def test_one_chance_holds_for_a_whole_sample_and_sharing_depends_on_it(drawn):
    """Of what neither kept, one source gets p: so the more both keep, the more unequal are the sources' own parts."""
    both = drawn.all(axis=1).mean((1, 2))
    assert abs(both.var() - (moment(8) - moment(4) ** 2)) < 0.02, "the spread is that of p, not of single pixels"
    first = (drawn[:, 0] & ~drawn[:, 1]).mean((1, 2))
    second = (drawn[:, 1] & ~drawn[:, 0]).mean((1, 2))
    error = (first - second).std() / np.sqrt(DRAWS)
    assert abs((first - second).mean()) < 4.5 * error, "swapped half the time"
    # E|difference| given p is at least (1 - p²)² |2p - 1|, 0.19 on average over p; equal shares would leave the noise.
    assert np.abs(first - second).mean() > 0.19


def test_masks_are_made_of_the_cells_of_grids():
    lengths = set()
    rng = np.random.default_rng(3)
    for _ in range(40):
        for mask in random_masks(13 * 26 * 27, 1, rng)[..., 0]:
            changes = np.flatnonzero(np.diff(mask.astype(int))) + 1
            lengths |= {cells for cells in (13, 26, 27) if any(change % (13 * 26 * 27 // cells) for change in changes)}
            of_no_grid = [c for c in changes if all(c % (13 * 26 * 27 // cells) for cells in (13, 26, 27))]
            assert not of_no_grid
    assert lengths == {13, 26, 27}, "all of them are used"


def test_what_is_not_kept_is_noise_cut_off_at_one():
    rng = np.random.default_rng(0)
    photo = rng.random((3, 200, 200), dtype=np.float32)
    masks = np.stack((np.arange(200) < 100, np.arange(200) >= 60))[:, None, :].repeat(200, axis=1)
    copies = masked_copies(photo, masks, rng)
    assert copies.dtype == np.float32
    assert copies.shape == (2, 3, 200, 200)
    for copy, mask in zip(copies, masks, strict=True):
        assert np.array_equal(copy[:, mask], photo[:, mask])
        noise = copy[:, ~mask]
        assert (noise.min() >= 0, noise.max()) == (True, 1)
        assert np.mean(noise == 1) == pytest.approx(0.3173, abs=0.02), "|N(0, 1)| above 1"
        assert np.mean(noise < 0.5) == pytest.approx(0.3829, abs=0.02)
        assert abs(np.corrcoef(noise)[0, 1]) < 0.05, "each channel has its own"


def reference_fade(photo, factors, order):
    """Brightness, contrast and saturation one after the other, with the mean luma of the whole image."""
    weights = np.array([0.299, 0.587, 0.114])
    for step in order:
        luma = photo @ weights
        towards = {"b": 0.0, "c": luma.mean(), "s": luma[..., None]}[step]
        photo = factors[step] * photo + (1 - factors[step]) * towards
    return photo


@pytest.mark.parametrize("order", ["bcs", "scb", "csb"])
def test_colours_fade_as_brightness_contrast_and_saturation_in_any_order(order):
    photo = scene(1).astype(np.float32) / 255
    factors = dict(zip("bcs", np.random.default_rng(5).uniform(0.1, 1, 3), strict=True))
    found = faded(photo, photo.mean((0, 1)), np.random.default_rng(5))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, reference_fade(photo, factors, order), atol=1e-5)


def test_factors_are_drawn_between_a_tenth_and_one():
    white, rng = np.ones((1, 1, 3), np.float32), np.random.default_rng(0)
    levels = [faded(white, white[0, 0], rng).mean() for _ in range(2000)]  # contrast and saturation leave white
    assert min(levels) == pytest.approx(0.1, abs=0.01)
    assert max(levels) == pytest.approx(1, abs=0.01)
    assert np.mean(levels) == pytest.approx(0.55, abs=0.02)


def test_parts_have_areas_and_aspects_as_drawn_and_lie_within():
    rng = np.random.default_rng(0)
    height, width = 300, 500
    parts = np.array([random_part(height, width, rng) for _ in range(5000)])
    top, left, part_height, part_width = parts.T
    assert (top.min(), left.min()) == (0, 0)
    assert (top + part_height).max() == height
    assert (left + part_width).max() == width
    area, aspect = part_height * part_width / (height * width), part_width / part_height
    assert 0.075 < area.min() < 0.09
    assert area.max() > 0.75
    assert (aspect.min(), aspect.max()) == (pytest.approx(3 / 4, abs=0.02), pytest.approx(4 / 3, abs=0.03))
    small = area < 0.3  # a part this small always fits, so nothing was drawn again
    assert np.log(aspect[small]).mean() == pytest.approx(0, abs=0.02)
    assert area[small].mean() == pytest.approx(0.19, abs=0.006)


@pytest.mark.parametrize(
    ("size", "part"), [((10, 1000), (0, 493, 10, 13)), ((1000, 9), (494, 0, 12, 9)), ((1, 1), (0, 0, 1, 1))]
)
def test_a_part_of_a_narrow_image_is_its_middle(size, part):
    rng = np.random.default_rng(0)
    assert part in {tuple(random_part(*size, rng)) for _ in range(200)}


@pytest.fixture
def photos(tmp_path):
    for number, size in enumerate([(48, 64), (70, 40), (20, 20)]):
        write_image(tmp_path / f"{number}.png", scene(number, *size))
    return tmp_path


def make(root, **options):
    return make_dataset("decomposition", **{"root": root, "phase": "train", **options})


def test_a_sample_holds_the_photograph_two_copies_and_where_they_are_it(photos):
    dataset = make(photos, transform=JointTransform(crop_size=32))
    for index in range(3):
        sample = dataset[2, index]
        assert {name: tuple(value.shape) for name, value in sample.items() if name != "name"} == {
            "sources": (2, 3, 32, 32), "target": (3, 32, 32), "masks": (2, 1, 32, 32)
        }  # fmt: skip
        assert all(sample[name].dtype == torch.float32 for name in ("sources", "target", "masks"))
        assert set(sample["masks"].unique().tolist()) <= {0, 1}
        assert (sample["masks"].amax(0) == 1).all()
        kept = (sample["masks"] > 0).expand_as(sample["sources"])
        assert torch.equal(sample["sources"][kept], sample["target"].expand_as(sample["sources"])[kept])
        assert (sample["sources"] != sample["target"])[~kept].float().mean() > 0.9
        assert sample["name"] == str(index)


def test_a_sample_depends_on_seed_epoch_and_index_alone(photos):
    transform = JointTransform(crop_size=32)
    dataset, again = (make(photos, transform=transform, seed=7) for _ in range(2))
    for _ in range(3):
        dataset[0, 1]
    for name in ("sources", "target", "masks"):
        assert torch.equal(dataset[3, 2][name], again[3, 2][name])
    for other in (dataset[4, 2], dataset[3, 1], make(photos, transform=transform, seed=8)[3, 2]):
        assert not torch.equal(other["target"], dataset[3, 2]["target"])
    assert torch.equal(dataset[-1]["target"], dataset[0, 2]["target"])
    with pytest.raises(IndexError):
        dataset[3]


def test_contrast_is_that_of_the_whole_photograph(tmp_path):
    """Half black, half white: whatever part is cut out fades towards the grey between them."""
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, 32:] = 255
    write_image(tmp_path / "p.png", image)
    dataset = make(tmp_path, transform=JointTransform(crop_size=8))
    targets = [dataset[epoch, 0]["target"] for epoch in range(200)]
    one_coloured = [target for target in targets if target.amax() - target.amin() < 1e-6]
    assert one_coloured, "small parts lie on one side"
    levels = sorted(float(target.mean()) for target in one_coloured)
    assert levels[0] > 0.001, "black has become lighter"


@pytest.mark.parametrize("transform", [None, JointTransform(preprocess="none", flip=False)])
def test_whole_photographs(photos, transform):
    dataset = make(photos, transform=transform)
    assert [tuple(dataset[index]["target"].shape[1:]) for index in range(3)] == [(48, 64), (70, 40), (20, 20)]


def test_flip_mirrors_half_of_the_samples(tmp_path):
    ramp = np.tile(np.arange(64, dtype=np.uint8)[:, None] * 4, (64, 1, 3))
    write_image(tmp_path / "p.png", ramp)

    def rising(flip):
        dataset = make(tmp_path, transform=JointTransform(crop_size=16, flip=flip))
        targets = [dataset[epoch, 0]["target"][1] for epoch in range(200)]
        return np.mean([bool(target[0, -1] > target[0, 0]) for target in targets])

    assert rising(False) == 1
    assert 0.35 < rising(True) < 0.65


def test_images_are_the_nearest_levels(photos):
    dataset = make(photos, transform=JointTransform(crop_size=32))
    sample, images = dataset[5, 1], dataset.scene((5, 1))
    assert images.name == "1"
    for planes, levels in zip([*sample["sources"], sample["target"]], [*images.sources, images.target], strict=True):
        assert levels.dtype == np.uint8
        assert np.abs(planes.numpy().transpose(1, 2, 0) * 255 - levels).max() <= 0.501


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_sources": 3}, "--num_sources 3: two masked copies are made of a photograph"),
        ({"transform": JointTransform(preprocess="resize_and_crop")}, "--preprocess resize_and_crop: a random part"),
        ({"phase": "nowhere", "root": "missing"}, "no such folder: missing"),
    ],
)
def test_what_makes_no_sense_is_named(photos, options, message):
    with pytest.raises(UserError, match=message):
        make(photos, **options) if "root" not in options else make(**options)


def test_a_folder_without_images_is_named(tmp_path):
    with pytest.raises(UserError, match="no images in"):
        make(tmp_path)
