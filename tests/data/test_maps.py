import numpy as np
import pytest
import scipy.io

from data.maps import pair_maps, read_map, read_map_image
from tests.data.helpers import block_map, save, shared
from util.errors import UserError
from util.images.image_io import read_image


def renumber(labels):
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape)


def save_bsds(path, *segmentations):
    cells = np.empty((1, len(segmentations)), object)
    for place, labels in enumerate(segmentations):
        cells[0, place] = {"Segmentation": labels.astype(np.uint16), "Boundaries": (labels > 1).astype(np.uint8)}
    scipy.io.savemat(path, {"groundTruth": cells})
    return path


def test_indices(tmp_path):
    labels = block_map(90, 120)
    path = save(tmp_path / "map.png", (labels * 5 + 3).astype(np.uint8))
    regions = read_map(path)
    assert regions.dtype == np.int32
    assert np.array_equal(regions, renumber(labels))


def test_sixteen_bit_indices(tmp_path):
    labels = block_map(90, 120)
    assert np.array_equal(read_map(save(tmp_path / "map.png", (labels * 5000).astype(np.uint16))), renumber(labels))


def test_colours_are_told_apart_by_all_channels(tmp_path):
    palette = np.array([[0, 0, 0], [0, 0, 9], [0, 9, 0], [9, 0, 0], [9, 0, 9]], np.uint8)  # in lexicographic order
    labels = block_map(90, 120) % 5
    path = save(tmp_path / "map.png", palette[labels])
    assert np.array_equal(read_map(path), labels)
    assert np.array_equal(read_map_image(path), palette[labels][..., ::-1])


def test_jpeg_colour_map_is_cleaned(tmp_path):
    palette = np.array([[128, 64, 128], [70, 130, 180], [220, 20, 60], [107, 142, 35], [0, 0, 0]], np.uint8)
    labels = block_map(200, 300) % 5
    path = save(tmp_path / "map.jpg", palette[labels])
    assert len(np.unique(read_image(path).reshape(-1, 3), axis=0)) > 100
    regions = read_map(path)
    assert regions.max() == 4
    majority = [np.bincount(regions[labels == label]).max() for label in range(5)]
    assert sum(majority) > 0.97 * labels.size


def test_jpeg_indices_are_refused(tmp_path):
    path = save(tmp_path / "map.jpg", block_map(90, 120).astype(np.uint8))
    with pytest.raises(UserError, match=r"map\.jpg: JPEG blurs class indices"):
        read_map(path)
    flat = save(tmp_path / "flat.jpg", np.full((40, 40, 3), 90, np.uint8))
    assert read_map(flat).max() == 0


def test_bsds(tmp_path):
    first, second = block_map(30, 70) + 1, block_map(30, 70) // 6 + 1
    path = save_bsds(tmp_path / "a.mat", first, second)
    assert np.array_equal(read_map(path), renumber(first))
    assert np.array_equal(read_map(path, annotator=2), renumber(second))
    assert np.array_equal(read_map_image(path)[..., 2], first)
    with pytest.raises(UserError, match="annotators 1 to 2, not 3"):
        read_map(path, annotator=3)


def test_bsds_of_one_annotator(tmp_path):
    labels = block_map(30, 70)
    assert np.array_equal(read_map(save_bsds(tmp_path / "a.mat", labels)), renumber(labels))


@pytest.mark.parametrize("extreme", [-1, -(2**31), 2**24, 2**31 - 1])
def test_bsds_labels_of_any_size(tmp_path, extreme):
    labels = block_map(30, 70).astype(np.int32)
    labels[labels == 5] = extreme
    cells = np.empty((1, 1), object)
    cells[0, 0] = {"Segmentation": labels}
    scipy.io.savemat(tmp_path / "a.mat", {"groundTruth": cells})
    assert np.array_equal(read_map(tmp_path / "a.mat"), renumber(labels))
    assert np.array_equal(renumber(read_map_image(tmp_path / "a.mat")[..., 0]), renumber(labels))


def test_bad_mat(tmp_path):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"other": np.eye(3)})
    (tmp_path / "b.mat").write_bytes(b"no matlab at all")
    scipy.io.savemat(tmp_path / "c.mat", {"groundTruth": np.eye(3)})
    (tmp_path / "d.mat").write_bytes(save_bsds(tmp_path / "e.mat", block_map(30, 70)).read_bytes()[:300])
    for name in "abcd":
        with pytest.raises(UserError, match=rf"{name}\.mat: not a BSDS file"):
            read_map(tmp_path / f"{name}.mat")


def test_real_bsds_file():
    folder = shared("data", "bsds500")
    path = sorted((folder / "groundtruth").iterdir())[0]
    regions = read_map(path)
    region = read_image(folder / "region" / f"{path.stem}.png")[..., 0]
    assert np.array_equal(regions, region - 1)


def test_npy_is_no_map(tmp_path):
    np.save(tmp_path / "a.npy", np.eye(3))
    with pytest.raises(UserError, match=r"a\.npy"):
        read_map(tmp_path / "a.npy")


def test_pairs(pmf_root):
    pairs = pair_maps(pmf_root / "images", pmf_root / "maps")
    assert [stem for stem, _, _ in pairs] == ["img1", "img2", "img9", "img10"]
    assert pairs[0][1:] == (pmf_root / "images" / "img1.png", pmf_root / "maps" / "img1.png")


def test_missing_map_and_folders(pmf_root, tmp_path):
    (pmf_root / "maps" / "img9.png").unlink()
    with pytest.raises(UserError, match=r"images/img9\.png has no map: expected .*maps/img9\.png"):
        pair_maps(pmf_root / "images", pmf_root / "maps")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no images in .*empty"):
        pair_maps(tmp_path / "empty", pmf_root / "maps")
    with pytest.raises(UserError, match=r"no maps .* in .*empty"):
        pair_maps(pmf_root / "images", tmp_path / "empty")


def test_two_maps_of_one_stem(pmf_root):
    save_bsds(pmf_root / "maps" / "img1.mat", block_map(60, 80))
    with pytest.raises(UserError, match=r"img1\.mat and .*img1\.png have the same stem"):
        pair_maps(pmf_root / "images", pmf_root / "maps")
