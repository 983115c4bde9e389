import numpy as np
import pytest

from data.transforms import JointTransform, resize_image, resize_map
from options.data import PREPROCESS
from util.errors import UserError


def coordinates(height, width):
    """An image whose pixels say where they come from, and a map that says the same."""
    rows, columns = np.mgrid[:height, :width]
    return np.dstack([rows, columns, rows * 0]).astype(np.uint8), (rows * 1000 + columns).astype(np.int32)


def as_map(image):
    return image[..., 0].astype(np.int32) * 1000 + image[..., 1]


def test_crop_and_flip_are_the_same_for_images_and_maps():
    image, labels = coordinates(60, 90)
    transform = JointTransform(preprocess="crop", crop_size=32)
    corners, directions = set(), set()
    for seed in range(40):
        (one, two), (cut,) = transform([image, image], [labels], np.random.default_rng(seed))
        assert one.shape == (32, 32, 3)
        assert np.array_equal(one, two)
        assert np.array_equal(as_map(one), cut)
        directions.add(int(one[0, 1, 1]) - int(one[0, 0, 1]))
        corners.add((one[..., 0].min(), one[..., 1].min()))
    assert directions == {1, -1}
    assert len(corners) > 30


def test_every_corner_is_reached():
    image, _ = coordinates(6, 7)
    transform = JointTransform(preprocess="crop", crop_size=5, flip=False)
    corners = {tuple(transform([image], [], np.random.default_rng(s))[0][0][0, 0, :2].tolist()) for s in range(100)}
    assert corners == {(row, column) for row in (0, 1) for column in (0, 1, 2)}


def test_flip_can_be_switched_off():
    image, _ = coordinates(20, 20)
    transform = JointTransform(preprocess="none", flip=False)
    for seed in range(10):
        assert np.array_equal(transform([image], [], np.random.default_rng(seed))[0][0], image)


def test_small_images_are_reflected_not_resized():
    image, labels = coordinates(3, 40)
    (one,), (cut,) = JointTransform(crop_size=16, flip=False)([image], [labels], np.random.default_rng(0))
    assert one.shape == (16, 16, 3)
    assert one[:, 0, 0].tolist() == [0, 1, 2, 1] * 4
    assert np.array_equal(as_map(one), cut)


SIZES = {  # of what was 50 x 100
    "resize_and_crop": (24, 24),
    "crop": (24, 24),
    "scale_width": (20, 40),
    "scale_width_and_crop": (24, 24),
    "none": (50, 100),
}


@pytest.mark.parametrize("preprocess", PREPROCESS)
def test_sizes(preprocess):
    image, labels = coordinates(50, 100)
    transform = JointTransform(preprocess=preprocess, load_size=40, crop_size=24)
    (one,), (cut,) = transform([image], [labels], np.random.default_rng(0))
    assert one.shape == (*SIZES[preprocess], 3)
    assert cut.shape == SIZES[preprocess]
    assert cut.dtype == np.int32
    assert set(np.unique(cut)) <= set(np.unique(labels))


def test_scaled_images_and_maps_stay_aligned():
    image, labels = coordinates(50, 100)
    transform = JointTransform(preprocess="scale_width", load_size=40, flip=False)
    (one,), (cut,) = transform([image], [labels], np.random.default_rng(0))
    assert np.abs(one[..., 0].astype(int) - cut // 1000).max() <= 2
    assert np.abs(one[..., 1].astype(int) - cut % 1000).max() <= 2


def test_resize_invents_no_label_and_leaves_flat_images_flat():
    labels = np.array([[0, 100], [7, 3]], np.int32)
    assert np.array_equal(resize_map(labels, 4, 6), np.repeat(np.repeat(labels, 2, axis=0), 3, axis=1))
    assert np.array_equal(resize_map(resize_map(labels, 4, 6), 2, 2), labels)
    for size in (5, 50):
        assert (resize_image(np.full((20, 20, 3), 77, np.uint8), size, size) == 77).all()


@pytest.mark.parametrize("values", [{"preprocess": "cut"}, {"crop_size": 0}, {"load_size": -1}])
def test_bad_values(values):
    with pytest.raises(UserError, match=f"--{next(iter(values))}"):
        JointTransform(**values)
