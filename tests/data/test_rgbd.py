import dataclasses

import cv2
import numpy as np
import pytest
import skimage.data

from data.maps import read_map
from data.pmf.recipe import PMFRecipe
from data.pmf.rgbd import SIGMA_RULES, rgbd_sources, split_depth
from data.transforms import JointTransform
from options.commands import parse_train
from options.data import PMF_RECIPE_OPTIONS, PMF_RECIPES, PMFOptions
from options.validate import validate_train
from tests.data.helpers import make_dataset, save, shared, to_uint8
from util.errors import UserError
from util.images.image_io import read_image


def ramp(height, width, *, levels=None):
    """Depth that grows from left to right."""
    depth = np.repeat(np.arange(width)[None], height, axis=0)
    return depth if levels is None else depth * levels // width


def where_sharp(sources, photo):
    return [(source == photo).all(axis=2) for source in sources]


@pytest.fixture
def noise():
    """No blur leaves a pixel of it as it was, at least not in all channels."""
    return np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


@pytest.mark.parametrize("rule", SIGMA_RULES)
@pytest.mark.parametrize("radius", [1, 4, 15])
def test_two_sources_are_blurred_behind_and_in_front_of_one_depth(noise, rule, radius):
    depth = ramp(40, 60)
    near, far = rgbd_sources(
        noise, depth, np.random.default_rng(radius), PMFOptions(kernel_radius=(radius, radius), sigma_rule=rule)
    )
    side = 2 * radius + 1
    sigma = 0.3 * ((side - 1) / 2 - 1) + 0.8 if rule == "opencv" else 0.6 * (side - 1) + 0.8  # as the erratum has them
    blurred = cv2.GaussianBlur(noise, (side, side), sigma)
    first_blurred = int(where_sharp([near], noise)[0].all(axis=0).argmin())
    assert 0 < first_blurred < 60
    front = (depth < first_blurred)[..., None]
    assert np.array_equal(near, np.where(front, noise, blurred))
    assert np.array_equal(far, np.where(front, blurred, noise))


def test_the_rules_are_not_the_same():
    assert SIGMA_RULES["opencv"](17) == pytest.approx(5.6), "OpenCV's own for a kernel of 35 pixels"
    assert SIGMA_RULES["printed"](17) == pytest.approx(0.6 * 34 + 0.8)


def test_the_radius_is_drawn_evenly_and_both_ends_occur(noise):
    photo = noise[:10, :10]
    blurs = {radius: cv2.GaussianBlur(photo, (2 * radius + 1,) * 2, SIGMA_RULES["opencv"](radius)) for radius in (2, 3)}
    drawn = []
    for seed in range(60):
        _, far = rgbd_sources(photo, ramp(10, 10), np.random.default_rng(seed), PMFOptions(kernel_radius=(2, 3)))
        (radius,) = [radius for radius, blurred in blurs.items() if np.array_equal(far[:, 0], blurred[:, 0])]
        drawn.append(radius)
    assert 15 < drawn.count(2) < 45


@pytest.mark.parametrize("num_sources", [2, 3, 5])
def test_sources_go_from_front_to_back_and_every_pixel_is_sharp_in_one(noise, num_sources):
    for seed in range(10):
        sources = rgbd_sources(noise, ramp(40, 60), np.random.default_rng(seed), PMFOptions(), num_sources)
        sharp = np.stack(where_sharp(sources, noise))
        assert (sharp.sum(axis=0) == 1).all()
        focus = sharp.argmax(axis=0)
        assert set(focus[0]) == set(range(num_sources))
        assert (np.diff(focus, axis=1) >= 0).all()
        assert (focus == focus[0]).all()


@pytest.mark.parametrize("num_bands", [2, 3, 4])
def test_cuts_lie_between_values_that_occur(num_bands):
    """Values far apart, one of them on a single pixel: whatever is drawn, no band is empty."""
    depth = np.array([[7, 7, 65535, 300], [7, 301, 65535, 65535]])
    seen = set()
    for seed in range(100):
        bands = split_depth(depth, num_bands, np.random.default_rng(seed))
        assert set(bands.ravel()) == set(range(num_bands))
        assert all(len(set(bands[depth == value])) == 1 for value in np.unique(depth))
        order = bands.ravel()[np.argsort(depth.ravel(), kind="stable")]
        assert (np.diff(order) >= 0).all()
        seen.add(bands.tobytes())
    assert len(seen) == {2: 3, 3: 3, 4: 1}[num_bands], "every possible split occurs"


@pytest.mark.parametrize(("levels", "num_sources"), [(1, 2), (1, 3), (2, 3), (3, 5)])
def test_fewer_depths_than_sources(noise, levels, num_sources):
    """Every depth is sharp in one source, in their order; the others are blurred everywhere, not always the same."""
    chosen = set()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        sources = rgbd_sources(noise, ramp(40, 60, levels=levels), rng, PMFOptions(), num_sources)
        sharp = np.stack(where_sharp(sources, noise))
        assert (sharp.sum(axis=0) == 1).all()
        focus = sharp.argmax(axis=0)
        assert (np.diff(focus, axis=1) >= 0).all()
        assert len(set(focus[0])) == levels
        chosen.add(tuple(sorted(set(focus[0]))))
    assert len(chosen) > 1


def test_reproducible_and_inputs_left_alone(noise):
    depth = ramp(40, 60)
    copies = noise.copy(), depth.copy()
    made = [np.stack(rgbd_sources(noise, depth, np.random.default_rng(seed), PMFOptions())) for seed in (1, 1, 2)]
    assert np.array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])
    assert np.array_equal(noise, copies[0])
    assert np.array_equal(depth, copies[1])


@pytest.mark.parametrize("shape", [(1, 1), (2, 7), (5, 300)])
def test_tiny_images(shape):
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    sources = rgbd_sources(photo, rng.integers(0, 3, shape), rng, PMFOptions(kernel_radius=(15, 15)), 3)
    assert [(source.shape, source.dtype) for source in sources] == [(photo.shape, photo.dtype)] * 3


@pytest.mark.parametrize(
    ("extension", "dtype", "top"),
    [(".png", np.uint8, 255), (".png", np.uint16, 65535), (".jpg", np.uint8, 255)],
)
def test_grey_maps_keep_the_order_of_their_depths(tmp_path, extension, dtype, top):
    """Depth falls from left to right, so that neither place nor frequency gives the right order by chance."""
    depth = np.linspace(top, 0, 64).astype(dtype)[None].repeat(40, axis=0)
    depth[:, -8:] = 0
    save(tmp_path / "images" / "a.png", np.zeros((40, 64, 3), np.uint8))
    path = save(tmp_path / "maps" / f"a{extension}", depth)
    _, numbers = PMFRecipe(PMFOptions(recipe="rgbd")).read(tmp_path / "images" / "a.png", path)
    means = numbers.mean(axis=0)
    assert (np.diff(means) <= (1 if extension == ".jpg" else 0)).all()
    assert len(np.unique(numbers)) >= 55
    assert means[0] > means[-1]


def test_label_maps_are_taken_for_depth_in_the_order_of_their_values(tmp_path, noise):
    labels = np.array([9, 0, 200])[ramp(40, 60, levels=3)].astype(np.uint8)
    save(tmp_path / "images" / "a.png", noise)
    path = save(tmp_path / "maps" / "a.png", labels)
    assert np.array_equal(read_map(path)[0, ::20], [1, 0, 2])
    recipe = PMFRecipe(PMFOptions(recipe="rgbd"), num_sources=3)
    *sources, target = recipe.make((tmp_path / "images" / "a.png", path), np.random.default_rng(0))
    assert np.array_equal(target, noise)
    sharp = where_sharp(sources, noise)
    assert [sorted(set(labels[mask])) for mask in sharp] == [[0], [9], [200]]


def test_dataset(pmf_root):
    def make(**options):
        return make_dataset("pmf", root=pmf_root, phase="train", recipe="rgbd", num_sources=3, **options)

    dataset = make(transform=JointTransform(crop_size=30), seed=2)
    sample, again = dataset[4, 1], make(transform=JointTransform(crop_size=30), seed=2)[4, 1]
    assert sample["sources"].shape == (3, 3, 30, 30)
    assert np.array_equal(sample["sources"], again["sources"])
    assert not np.array_equal(sample["sources"], dataset[5, 1]["sources"])
    whole = make()[3]
    assert np.array_equal(to_uint8(whole["target"]), read_image(pmf_root / "images" / "img10.png"))


@pytest.mark.parametrize("values", [{"kernel_radius": (0, 3)}, {"kernel_radius": (4, 3)}, {"kernel_radius": (1, 501)}])
def test_bad_radius(values):
    expected = "(a number from 1 to 500|the smaller one first)"
    with pytest.raises(UserError, match=rf"--kernel_radius \d 3?.*: expected {expected}"):
        PMFRecipe(PMFOptions(recipe="rgbd", **values))


def test_bad_rule():
    with pytest.raises(UserError, match="--sigma_rule 'matlab' is not one of: opencv, printed"):
        PMFRecipe(PMFOptions(recipe="rgbd", sigma_rule="matlab"))


def test_settings_are_those_of_the_recipe():
    of = {recipe: set(PMFRecipe(PMFOptions(recipe=recipe)).settings()) for recipe in ("realistic", "published", "rgbd")}
    common = {"recipe", "size", "num_sources"}
    assert of["published"] == common
    assert of["realistic"] == common | {"sigma", "kernel"}
    assert of["rgbd"] == common | {"kernel_radius", "sigma_rule"}


def test_the_options_know_the_recipes_and_their_rules():
    fields = {entry.name: entry for entry in dataclasses.fields(PMFOptions)}
    assert set(PMF_RECIPE_OPTIONS) < set(fields)
    assert fields["sigma_rule"].metadata["choices"] == tuple(SIGMA_RULES)


@pytest.mark.parametrize("recipe", PMF_RECIPES)
def test_an_option_of_another_recipe_is_noticed(pmf_root, recipe):
    values = ["--sigma", "2", "3", "--kernel", "disc", "--kernel_radius", "2", "3", "--sigma_rule", "printed"]
    config, parsed = parse_train(["--dataroot", str(pmf_root), "--dataset_mode", "pmf", "--recipe", recipe, *values])
    foreign = {name: owner for name, owner in PMF_RECIPE_OPTIONS.items() if owner != recipe}
    expected = {f"--{name} has no effect with --recipe {recipe}: it belongs to --recipe {owner}"
                for name, owner in foreign.items()}  # fmt: skip
    assert set(validate_train(config, parsed)) == expected
    assert (config.dataset.kernel_radius, config.dataset.sigma_rule) == ((2, 3), "printed")


def test_on_real_depth():
    """The stereo image of scikit-image: a near wheel and a far wall are never sharp in the same source alone."""
    photo, _, disparity = skimage.data.stereo_motorcycle()
    photo, disparity = photo[::4, ::4], disparity[::4, ::4]
    known = np.isfinite(disparity)
    depth = np.where(known, disparity.max(where=known, initial=0) - np.where(known, disparity, 0), 0)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        options = PMFOptions(kernel_radius=(5, PMFOptions.kernel_radius[1]))
        sources = rgbd_sources(photo, np.rint(depth).astype(int), rng, options)
        sharp = where_sharp(sources, photo)
        assert (sharp[0] | sharp[1]).all()
        certain = sharp[0] & ~sharp[1], sharp[1] & ~sharp[0]  # flat parts look the same in both
        assert depth[certain[0]].max() < depth[certain[1]].min()


def test_on_real_labels():
    folder = shared("data", "camvid")
    recipe = PMFRecipe(PMFOptions(recipe="rgbd", kernel_radius=(15, 15)), num_sources=4)
    for path in sorted((folder / "image").iterdir())[:3]:
        *sources, target = recipe.make((path, folder / "label" / path.name), np.random.default_rng(1))
        assert np.stack(where_sharp(sources, target)).any(axis=0).all()
        assert not any(np.array_equal(source, target) for source in sources)
