import cv2
import numpy as np
import pytest

from tests.images import scene
from util.images.colour import RGB, Grey, Luma, is_grey, luma, replace_luma, weigh_chroma
from util.images.colour_choice import choose_colour
from util.images.levels import to_8_bits, to_float, to_levels


@pytest.mark.parametrize(
    ("color", "grey", "channels", "expected"),
    [
        ("auto", (True, True), 3, Grey),
        ("rgb", (True, True), 3, Grey),
        ("auto", (False, False), 3, RGB),
        ("auto", (True, False), 3, Luma),
        ("auto", (True, False, False), 3, Luma),
        ("rgb", (True, False), 3, RGB),
        ("luma", (False, False), 3, Luma),
        ("auto", (False, False), 1, Luma),
        ("rgb", (False, True), 1, Luma),
        ("auto", (True, True), 1, Grey),
    ],
)
def test_the_way_through_the_network_follows_from_the_sources(color, grey, channels, expected):
    sources = [np.repeat(scene(0)[..., :1], 3, axis=2) if plain else scene(1) for plain in grey]
    colour = choose_colour(sources, color=color, channels=channels)
    assert type(colour) is expected
    assert (colour.channels, colour.dtype) == (channels, np.uint8)


def test_grey_is_a_matter_of_values_not_of_the_files_mode():
    grey = np.repeat(scene(0, 600)[..., :1], 3, axis=2)
    assert is_grey(grey)
    grey[-1, -1, 2] ^= 1
    assert not is_grey(grey)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("number_grey", [0, 1])
def test_a_source_that_keeps_its_own_luma_comes_back(dtype, number_grey):
    image = scene(1).astype(dtype) * (np.iinfo(dtype).max // 255)
    grey = np.repeat(scene(2)[..., :1], 3, axis=2).astype(dtype)
    sources = [to_float(image)] + [to_float(grey)] * number_grey
    back = replace_luma(luma(sources[0]), sources, [False] + [True] * number_grey)
    error = np.abs(to_levels(back, dtype).astype(int) - image)
    assert error.max() <= (0 if dtype == np.uint8 else 1)


def test_luma_is_that_of_bt_601():
    image = np.array([[[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.5, 0.5]]], np.float32)
    assert luma(image)[0] == pytest.approx([0.299, 0.587, 0.114, 0.5], abs=1e-6)


def test_the_more_colourful_source_prevails():
    plain, red = np.full((8, 8, 3), 0.5, np.float32), np.zeros((8, 8, 3), np.float32)
    red[..., 0] = 0.8
    fused = luma(red)
    assert np.allclose(replace_luma(fused, [plain, red], [False, False]), red, atol=1e-6)
    assert weigh_chroma([np.float32([0.5]), np.float32([0.5])], 0.5) == 0.5
    # 0.6 is 0.1 from neutral and 0.2 is 0.3 from it: (0.6 * 0.1 + 0.2 * 0.3) / 0.4
    assert weigh_chroma([np.float32([0.6]), np.float32([0.2])], 0.5) == pytest.approx([0.3], rel=1e-5)


def test_levels_are_clamped_never_wrapped():
    values = np.float32([-0.3, 0, 0.5, 0.9999, 1, 1.7])
    assert to_levels(values, np.uint8).tolist() == [0, 0, 128, 255, 255, 255]
    assert to_levels(values, np.uint8, truncate=True).tolist() == [0, 0, 127, 254, 255, 255]
    assert to_levels(values, np.uint16).tolist() == [0, 0, 32768, 65528, 65535, 65535]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_level_survives_the_way_through_floats(dtype):
    levels = np.arange(np.iinfo(dtype).max + 1, dtype=dtype)
    assert np.array_equal(to_levels(to_float(levels), dtype), levels)
    assert np.array_equal(to_levels(to_float(levels), dtype, truncate=True), levels)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_luma_and_chroma_are_what_opencv_says_they_are(count):
    """The weighted mean of OpenCV's Cr and Cb, apart from the four digits of its matrices, and the wanted luma."""
    images = [to_float(scene(3 + i)) for i in range(count)]
    fused = np.full(images[0].shape[:2], 0.5, np.float32)
    back = cv2.cvtColor(replace_luma(fused, images, [False] * count), cv2.COLOR_RGB2YCrCb)
    chroma = np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)[..., 1:] for image in images])
    weights = np.abs(chroma - 0.5)
    expected = (chroma * weights).sum(0) / weights.sum(0)
    assert np.allclose(back[..., 1:], expected, atol=2e-3)
    assert np.allclose(back[..., 0], 0.5, atol=2e-3)


def test_16_bits_become_the_nearest_of_8():
    levels = np.arange(65536, dtype=np.uint16)[None]
    assert np.array_equal(to_8_bits(levels), np.rint(levels / 257))
    assert to_8_bits(levels).dtype == np.uint8
    eight = np.arange(256, dtype=np.uint8)
    assert to_8_bits(eight) is eight
