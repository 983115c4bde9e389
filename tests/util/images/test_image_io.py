import struct
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
import torch

from data.base_dataset import to_tensor
from tests.data.helpers import save
from tests.data.image_files import chunk, deep, grey, pillow, png, repaired, tiff
from util.errors import UserError
from util.images.image_io import list_images, probe_image, read_image, write_image


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
    header = probe_image(path)
    assert (header.height, header.width, header.bits) == (90, 120, 8)


@pytest.mark.parametrize("extension", [".png", ".tif", ".tiff", ".PNG"])
def test_sixteen_bits_are_kept(tmp_path, photo, extension):
    values = deep(photo)
    assert values.min() == 0 and values.max() == 65535 and (values % 256).any()
    for array, expected in ((values, values), (values[..., 0], grey(values[..., 0]))):
        path = tmp_path / f"deep{extension}"
        write_image(path, array)
        assert probe_image(path).bits == 16
        image = read_image(path)
        assert image.dtype == np.uint16
        assert np.array_equal(image, expected)


def test_sixteen_bits_become_eight_on_request(tmp_path, photo):
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    write_image(tmp_path / "all.png", values)
    image = read_image(tmp_path / "all.png", bits=8)
    assert image.dtype == np.uint8
    assert image.shape == (256, 256, 3)
    assert np.array_equal(image[..., 1], np.rint(values / 257))
    write_image(tmp_path / "eight.png", photo)
    assert np.array_equal(read_image(tmp_path / "eight.png", bits=8), photo)


def test_jpeg_is_written_finely(tmp_path, photo):
    for array, expected in ((photo, photo), (photo[..., 0], grey(photo[..., 0]))):
        write_image(tmp_path / "a.jpg", array)
        difference = np.abs(read_image(tmp_path / "a.jpg").astype(int) - expected)
        assert difference.mean() < 1.6  # with quality 90: 1.74
        assert difference.max() < 16  # with chroma of half the size: 23


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
def test_no_image(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.png: not a PNG, JPEG, TIFF or BMP"):
        read_image(tmp_path / "a.png")


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(UserError, match="no such image"):
            read_image(path)


def claim(content, width, height):
    """The same file, but its header says another size."""
    content = bytearray(content)
    if content.startswith(b"BM"):
        content[18:26] = struct.pack("<ii", width, height)
    elif content.startswith(b"\xff\xd8"):
        place = content.index(b"\xff\xc0")
        content[place + 5 : place + 9] = struct.pack(">HH", height, width)
    elif content.startswith(b"II"):
        for tag, side in ((256, width), (257, height)):
            place = content.index(struct.pack("<HHI", tag, 3, 1))
            content[place + 2 : place + 12] = struct.pack("<HII", 4, 1, side)
    else:
        content[16:24] = struct.pack(">II", width, height)
    return repaired(content) if content.startswith(b"\x89PNG") else bytes(content)


@pytest.mark.parametrize(
    ("extension", "size", "match"),
    [
        (".png", (16000, 16000), "says 16000x16000, but is too small"),
        (".jpg", (16000, 16000), "says 16000x16000, but is too small"),
        (".jpg", (65000, 65000), "says 65000x65000, but is too small"),
        (".tif", (16000, 16000), "damaged"),
        (".tif", (65000, 65000), "65000x65000: more than"),
        (".bmp", (16000, 16000), "cut off"),
        (".bmp", (2**30, -(2**31)), "cut off"),
    ],
)
def test_an_image_that_claims_to_be_gigantic_is_not_unpacked(tmp_path, photo, extension, size, match):
    path = save(tmp_path / f"bomb{extension}", photo)
    path.write_bytes(claim(path.read_bytes(), *size))
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=match):
            read_image(path)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_a_small_file_that_is_gigantic_is_not_unpacked(tmp_path):
    rows = np.zeros((16400, 2050), np.uint8)
    (tmp_path / "bomb.png").write_bytes(png(rows, 0, bits=1, width=16400))
    for read in (read_image, probe_image):
        with pytest.raises(UserError, match=r"bomb\.png is 16400x16400: more than 268435456 pixels"):
            read(tmp_path / "bomb.png")


def test_data_beyond_the_image_is_not_unpacked(tmp_path):
    (tmp_path / "bomb.png").write_bytes(claim(png(np.zeros((50, 1_000_000), np.uint8), 0), 10, 10))
    assert np.array_equal(read_image(tmp_path / "bomb.png"), np.zeros((10, 10, 3)))


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, 2**40) + bytes(1000), "1099511627776 tags"),
        (b"\xff\xd8" + b"\xff" * 2_000_000, "segments"),
        (b"\xff\xd8" + b"\xff\xe2\0\2" * 1_100_000, "segments"),
        (png(np.zeros((1, 1), np.uint8), 0)[:33] + chunk(b"teXt", b"") * 1_100_000, "chunks"),
    ],
    ids=["tiff", "jpeg fill", "jpeg", "png"],
)
def test_a_file_of_endless_parts_is_given_up(tmp_path, content, match):
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(UserError, match=match):
        read_image(tmp_path / "a.tif")


def test_a_jpeg_of_endless_scans_is_given_up(tmp_path, photo):
    content = pillow(photo, "jpeg", progressive=True)
    start, end = content.rindex(b"\xff\xda"), content.rindex(b"\xff\xd9")
    (tmp_path / "a.jpg").write_bytes(content[:end] + content[start:end] * 200 + content[end:])
    with pytest.raises(UserError, match="more than 100 scans"):
        read_image(tmp_path / "a.jpg")


def test_absurd_tiles(tmp_path, photo):
    content = bytearray(tiff(photo, tile=(64, 64)))
    for tag in (322, 323):
        place = content.index(struct.pack("<H", tag))
        content[place + 2 : place + 12] = struct.pack("<HII", 4, 1, 2**20)
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(UserError, match="tiles of 1048576x1048576"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (png(np.zeros((3, 3), np.uint8), 5), "header"),
        (png(np.zeros((3, 3), np.uint8), 0, bits=3), "header"),
        (png(np.zeros((3, 3), np.uint8), 3), "palette"),
        (png(np.zeros((3, 3), np.uint8), 3, extra=chunk(b"PLTE", bytes(4))), "palette"),
        (png(np.zeros((3, 3), np.uint8), 0, extra=chunk(b"IHDR", bytes(13))), "two headers"),
        (png(np.zeros((3, 3), np.uint8), 0).replace(b"IHDR", b"IDAT", 1), "header"),
    ],
)
def test_png_that_libpng_would_complain_about(tmp_path, content, match, capfd):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UserError, match=match):
        read_image(tmp_path / "a.png")
    assert capfd.readouterr() == ("", "")


def test_write_refuses_what_it_cannot_do(tmp_path, photo):
    with pytest.raises(UserError, match="extension"):
        write_image(tmp_path / "a.webp", photo)
    for wrong in (photo.astype(np.float32), photo[..., :2], photo[None], photo[0, 0]):
        with pytest.raises(ValueError, match="uint8"):
            write_image(tmp_path / "a.png", wrong)
    for extension in (".jpg", ".bmp", ".JPEG"):
        with pytest.raises(UserError, match=r"16 bits per channel: .* is not one of: \.png, \.tif, \.tiff"):
            write_image(tmp_path / f"a{extension}", deep(photo))
    with pytest.raises(UserError, match=r"wide\.jpg: .*70000x1"):
        write_image(tmp_path / "wide.jpg", np.zeros((1, 70000), np.uint8))
    assert not list(tmp_path.iterdir())
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


def test_names_of_255_bytes(tmp_path, photo):
    for name in ("a" * 251 + ".png", "é" * 125 + "b.png"):
        write_image(tmp_path / name, photo)
        assert np.array_equal(read_image(tmp_path / name), photo)
    for read in (read_image, probe_image, lambda path: write_image(path, photo)):
        with pytest.raises(UserError, match="name too long"):
            read(tmp_path / ("a" * 252 + ".png"))
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("layout", ["strided", "reversed", "read-only", "fortran"])
def test_any_array_is_written_and_left_alone(tmp_path, photo, layout):
    array = {
        "strided": photo[::2, ::3],
        "reversed": photo[:, ::-1, ::-1],
        "read-only": np.frombuffer(photo.tobytes(), np.uint8).reshape(photo.shape),
        "fortran": np.asfortranarray(photo),
    }[layout]
    before = array.copy()
    write_image(tmp_path / "a.png", array)
    assert np.array_equal(read_image(tmp_path / "a.png"), before)
    assert np.array_equal(array, before)
    write_image(tmp_path / "grey.png", array[..., 0])
    assert np.array_equal(read_image(tmp_path / "grey.png")[..., 2], before[..., 0])


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


def test_a_tensor_holds_every_value(photo):
    tensor = to_tensor(photo)
    assert tensor.shape == (3, 90, 120)
    assert tensor.dtype == torch.float32
    np.testing.assert_allclose(tensor.permute(1, 2, 0), photo / 255, rtol=1e-6)
