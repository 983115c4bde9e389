"""The header of a BMP file (as Windows writes it; headers of OS/2 1.x and of versions 3 to 5)."""

from __future__ import annotations

import struct

from util.images.formats.types import BadImageError, Format, Header, upright

_OLD_HEADER = 12
_PLAIN, _MASKS = 0, 3
_MASKS_AT = 54
_USUAL_MASKS = (0xFF0000, 0xFF00, 0xFF)


def read_bmp(content: bytes) -> Header:
    """Reads the header.

    Raises:
        BadImageError: a kind of BMP that is not read, or a file that is cut off.
        struct.error: it ends within its header.
    """
    data, size = struct.unpack_from("<II", content, 10)
    compression = _PLAIN
    if size == _OLD_HEADER:
        width, height, _, bits = struct.unpack_from("<HHHH", content, 18)
    else:
        width, height, _, bits, compression = struct.unpack_from("<iiHHI", content, 18)
    if bits not in (1, 4, 8, 24, 32):
        raise BadImageError(f"a BMP of {bits} bits per pixel is not read: save it with 24 bits, or as PNG")
    if compression == _MASKS and struct.unpack_from("<III", content, _MASKS_AT) != _USUAL_MASKS:
        raise BadImageError("a BMP with channels in another order is not read: save it with 24 bits, or as PNG")
    if compression not in (_PLAIN, _MASKS):
        raise BadImageError("a compressed BMP is not read: save it with 24 bits, or as PNG")
    row = (width * bits + 31) // 32 * 4
    if data + row * abs(height) > len(content):
        raise BadImageError("the file is cut off")
    return upright(abs(height), width, 8)


FORMAT = Format("BMP", (".bmp",), (b"BM",), read_bmp)
