"""The header of a PNG file (Portable Network Graphics, third edition, W3C 2025)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from util.images.formats.tiff import exif_orientation
from util.images.formats.types import MOST_PARTS, BadImageError, Format, Header, upright

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_READ = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"eXIf"}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}  # by colour type (table 8)
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PALETTE = 3
_MOST_INFLATION = 1032  # deflate makes no more bytes than this of one


def read_png(content: bytes) -> Header:
    """Reads the header, and checks the order and the checksums of the chunks that matter.

    Raises:
        BadImageError: the file is damaged or cut off.
        struct.error: it ends within a chunk.
    """
    width, height, bits, colour = _read_ihdr(content)
    orientation = 1
    compressed = 0
    palette = None
    for start, length, kind in _chunks(content):
        (checksum,) = struct.unpack_from(">I", content, start + 8 + length)
        if kind in _READ and zlib.crc32(memoryview(content)[start + 4 : start + 8 + length]) != checksum:
            raise BadImageError("the file is damaged (a checksum inside it does not match)")
        if kind == b"IHDR" and start > len(PNG_SIGNATURE):
            raise BadImageError("the file is damaged (it has two headers)")
        if kind == b"PLTE" and colour == _PALETTE:
            if palette is not None or compressed or length % 3 or not 3 <= length <= 3 * 2**bits:
                raise BadImageError("the file is damaged (its palette)")
            palette = length
        if kind == b"eXIf":
            orientation = exif_orientation(content[start + 8 : start + 8 + length])
        if kind == b"IDAT":
            if colour == _PALETTE and palette is None:
                raise BadImageError("the file is damaged (it has no palette)")
            compressed += length
    unpacked = height * (1 + (width * bits * _CHANNELS[colour] + 7) // 8)
    if unpacked > _MOST_INFLATION * compressed:
        raise BadImageError(f"the file is damaged (it says {width}x{height}, but is too small for it)")
    return upright(height, width, max(bits, 8), orientation)


def plain_png(content: bytes) -> bytes:
    """Returns the file without what is not needed, over which libpng would complain on the terminal."""
    colour = _read_ihdr(content)[3]
    needed = {b"IHDR", b"IDAT", b"IEND"} | ({b"PLTE"} if colour == _PALETTE else set())
    chunks = list(_chunks(content))
    if all(kind in needed for _, _, kind in chunks):
        return content
    view = memoryview(content)
    kept = [view[start : start + length + 12] for start, length, kind in chunks if kind in needed]
    return b"".join([PNG_SIGNATURE, *kept])


def _read_ihdr(content: bytes) -> tuple[int, int, int, int]:
    """Returns width, height, bits and colour type."""
    length, kind, width, height, bits, colour, *methods = struct.unpack_from(">I4sIIBBBBB", content, len(PNG_SIGNATURE))
    if kind != b"IHDR" or length != 13 or bits not in _DEPTHS.get(colour, ()) or methods not in ([0, 0, 0], [0, 0, 1]):
        raise BadImageError("the file is damaged (its header)")
    return width, height, bits, colour


def _chunks(content: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yields (start, data length, type) of each chunk up to IEND."""
    start = len(PNG_SIGNATURE)
    for _ in range(MOST_PARTS):
        length, kind = struct.unpack_from(">I4s", content, start)
        yield start, length, kind
        start += length + 12
        if start > len(content):
            raise BadImageError("the file is cut off")
        if kind == b"IEND":
            return
    raise BadImageError(f"it has more than {MOST_PARTS} chunks")


FORMAT = Format("PNG", (".png",), (PNG_SIGNATURE,), read_png, plain_png, deep=True)
