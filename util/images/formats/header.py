"""What an image file says about itself before it is decoded: format, size, depth, and whether it is all there.

OpenCV decodes a truncated JPEG to a half-grey image, lets libpng write to the terminal, and returns wrong values for
some kinds of TIFF and BMP. Looking at the bytes first turns this into right values or one clear line, and keeps a
small file that claims to be gigantic from being unpacked. The formats have a module each.
"""

from __future__ import annotations

import struct

from util.images.formats.bmp import read_bmp
from util.images.formats.jpeg import read_jpeg
from util.images.formats.png import PNG_SIGNATURE, plain_png, read_png
from util.images.formats.tiff import TIFF_SIGNATURES, plain_tiff, read_tiff
from util.images.formats.types import BadImageError, Header


def read_header(content: bytes) -> Header:
    """Reads size, depth and orientation from a whole PNG, JPEG, TIFF or BMP file.

    Raises:
        BadImageError: another format, a kind that is not read, or a file that is cut off or damaged.
    """
    if not content:
        raise BadImageError("the file is empty")
    try:
        if content.startswith(PNG_SIGNATURE):
            return read_png(content)
        if content.startswith(b"\xff\xd8\xff"):
            return read_jpeg(content)
        if content.startswith(TIFF_SIGNATURES):
            return read_tiff(content)
        if content.startswith(b"BM"):
            return read_bmp(content)
    except (struct.error, IndexError) as error:
        raise BadImageError("the file is cut off") from error
    raise BadImageError("not a PNG, JPEG, TIFF or BMP image")


def plain_content(content: bytes) -> bytes | bytearray:
    """Returns a file whose header was read in the form that OpenCV decodes rightly and quietly.

    Orientation is left to the header: OpenCV must be told to ignore it.
    """
    if content.startswith(PNG_SIGNATURE):
        return plain_png(content)
    if content.startswith(TIFF_SIGNATURES):
        return plain_tiff(content)
    return content
