"""What an image file says about itself before it is decoded: format, size, depth, and whether it is all there.

OpenCV decodes a truncated JPEG to a half-grey image, lets libpng write to the terminal, and returns wrong values for
some kinds of TIFF and BMP. Looking at the bytes first turns this into right values or one clear line, and keeps a
small file that claims to be gigantic from being unpacked. The formats have a module each.
"""

from __future__ import annotations

import struct

from util.images.formats import bmp, jpeg, png, tiff
from util.images.formats.types import BadImageError, Format, Header

FORMATS: tuple[Format, ...] = (png.FORMAT, jpeg.FORMAT, tiff.FORMAT, bmp.FORMAT)


def read_header(content: bytes) -> Header:
    """Reads size, depth and orientation from a whole image file.

    Raises:
        BadImageError: another format, a kind that is not read, or a file that is cut off or damaged.
    """
    try:
        return _format_of(content).read(content)
    except (struct.error, IndexError) as error:
        raise BadImageError("the file is cut off") from error


def plain_content(content: bytes) -> bytes | bytearray:
    """Returns a file whose header was read in the form that OpenCV decodes rightly and quietly.

    Orientation is left to the header: OpenCV must be told to ignore it.
    """
    return _format_of(content).plain(content)


def _format_of(content: bytes) -> Format:
    if not content:
        raise BadImageError("the file is empty")
    for known in FORMATS:
        if content.startswith(known.signatures):
            return known
    *names, last = (known.name for known in FORMATS)
    raise BadImageError(f"not a {', '.join(names)} or {last} image")
