"""Whatever a file holds: an image of the size that `probe_image` says, or one line."""

import numpy as np
import pytest
import skimage.data
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.data.image_files import chunk, deep, exif, opencv, pillow, png, repaired, tiff, with_exif
from util.errors import UserError
from util.images.image_io import probe_image, read_image

FEW = settings(
    derandomize=True, deadline=None, max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def real_files():
    photo = np.ascontiguousarray(skimage.data.astronaut()[100:130, 100:142])
    palette = Image.fromarray(photo).quantize(16)
    rgba = np.dstack([photo, photo[..., 0]])
    files = {
        "png": png(photo, 2),
        "png 16": png(deep(photo), 2),
        "png interlaced": png(photo, 2, interlaced=True),
        "png palette": pillow(palette, "png"),
        "png exif": png(photo, 2, extra=chunk(b"eXIf", exif(6))),
        "png grey": pillow(photo[..., 0], "png"),
        "jpg": pillow(photo, "jpeg"),
        "jpg progressive": pillow(photo, "jpeg", progressive=True),
        "jpg exif": with_exif(pillow(photo, "jpeg"), exif(8, ">")),
        "jpg grey": pillow(photo[..., 0], "jpeg"),
        "tif": tiff(photo, extratags=[(274, "H", 1, 6, True)]),
        "tif 16": tiff(deep(photo), byteorder=">"),
        "tif lzw": opencv(deep(photo), ".tif"),
        "tif deflate": pillow(rgba, "tiff", compression="tiff_adobe_deflate"),
        "tif jpeg": pillow(photo, "tiff", compression="jpeg"),
        "tif group4": pillow(Image.fromarray(photo).convert("1"), "tiff", compression="group4"),
        "tif palette": pillow(palette, "tiff", compression="packbits"),
        "tif tiles": tiff(photo, tile=(32, 32)),
        "tif big": tiff(photo[..., 0], photometric="miniswhite", bigtiff=True),
        "bmp": opencv(photo, ".bmp"),
        "bmp palette": pillow(palette, "bmp"),
        "bmp 32": pillow(rgba, "bmp"),
    }
    return {name: content for name, content in files.items() if content}


FILES = real_files()


@pytest.fixture(scope="module", autouse=True)
def small_limit():
    """A damaged header may claim any size up to the limit; a test should not unpack a gigabyte."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("util.images.image_io.MAX_PIXELS", 2**18)
        yield


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.png"


def check(path, content):
    """Returns whether it was read."""
    path.write_bytes(content)
    try:
        image = read_image(path)
    except UserError as error:
        assert str(path) in str(error)
        assert str(error).isprintable(), "one line"
        try:
            probe_image(path)
        except UserError as same:
            assert str(same) == str(error), "both notice first what the header shows"
        return False
    header = probe_image(path)
    assert image.dtype == {8: np.uint8, 16: np.uint16}[header.bits]
    assert image.shape == (header.height, header.width, 3)
    assert read_image(path, bits=8).dtype == np.uint8
    return True


@st.composite
def damaged(draw):
    """A real file, cut off, with bytes changed, or with the head of another."""
    content = FILES[draw(st.sampled_from(sorted(FILES)))]
    kind = draw(st.sampled_from(["cut", "head", "anywhere", "many", "spliced", "removed"]))
    if kind == "cut":
        return content[: draw(st.integers(0, len(content)))]
    if kind == "spliced":
        other = FILES[draw(st.sampled_from(sorted(FILES)))]
        return other[: draw(st.integers(0, 200))] + content[draw(st.integers(0, 200)) :]
    if kind == "removed":
        start = draw(st.integers(0, len(content)))
        return content[:start] + content[start + draw(st.integers(1, 64)) :]
    last = min(200, len(content)) if kind == "head" else len(content)
    changed = bytearray(content)
    for place in draw(st.lists(st.integers(0, last - 1), min_size=1, max_size=50 if kind == "many" else 3)):
        changed[place] = draw(st.one_of(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]), st.integers(0, 255)))
    return bytes(changed)


@pytest.mark.parametrize("name", sorted(FILES))
def test_the_files_are_read_as_they_are(path, name):
    assert check(path, FILES[name])


@FEW
@given(content=damaged())
def test_damaged_files(path, content):
    check(path, content)


@FEW
@given(content=damaged())
def test_damaged_png_with_right_checksums(path, content):
    check(path, repaired(content))


@FEW
@given(
    head=st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"BM"]),
    body=st.binary(max_size=300),
)
def test_random_bytes(path, head, body):
    check(path, head + body)
