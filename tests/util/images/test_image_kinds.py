"""Every kind of file: the values as stored, upright, or one line."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.data.helpers import SHARED
from tests.data.image_files import (
    bmp,
    changed_tag,
    chunk,
    deep,
    exif,
    grey,
    opencv,
    packed,
    pillow,
    png,
    tiff,
    with_exif,
)
from util.errors import UserError
from util.images.image_io import probe_image, read_image

DEEP_COMPRESSIONS = {
    "none": cv2.IMWRITE_TIFF_COMPRESSION_NONE,
    "lzw": cv2.IMWRITE_TIFF_COMPRESSION_LZW,
    "deflate": cv2.IMWRITE_TIFF_COMPRESSION_ADOBE_DEFLATE,
}


@pytest.fixture(scope="module")
def photo(astronaut):
    return np.ascontiguousarray(astronaut[100:130, 100:142])


def check(tmp_path, content, expected, tolerance=0):
    path = tmp_path / "image"  # what a file is, its content says
    path.write_bytes(content)
    image = read_image(path)
    assert image.dtype == expected.dtype
    assert image.shape == expected.shape
    assert np.abs(image.astype(int) - expected).max() <= tolerance
    assert image.flags.c_contiguous and image.flags.writeable
    header = probe_image(path)
    assert (header.height, header.width, 3) == image.shape
    assert header.bits == 8 * image.itemsize


def refused(tmp_path, content, match):
    path = tmp_path / "image"
    path.write_bytes(content)
    for read in (read_image, probe_image):
        with pytest.raises(UserError, match=match) as caught:
            read(path)
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("sixteen", [False, True])
def test_png(tmp_path, photo, sixteen, interlaced):
    values = deep(photo) if sixteen else photo
    plane = np.ascontiguousarray(values[..., 1])
    alpha = values[..., :1] // 2
    check(tmp_path, png(values, 2, interlaced=interlaced), values)
    check(tmp_path, png(plane, 0, interlaced=interlaced), grey(plane))
    check(tmp_path, png(np.dstack([values, alpha]), 6, interlaced=interlaced), values)
    check(tmp_path, png(np.dstack([plane, alpha]), 4, interlaced=interlaced), grey(plane))
    transparent = chunk(b"tRNS", values[3, 3].astype(">u2").tobytes())
    check(tmp_path, png(values, 2, extra=transparent, interlaced=interlaced), values)
    check(tmp_path, png(plane, 0, extra=chunk(b"tRNS", plane[3, 3].astype(">u2").tobytes())), grey(plane))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_png_of_few_bits_and_with_palette(tmp_path, bits):
    rng = np.random.default_rng(bits)
    values = rng.integers(0, 2**bits, (9, 16), np.uint8)
    palette = rng.integers(0, 256, (2**bits, 3), np.uint8)
    rows = packed(values, bits)
    check(tmp_path, png(rows, 0, bits=bits, width=16), grey((values * (255 // (2**bits - 1))).astype(np.uint8)))
    colours = chunk(b"PLTE", palette.tobytes())
    check(tmp_path, png(rows, 3, bits=bits, width=16, extra=colours), palette[values])
    colours += chunk(b"tRNS", bytes(range(2**bits)))
    check(tmp_path, png(rows, 3, bits=bits, width=16, extra=colours), palette[values])


def test_png_colours_are_not_managed(tmp_path, photo):
    gamma = chunk(b"gAMA", (30000).to_bytes(4, "big")) + chunk(b"sBIT", b"\5\5\5")
    check(tmp_path, png(photo, 2, extra=gamma), photo)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("sixteen", [False, True])
def test_tiff(tmp_path, photo, sixteen, order):
    values = deep(photo) if sixteen else photo
    plane = np.ascontiguousarray(values[..., 1])
    check(tmp_path, tiff(values, byteorder=order), values)
    check(tmp_path, tiff(values, byteorder=order, bigtiff=True), values)
    check(tmp_path, tiff(values, byteorder=order, tile=(32, 32)), values)
    check(tmp_path, tiff(values, byteorder=order, rowsperstrip=7), values)
    check(tmp_path, tiff(np.stack([values, values // 2]), byteorder=order), values)  # the first of two pages
    check(tmp_path, tiff(plane, "minisblack", byteorder=order), grey(plane))
    check(tmp_path, tiff(plane, "miniswhite", byteorder=order), grey(~plane))
    for alpha in ("unassalpha", "assocalpha", "unspecified"):
        rgba = np.dstack([values, values[..., :1] // 2])
        check(tmp_path, tiff(rgba, byteorder=order, extrasamples=[alpha]), values)


@pytest.mark.parametrize("compression", DEEP_COMPRESSIONS.values(), ids=DEEP_COMPRESSIONS)
def test_tiff_of_sixteen_bits_compressed(tmp_path, photo, compression):
    values = deep(photo)
    options = [cv2.IMWRITE_TIFF_COMPRESSION, compression]
    check(tmp_path, opencv(values[..., ::-1], ".tif", options), values)
    check(tmp_path, opencv(values[..., 0], ".tif", options), grey(values[..., 0]))


@pytest.mark.parametrize("compression", ["raw", "packbits", "tiff_lzw", "tiff_adobe_deflate"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "P", "1", "CMYK"])
def test_tiff_of_eight_bits_or_fewer(tmp_path, photo, mode, compression):
    image = Image.fromarray(photo)
    image = Image.fromarray(np.dstack([photo, photo[..., 0]])).convert(mode) if mode[-1] == "A" else image.convert(mode)
    expected = np.array(image.convert("RGB"))
    content = pillow(image, "tiff", compression=compression)
    check(tmp_path, content, expected, tolerance=1 if mode == "CMYK" else 0)


def test_jpeg(tmp_path, photo):
    for mode in ("RGB", "L", "CMYK"):
        for progressive in (False, True):
            content = pillow(Image.fromarray(photo).convert(mode), "jpeg", progressive=progressive, subsampling=0)
            expected = np.array(Image.open(io.BytesIO(content)).convert("RGB"))
            check(tmp_path, content, expected, tolerance=4)  # two decoders, two ways to round


def test_bmp(tmp_path, photo):
    bgr = photo[..., ::-1]
    bgrx = np.ascontiguousarray(np.dstack([bgr, bgr[..., :1]]))
    rng = np.random.default_rng(0)
    palette = rng.integers(0, 256, (256, 4), np.uint8)
    for top_down in (False, True):
        options = {"width": 42, "top_down": top_down}
        check(tmp_path, bmp(np.ascontiguousarray(bgr), 24, **options), photo)
        check(tmp_path, bmp(bgrx, 32, **options), photo)
        masks = np.array([0xFF0000, 0xFF00, 0xFF], "<u4").tobytes()
        check(tmp_path, bmp(bgrx, 32, compression=3, masks=masks, **options), photo)
        for bits in (1, 4, 8):
            values = rng.integers(0, 2**bits, (30, 48), np.uint8)
            content = bmp(packed(values, bits), bits, width=48, palette=palette[: 2**bits].tobytes(), top_down=top_down)
            check(tmp_path, content, palette[values][..., 2::-1])


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt", "jpeg"])
def test_tiff_compressed_as_fax_or_jpeg(tmp_path, photo, compression):
    image = Image.fromarray(photo).convert("L" if compression == "jpeg" else "1")
    content = pillow(image, "tiff", compression=compression)
    expected = np.array(Image.open(io.BytesIO(content)).convert("RGB"))
    check(tmp_path, content, expected, tolerance=4 if compression == "jpeg" else 0)


@pytest.mark.parametrize(
    "options", [{}, {"rowsperstrip": 7}, {"tile": (32, 32)}, {"bigtiff": True}, {"byteorder": ">"}]
)
def test_tiff_whose_pixels_are_not_all_there(tmp_path, photo, options):
    """The directory stands before the pixels: the last strip or tile is short."""
    content = tiff(photo, **options)
    check(tmp_path, content, photo)
    refused(tmp_path, content[:-1], "the file is cut off")


def test_tiff_that_does_not_say_where_its_pixels_are(tmp_path, photo):
    refused(tmp_path, changed_tag(tiff(photo), 273, 274), "does not say where its pixels are")
    check(tmp_path, changed_tag(tiff(photo), 279, 280), photo)  # sizes of strips may be missing


@pytest.mark.parametrize("orientation", range(10))
def test_orientation(tmp_path, photo, orientation):
    """All formats are turned alike: by the tag, in both byte orders, with 8 and 16 bits. 0 and 9 do not exist."""
    image = Image.fromarray(photo)
    image.getexif()[274] = orientation
    expected = np.array(ImageOps.exif_transpose(image))

    def turned(values):
        places = np.arange(30 * 42).reshape(30, 42)
        place = Image.fromarray(places.astype(np.int32))
        place.getexif()[274] = orientation
        return values.reshape(-1, 3)[np.array(ImageOps.exif_transpose(place))]

    assert np.array_equal(turned(photo), expected)
    for order in "<>":
        for values in (photo, deep(photo)):
            tag = [(274, "H", 1, orientation, True)]
            check(tmp_path, tiff(values, byteorder=order, extratags=tag), turned(values))
            check(
                tmp_path,
                tiff(values[..., 0], "minisblack", byteorder=order, extratags=tag),
                turned(grey(values[..., 0])),
            )
            check(tmp_path, png(values, 2, extra=chunk(b"eXIf", exif(orientation, order))), turned(values))
        jpeg = pillow(photo, "jpeg", subsampling=0)
        upright = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        check(tmp_path, with_exif(jpeg, exif(orientation, order)), turned(np.ascontiguousarray(upright)))


def test_a_damaged_exif_block_turns_nothing(tmp_path, photo):
    for block in (b"", b"II", b"XX*\0junkjunk", exif(6)[:12], b"II*\0\xff\xff\xff\xff"):
        check(tmp_path, png(photo, 2, extra=chunk(b"eXIf", block)), photo)
        jpeg = pillow(photo, "jpeg")
        expected = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        check(tmp_path, with_exif(jpeg, block), expected)


@pytest.mark.parametrize("name", ["float32", "float16", "int16", "int8"])
def test_tiff_of_signed_or_floating_values_is_refused(tmp_path, photo, name):
    refused(tmp_path, tiff(photo.astype(name)), "signed or floating")


def test_other_kinds_are_refused(tmp_path, photo):
    values = deep(photo)
    refused(tmp_path, tiff(photo.astype(np.uint32)), "32 bits per channel")
    refused(tmp_path, tiff(np.moveaxis(values, 2, 0), planarconfig="separate"), "interleaved")
    refused(tmp_path, tiff(np.dstack([values, values[..., :1]]), "separated"), "grey, RGB or RGBA")
    refused(tmp_path, tiff(values[..., :2], "minisblack", extrasamples=["unassalpha"]), "grey, RGB or RGBA")
    refused(tmp_path, pillow(Image.fromarray(photo).convert("LAB"), "tiff"), "colours .photometric 8")
    refused(tmp_path, changed_tag(tiff(photo), 262, 263), "colours .photometric -1")
    five = np.dstack([photo, photo[..., :2]])
    refused(tmp_path, tiff(five, extrasamples=["unspecified"] * 2), "5 per pixel")
    refused(tmp_path, pillow(photo, "tiff", compression="zstd"), "its compression is not one that is read")
    twelve = bytearray(pillow(photo, "jpeg"))
    twelve[twelve.index(b"\xff\xc0") + 4] = 12
    refused(tmp_path, bytes(twelve), "12 bits per channel")
    refused(tmp_path, bmp(values[..., 0], 16, width=42), "16 bits per pixel")
    for bits, compression in ((8, 1), (4, 2), (24, 4)):
        refused(tmp_path, bmp(photo[..., 0], bits, width=42, compression=compression), "a compressed BMP is not read")
    masks = np.array([0xFF, 0xFF00, 0xFF0000], "<u4").tobytes()
    refused(tmp_path, bmp(np.zeros((4, 16), np.uint8), 32, width=4, compression=3, masks=masks), "another order")


def test_real_images_are_what_their_headers_say():
    """One file of each kind and folder of the reference data, and what OpenCV makes of it by itself."""
    if not SHARED.exists():
        pytest.skip(f"reference data {SHARED} is not there")
    folders: dict = {}
    for path in sorted((SHARED / "data").rglob("*")):
        if path.suffix in (".png", ".jpg", ".tif", ".bmp"):
            folders.setdefault((path.parent, path.suffix), path)
    assert len(folders) > 30
    for path in folders.values():
        header = probe_image(path)
        image = read_image(path)
        assert image.shape == (header.height, header.width, 3), path
        assert np.array_equal(image[..., ::-1], cv2.imread(str(path))), path
