import hashlib

import cv2
import numpy as np
import pytest
import skimage.data

from data.maps import pair_maps, read_map_image
from data.pmf.synthesis import defocus, disc_kernel, published_pair, realistic_sources, split_regions
from options.data import PMFOptions
from tests.data.helpers import block_map, shared
from util.images.image_io import read_image

# Snapshots: SHA-256 of [source 1 | source 2 | photograph] in BGR, by code that gives the published images pixel for
# pixel: see the second test. Those may not be copied here.
SNAPSHOTS = {
    "astronaut": "2669e0af627ef2862cfa34c7bce785a5a9192df094ee0f4bf41ec1f4c536545a",
    "chelsea": "6f2a16a54fe35394997ec305386fd46276b6280b482df950b40e1ff13c388e2d",
    "coffee": "188e54b47a802a6268d3ac8032fc79a10def5d12e53df6b2fdbd480692bd0451",
}
PALETTE = np.array([[(37 * k) % 256, (91 * k + 60) % 256, (151 * k) % 256] for k in range(11)], np.uint8)


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_published_recipe_keeps_its_pixels(name):
    photo = getattr(skimage.data, name)()
    labels = PALETTE[block_map(*photo.shape[:2])]
    pair = published_pair(np.ascontiguousarray(photo[..., ::-1]), labels)
    assert hashlib.sha256(np.hstack(pair).tobytes()).hexdigest() == SNAPSHOTS[name]


def test_published_recipe_gives_the_published_images():
    folder = shared("reference", "pmf")
    for stem, image_path, map_path in pair_maps(folder / "images", folder / "maps"):
        bgr = np.ascontiguousarray(read_image(image_path)[..., ::-1])
        made = np.hstack(published_pair(bgr, read_map_image(map_path)))[..., ::-1]
        assert np.array_equal(made, read_image(folder / "stacked" / f"{stem}_stacked.png")), stem


def test_published_recipe_blurs_the_first_half_of_the_colours_in_source_1(astronaut):
    labels = np.zeros((256, 256, 3), np.uint8)  # as large as the result, so that nothing is interpolated
    labels[:, 100:] = (0, 0, 200)
    labels[:, 200:] = (0, 200, 0)  # BGR order: black < (0, 0, 200) < (0, 200, 0), so black alone is the first half
    one, two, photo = published_pair(astronaut[:256, :256], labels)
    blurred = cv2.GaussianBlur(photo, (35, 35), 0)
    assert np.array_equal(photo, astronaut[:256, :256])
    assert np.array_equal(one, np.hstack([blurred[:, :100], photo[:, 100:]]))
    assert np.array_equal(two, np.hstack([photo[:, :100], blurred[:, 100:]]))
    assert np.array_equal(cv2.GaussianBlur(photo, (35, 35), 5.6), blurred)


def two_halves():
    """Red with fine stripes on the left (group 0), blue with fine stripes on the right (group 1)."""
    photo = np.zeros((80, 160, 3), np.uint8)
    photo[:, :80, 0] = 200
    photo[:, 80:, 2] = 200
    photo[::2] = photo[::2] // 2
    groups = np.zeros((80, 160), np.int32)
    groups[:, 80:] = 1
    return photo, groups


@pytest.mark.parametrize("kernel", ["gaussian", "disc"])
def test_each_source_is_sharp_in_its_own_group(kernel):
    photo, groups = two_halves()
    left, right = defocus(photo, groups, [0, 1], sigma=3, kernel=kernel)
    assert np.array_equal(left[:, :64], photo[:, :64])
    assert np.array_equal(right[:, 84:], photo[:, 84:])
    for source, part in ((left, slice(96, 160)), (right, slice(0, 64))):
        stripes = np.diff(source[2:-2, part].astype(int), axis=0)  # the reflected border shifts the stripes a little
        assert np.abs(stripes).max() <= 6
        assert np.abs(source[:, part].mean((0, 1)) - photo[:, part].mean((0, 1))).max() < 1


@pytest.mark.parametrize("kernel", ["gaussian", "disc"])
def test_occlusion_at_the_edge(kernel):
    photo, groups = two_halves()
    back_sharp, front_sharp = defocus(photo, groups, [0, 1], sigma=3, kernel=kernel)  # the right half is in front
    # A blurred foreground bleeds over the sharp background, and lets some of it through on its own side.
    assert (back_sharp[:, 76:79, 2] > 14).all()
    assert (back_sharp[:, 81:84, 0] > 14).all()
    # A sharp foreground has a clean edge: the blurred background takes nothing from it, and gives nothing to it.
    assert np.array_equal(front_sharp[:, 84:], photo[:, 84:])
    assert front_sharp[:, :76, 2].max() == 0
    # The other way round everything is mirrored.
    mirrored = defocus(photo[:, ::-1, ::-1].copy(), 1 - groups[:, ::-1], [1, 0], sigma=3, kernel=kernel)
    assert np.abs(mirrored[0][:, ::-1, ::-1].astype(int) - front_sharp).max() <= 1


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 2, 0]])
@pytest.mark.parametrize("kernel", ["gaussian", "disc"])
def test_no_dark_or_bright_fringes(order, kernel):
    rows, columns = np.mgrid[:90, :120]
    groups = (np.hypot(rows - 45, columns - 50) < 25).astype(int)
    groups[30:60, 70:] = 2
    flat = np.full((90, 120, 3), 180, np.uint8)
    for source in defocus(flat, groups, order, sigma=4, kernel=kernel):
        assert np.abs(source.astype(int) - 180).max() <= 1


def test_three_layers_show_what_is_really_behind_them():
    """A red disc before blue ground, a green bar elsewhere: no green may appear around the disc."""
    rows, columns = np.mgrid[:100, :200]
    groups = (np.hypot(rows - 50, columns - 50) < 25).astype(int)
    groups[:, 150:] = 2
    photo = np.array([[0, 0, 200], [200, 0, 0], [0, 200, 0]], np.uint8)[groups]
    for source in defocus(photo, groups, [0, 2, 1], sigma=4, kernel="gaussian"):
        assert source[:, :110, 1].max() <= 1
        assert np.abs(source[:, :110].astype(int).sum(axis=2) - 200).max() <= 3


def test_realistic_sources_are_sharp_somewhere_and_reproducible(astronaut):
    photo = np.ascontiguousarray(astronaut[:160, :200])
    regions = block_map(160, 200)
    # Depth and split are drawn inside; sharp are the pixels that equal the photograph.
    seen = set()
    for seed in range(6):
        sources = realistic_sources(photo, regions, np.random.default_rng(seed), PMFOptions(sigma=(2, 3)))
        again = realistic_sources(photo, regions, np.random.default_rng(seed), PMFOptions(sigma=(2, 3)))
        assert all(np.array_equal(one, two) for one, two in zip(sources, again, strict=True))
        assert all(source.dtype == np.uint8 and source.shape == photo.shape for source in sources)
        sharp = [(source == photo).all(axis=2) for source in sources]
        assert (sharp[0] | sharp[1])[_inside(regions)].all()
        assert min(one.mean() for one in sharp) > 0.02
        assert max(one.mean() for one in sharp) < 0.95
        seen.add(sources[0].tobytes())
    assert len(seen) == 6


def _inside(regions):
    """Where no other region is within the reach of the blur, 4 sigma."""
    values, kernel = regions.astype(np.float32), np.ones((27, 27))
    inside = cv2.dilate(values, kernel) == cv2.erode(values, kernel)
    assert inside.mean() > 0.1
    return inside


@pytest.mark.parametrize("kernel", ["gaussian", "disc"])
def test_strength_and_kernel_are_those_asked_for(kernel):
    """Far from any edge the blurred source is the photograph's plain blur."""
    photo = np.random.default_rng(0).integers(0, 256, (100, 200, 3), dtype=np.uint8)
    regions = np.zeros((100, 200), int)
    regions[:, 100:] = 1
    sources = realistic_sources(photo, regions, np.random.default_rng(1), PMFOptions(sigma=(5.6, 5.6), kernel=kernel))
    levels = photo.astype(np.float32)
    plain = (
        cv2.GaussianBlur(levels, (0, 0), 5.6) if kernel == "gaussian" else cv2.filter2D(levels, -1, disc_kernel(11.2))
    )
    far = [slice(0, 70), slice(130, 200)]
    for source in sources:
        blurred = [np.abs(source[:, part] - plain[:, part]).max() < 1 for part in far]
        sharp = [np.array_equal(source[:, part], photo[:, part]) for part in far]
        assert sorted(blurred) == sorted(sharp) == [False, True]
        assert blurred != sharp


def test_disc_has_the_variance_of_its_gaussian():
    sigma = 4.0
    disc = disc_kernel(2 * sigma)
    reach = disc.shape[0] // 2
    offsets = np.arange(-reach, reach + 1)
    assert disc.sum() == pytest.approx(1, abs=1e-5)
    assert np.sqrt((disc.sum(axis=0) * offsets**2).sum()) == pytest.approx(sigma, rel=0.02)


@pytest.mark.parametrize("num_groups", [2, 3, 5])
def test_split_leaves_no_group_empty_and_no_region_torn(num_groups):
    regions = block_map(120, 160) * 7
    for seed in range(20):
        groups = split_regions(regions, num_groups, np.random.default_rng(seed))
        assert set(np.unique(groups)) == set(range(num_groups))
        assert all(len(np.unique(groups[regions == label])) == 1 for label in np.unique(regions))


def test_every_split_occurs():
    regions = np.arange(3)[None]
    splits = {tuple(split_regions(regions, 2, np.random.default_rng(seed))[0].tolist()) for seed in range(100)}
    assert len(splits) == 2**3 - 2


def test_a_single_region_leaves_one_source_wholly_sharp(astronaut):
    photo = np.ascontiguousarray(astronaut[:60, :70])
    sources = realistic_sources(photo, np.zeros((60, 70), int), np.random.default_rng(0), PMFOptions(), 3)
    assert sorted(np.array_equal(source, photo) for source in sources) == [False, False, True]


@pytest.mark.parametrize("shape", [(1, 1), (2, 7), (5, 300)])
def test_tiny_images(shape):
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    for kernel in ("gaussian", "disc"):
        sources = realistic_sources(photo, rng.integers(0, 3, shape), rng, PMFOptions(kernel=kernel), 3)
        assert [source.shape for source in sources] == [photo.shape] * 3


def test_inputs_are_left_as_they_were(astronaut):
    photo, regions = np.ascontiguousarray(astronaut[:50, :50]), block_map(50, 50)
    copies = photo.copy(), regions.copy()
    realistic_sources(photo, regions, np.random.default_rng(0), PMFOptions())
    published_pair(photo, np.repeat(regions[..., None], 3, axis=2).astype(np.uint8))
    assert np.array_equal(photo, copies[0])
    assert np.array_equal(regions, copies[1])
