import cv2
import numpy as np
import pytest

from data.saliency import synthesis
from data.saliency.operators import OPERATORS
from data.saliency.synthesis import DEGRADATIONS, degrade, distribute, draw_masks


@pytest.fixture
def photo(astronaut):
    return np.ascontiguousarray(astronaut[20:116, 150:278])


@pytest.mark.parametrize("num_sources", [2, 3, 5])
@pytest.mark.parametrize("operator", OPERATORS)
def test_every_pixel_is_the_photograph_s_in_some_source(photo, operator, num_sources):
    saliency = OPERATORS[operator](photo)
    for seed in range(12):
        made = distribute(photo, saliency, np.random.default_rng(seed), num_sources=num_sources)
        assert made.masks.shape == (num_sources, 96, 128)
        assert len(made.sources) == num_sources
        assert made.masks.min() >= 0
        assert (made.masks.max(axis=0) == 1).all()
        for mask, source in zip(made.masks, made.sources, strict=True):
            assert (source.dtype, source.shape) == (np.uint8, photo.shape)
            assert np.array_equal(source[mask == 1], made.target[mask == 1])
        assert np.any([source == made.target for source in made.sources], axis=0).all()


def test_every_source_keeps_something_and_lacks_something(photo):
    saliency = OPERATORS["spectral"](photo)
    for seed in range(30):
        made = distribute(photo, saliency, np.random.default_rng(seed), num_sources=3)
        whole = (made.masks == 1).mean(axis=(1, 2))
        assert whole.min() > 0.05
        assert whole.max() < 0.98
        assert not any(np.array_equal(source, made.target) for source in made.sources)


def test_the_target_is_the_photograph_or_its_luma(photo):
    saliency = OPERATORS["spectral"](photo)
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[..., None]
    kinds = []
    for seed in range(60):
        made = distribute(photo, saliency, np.random.default_rng(seed))
        coloured = np.array_equal(made.target, photo)
        kinds.append(coloured)
        if not coloured:
            assert (made.target == grey).all()
            assert all((source == source[..., :1]).all() for source in made.sources), "and all its sources are grey"
    assert abs(kinds.count(False) - 60 * synthesis.GREY_SHARE) < 10


def test_a_source_is_degraded_where_its_mask_says_so(photo, monkeypatch):
    """With one known degradation, source_i = M_i · I + (1 − M_i) · degrade(I) to the level."""
    saliency = OPERATORS["gradient"](photo)
    monkeypatch.setattr(synthesis, "DEGRADATIONS", {"black": lambda image, rng: 0 * image})
    monkeypatch.setattr(synthesis, "SECOND_SHARE", 0.0)
    made = distribute(photo, saliency, np.random.default_rng(3), num_sources=4)
    for mask, source in zip(made.masks, made.sources, strict=True):
        assert np.array_equal(source, np.rint(mask[..., None] * made.target.astype(np.float32)))


def test_masks_are_bands_of_the_saliency():
    """On a ramp of one direction a band is a stripe; sources share the stripes, each mask falls beside its own."""
    ramp = np.tile(np.linspace(0, 1, 200, dtype=np.float32), (50, 1))
    owners = set()
    for seed in range(40):
        masks = draw_masks(ramp, 2, np.random.default_rng(seed))
        assert np.abs(masks - masks[:, :1]).max() < 0.02, "equal saliency, equal mask"
        profile = masks[:, 25]
        assert np.abs(np.diff(profile, axis=1)).max() < 0.2, "soft"
        assert (profile.max(axis=0) == 1).all()
        owners.add(int(profile[:, 0].argmin()))
        changes = np.abs(np.diff((profile[0] == 1).astype(int))).sum()
        assert 1 <= changes <= 2, "two or three bands"
    assert owners == {0, 1}, "which source has the salient band is drawn"


@pytest.mark.parametrize("num_sources", [2, 4])
def test_maps_with_few_levels(num_sources, monkeypatch):
    """Binary maps are split between their levels, and a map of one level, which says nothing, is split by chance."""
    monkeypatch.setattr(synthesis, "FURTHER_BAND_SHARE", 0.0)  # with one more, both levels may go to one source
    binary = np.zeros((60, 80), np.float32)
    binary[20:40, 30:60] = 1
    for seed in range(20):
        masks = draw_masks(binary, num_sources, np.random.default_rng(seed))
        assert (masks.max(axis=0) == 1).all()
        outside, inside = masks[:, 0, 0], masks[:, 30, 45]
        assert not np.array_equal(outside, inside)
        flat = draw_masks(np.full((9, 9), 0.5, np.float32), num_sources, np.random.default_rng(seed))
        assert (flat.max(axis=0) == 1).all()
        assert (flat.reshape(num_sources, -1).min(axis=1) < 0.9).all(), "no source has everything"
        rounding = np.linspace(0.5, 0.5001, 81, dtype=np.float32).reshape(9, 9)
        almost = draw_masks(rounding, 2, np.random.default_rng(seed))
        assert (almost.reshape(2, -1).min(axis=1) < 0.9).all()


def test_only_the_order_of_the_values_counts(photo):
    saliency = OPERATORS["spectral"](photo)
    one = draw_masks(saliency, 3, np.random.default_rng(0))
    other = draw_masks(0.1 * saliency + 0.3, 3, np.random.default_rng(0))
    assert np.abs(one - other).max() < 0.01


@pytest.mark.parametrize("shape", [(1, 1), (2, 7), (5, 300), (300, 1), (700, 130)])
def test_any_size(shape):
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    for seed in range(8):
        made = distribute(photo, rng.random(shape, np.float32), np.random.default_rng(seed), num_sources=3)
        assert [source.shape for source in made.sources] == [photo.shape] * 3
        assert np.any([source == made.target for source in made.sources], axis=0).all()


def test_the_same_generator_gives_the_same_pixels(photo):
    saliency = OPERATORS["fine"](photo)
    copies = photo.copy(), saliency.copy()
    seen = set()
    for seed in range(6):
        one, two = (distribute(photo, saliency, np.random.default_rng(seed)) for _ in range(2))
        assert all(np.array_equal(a, b) for a, b in zip(one.sources, two.sources, strict=True))
        assert np.array_equal(one.target, two.target)
        assert np.array_equal(one.masks, two.masks)
        seen.add(one.sources[0].tobytes())
    assert len(seen) == 6
    assert np.array_equal(photo, copies[0])
    assert np.array_equal(saliency, copies[1])


def detail(image):
    return np.abs(image - cv2.GaussianBlur(image, (0, 0), 1)).mean()


def local_means(image):
    return cv2.GaussianBlur(image, (0, 0), 20).std()


LOST = {  # what each degradation takes away: a number that gets smaller
    "defocus": detail,
    "local_mean_removal": local_means,
    "remap": lambda image: np.abs(image - image.mean(axis=2, keepdims=True)).mean(),
    "contrast_loss": np.std,
    "dimming": np.mean,
    "brightening": lambda image: (image < 255).mean(),
    "noise": lambda image: 1 / detail(image),
}


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_a_degradation_takes_its_information_away(photo, kind):
    image = photo.astype(np.float32)
    results = [degrade(image, [kind], np.random.default_rng(seed)) for seed in range(8)]
    for result in results:
        assert (result.dtype, result.shape) == (np.float32, image.shape)
        assert result.min() >= 0
        assert result.max() <= 255
        assert LOST[kind](result) < 0.95 * LOST[kind](image)
    assert not np.array_equal(results[0], results[1]), "its strength is drawn"
    assert np.array_equal(image, photo)


@pytest.mark.parametrize("kind", DEGRADATIONS)
def test_grey_stays_grey(photo, kind):
    grey = np.repeat(photo[..., :1], 3, axis=2).astype(np.float32)
    result = degrade(grey, [kind], np.random.default_rng(1))
    assert np.ptp(np.rint(result), axis=2).max() == 0


def test_sources_lose_alike_or_each_in_its_own_way(photo, monkeypatch):
    chosen = []
    monkeypatch.setattr(synthesis, "degrade", lambda image, kinds, rng: chosen.append(tuple(kinds)) or image)
    saliency = OPERATORS["spectral"](photo)
    for seed in range(80):
        distribute(photo, saliency, np.random.default_rng(seed))
    pairs = list(zip(chosen[::2], chosen[1::2], strict=True))
    alike = sum(one == other for one, other in pairs)
    assert 30 <= alike <= 65
    assert {kind for kinds in chosen for kind in kinds} == set(DEGRADATIONS)
    assert {len(kinds) for kinds in chosen} == {1, 2}
