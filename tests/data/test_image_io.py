import struct
import zlib

import cv2
import numpy as np
import pytest
import torch

from data.image_io import list_images, probe_image, read_image, read_labels, write_image
from data.tensors import to_tensor, to_uint8
from tests.data.helpers import save
from util.errors import UserError


@pytest.fixture
def photo(astronaut):
    return np.ascontiguousarray(astronaut[:90, :120])


@pytest.mark.parametrize("extension", [".png", ".bmp", ".tif"])
def test_write_then_read_gives_the_same_rgb(tmp_path, photo, extension):
    path = tmp_path / "new folder" / f"schön 写真{extension}"
    write_image(path, photo)
    assert np.array_equal(read_image(path), photo)
    assert np.array_equal(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)[..., ::-1], photo)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert probe_image(path) == (90, 120)


def test_grey_is_replicated_and_alpha_dropped(tmp_path, photo):
    grey = read_image(save(tmp_path / "grey.png", photo[..., 0]))
    assert np.array_equal(grey, np.repeat(photo[..., :1], 3, axis=2))
    rgba = np.dstack([photo[..., ::-1], np.full(photo.shape[:2], 7, np.uint8)])
    (tmp_path / "rgba.png").write_bytes(cv2.imencode(".png", rgba)[1].tobytes())
    assert np.array_equal(read_image(tmp_path / "rgba.png"), photo)


def test_exif_orientation_is_applied(tmp_path, photo):
    jpeg = cv2.imencode(".jpg", photo[..., ::-1])[1].tobytes()
    tiff = b"II*\0" + struct.pack("<IHHHII", 8, 1, 0x0112, 3, 1, 6) + b"\0\0\0\0"  # 6: turn right to see it upright
    exif = b"Exif\0\0" + tiff
    (tmp_path / "turned.jpg").write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:])
    (tmp_path / "plain.jpg").write_bytes(jpeg)
    assert np.array_equal(read_image(tmp_path / "turned.jpg"), np.rot90(read_image(tmp_path / "plain.jpg"), -1))


@pytest.mark.parametrize("extension", [".png", ".jpg", ".tif", ".bmp"])
@pytest.mark.parametrize("keep", [0, 1, 20, 0.5, 0.95])
def test_truncated_file_is_one_quiet_line(tmp_path, photo, extension, keep, capfd):
    path = save(tmp_path / f"photo{extension}", photo)
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content)) if keep in (0.5, 0.95) else keep])
    with pytest.raises(UserError) as caught:
        read_image(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_damaged_png_is_noticed_quietly(tmp_path, photo, capfd):
    path = save(tmp_path / "a.png", photo)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        read_image(path)
    assert capfd.readouterr().err == ""


def test_needless_png_chunks_are_quiet(tmp_path, photo, capfd):
    path = save(tmp_path / "a.png", photo)
    content = path.read_bytes()
    data = b"bad\0\0junk"
    chunk = struct.pack(">I", len(data)) + b"iCCP" + data + struct.pack(">I", zlib.crc32(b"iCCP" + data))
    path.write_bytes(content[:33] + chunk + content[33:])
    assert np.array_equal(read_image(path), photo)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("content", [b"hello", b"GIF89a" + bytes(50), b"\x80\x04pickle"])
def test_no_picture(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.png: not a PNG, JPEG, TIFF or BMP"):
        read_image(tmp_path / "a.png")


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(UserError, match="no such picture"):
            read_image(path)


@pytest.mark.parametrize("extension", [".png", ".tif"])
def test_sixteen_bits_are_refused_but_for_labels(tmp_path, extension):
    values = np.arange(0, 60000, 1000, dtype=np.uint16).reshape(6, 10)
    path = save(tmp_path / f"deep{extension}", values)
    with pytest.raises(UserError, match="16 bits"):
        read_image(path)
    assert np.array_equal(read_labels(path)[..., 1], values)


def test_a_picture_that_claims_to_be_gigantic_is_not_unpacked(tmp_path, photo):
    path = save(tmp_path / "bomb.png", photo)
    content = path.read_bytes()
    header = b"IHDR" + struct.pack(">II", 60000, 60000) + content[24:29]
    path.write_bytes(content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:])
    with pytest.raises(UserError, match="60000x60000"):
        read_image(path)


def test_write_refuses_what_it_cannot_do(tmp_path, photo):
    with pytest.raises(UserError, match="extension"):
        write_image(tmp_path / "a.webp", photo)
    with pytest.raises(ValueError, match="uint8"):
        write_image(tmp_path / "a.png", photo.astype(np.float32))
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(UserError, match=r"folder\.png.* cannot be written"):
        write_image(tmp_path / "folder.png", photo)
    write_image(tmp_path / "bare", photo)
    assert (tmp_path / "bare.png").exists()


def test_a_failed_write_leaves_the_old_file(tmp_path, photo, monkeypatch):
    path = tmp_path / "a.png"
    write_image(path, photo)

    def fail(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(UserError, match="No space left"):
        write_image(path, 255 - photo)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]
    assert np.array_equal(read_image(path), photo)


def test_list_images(tmp_path):
    folder = tmp_path / "folder"
    (folder / "sub.png").mkdir(parents=True)
    for name in ("img10.png", "img2.JPG", "Img1.tif", ".hidden.png", "notes.txt", "b.bmp"):
        (folder / name).write_bytes(b"x")
    (tmp_path / "outside.png").write_bytes(b"x")
    (folder / "leaves.png").symlink_to(tmp_path / "outside.png")
    (folder / "stays.png").symlink_to(folder / "b.bmp")
    (folder / "broken.png").symlink_to(folder / "nothing.png")
    assert [path.name for path in list_images(folder)] == ["b.bmp", "Img1.tif", "img2.JPG", "img10.png", "stays.png"]
    with pytest.raises(UserError, match="no such folder"):
        list_images(tmp_path / "none")


def test_tensor_and_back(photo):
    tensor = to_tensor(photo)
    assert tensor.shape == (3, 90, 120)
    assert tensor.dtype == torch.float32
    assert tensor[0, 5, 7].item() == pytest.approx(photo[5, 7, 0] / 255)
    assert np.array_equal(to_uint8(tensor), photo)
    values = torch.tensor([-0.5, 0.499 / 255, 0.51 / 255, 2.0]).view(1, 2, 2).repeat(3, 1, 1)
    assert to_uint8(values)[..., 0].tolist() == [[0, 0], [1, 255]]
