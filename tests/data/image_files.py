"""Image files of all kinds, made without the code under test: by Pillow, tifffile, OpenCV or by hand."""

import io
import struct
import zlib

import cv2
import numpy as np
import tifffile
from PIL import Image

PNG = b"\x89PNG\r\n\x1a\n"


def deep(photo):
    """A uint16 image that uses the lower bytes, 0 and 65535."""
    values = photo.astype(np.uint16) * 256 + photo[::-1]
    values[0, 0], values[0, 1] = 0, 65535
    return values


def grey(array):
    """The image that a grey plane is read as."""
    return np.repeat(array[..., None], 3, axis=2)


def pillow(image, kind, **options):
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, kind, **options)
    return file.getvalue()


def tiff(array, photometric="rgb", **options):
    file = io.BytesIO()
    tifffile.imwrite(file, array, photometric=photometric, **options)
    return file.getvalue()


def changed_tag(content, tag, other):
    """A little-endian TIFF of tifffile's in which one tag has another number."""
    content = bytearray(content)
    (directory,) = struct.unpack_from("<I", content, 4)
    for entry in range(directory + 2, directory + 2 + 12 * struct.unpack_from("<H", content, directory)[0], 12):
        if struct.unpack_from("<H", content, entry)[0] == tag:
            struct.pack_into("<H", content, entry, other)
            return bytes(content)
    raise AssertionError(f"no tag {tag}")


def opencv(array, extension, options=()):
    return cv2.imencode(extension, np.ascontiguousarray(array), options)[1].tobytes()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(array, colour, *, bits=None, width=None, extra=b"", interlaced=False):
    """A PNG of packed rows: (H, W, channels) or (H, bytes) of uint8, or uint16 in the machine's order."""
    height = len(array)
    bits = bits or 8 * array.dtype.itemsize
    header = struct.pack(">IIBBBBB", width or array.shape[1], height, bits, colour, 0, 0, interlaced)
    rows = _adam7(array) if interlaced else _rows(array)
    return PNG + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def repaired(content):
    """A PNG whose checksums are made right, as far as its chunks can be followed."""
    content = bytearray(content)
    start = len(PNG)
    while start + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, start)
        if start + 12 + length > len(content):
            break
        struct.pack_into(">I", content, start + 8 + length, zlib.crc32(content[start + 4 : start + 8 + length]))
        start += 12 + length
    return bytes(content)


def packed(values, bits):
    """Rows of values of less than 8 bits each, packed into bytes."""
    return np.packbits(np.unpackbits(values[..., None], axis=2)[..., 8 - bits :].reshape(len(values), -1), axis=1)


def bmp(rows, bits, *, width, compression=0, palette=b"", masks=b"", top_down=False):
    """A BMP of (H, bytes) rows in the order of the image."""
    height = len(rows)
    data = b"".join(row.tobytes() + bytes(-row.nbytes % 4) for row in (rows if top_down else rows[::-1]))
    offset = 54 + len(masks) + len(palette)
    header = struct.pack("<2sIHHI", b"BM", offset + len(data), 0, 0, offset)
    header += struct.pack(
        "<IiiHHIIiiII", 40, width, -height if top_down else height, 1, bits, compression, 0, 0, 0, 0, 0
    )
    return header + masks + palette + data


def exif(orientation, order="<"):
    """An EXIF block that holds an orientation only."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(order + "IHHHIHHI", 8, 1, 274, 3, 1, orientation, 0, 0)


def with_exif(jpeg, block):
    data = b"Exif\0\0" + block
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data + jpeg[2:]


def _rows(array):
    return b"".join(b"\0" + row.astype(f">u{array.dtype.itemsize}").tobytes() for row in array)


def _adam7(array):
    starts = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    passes = (array[row::down, column::across] for row, column, down, across in starts)
    return b"".join(_rows(part) for part in passes if part.size)
