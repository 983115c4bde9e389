"""The header of a TIFF file (TIFF, revision 6.0, Adobe 1992; BigTIFF), and the orientation in an EXIF block.

EXIF is a TIFF directory without an image, which is why it is read here.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from util.images.formats.types import MOST_PARTS, BadImageError, Format, Header, upright

TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 16: "Q", 17: "q"}

_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _ORIENTATION, _SAMPLES = 256, 257, 258, 262, 274, 277
_PLANES, _TILE_WIDTH, _TILE_HEIGHT, _EXTRA, _FORMAT = 284, 322, 323, 338, 339
_COMPRESSION, _STRIPS, _STRIP_SIZES, _TILES, _TILE_SIZES = 259, 273, 279, 324, 325
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_COLOURS = (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR)
_COMPRESSIONS = (1, 2, 3, 4, 5, 7, 8, 32773, 32946)  # none, fax (three kinds), LZW, JPEG, deflate, PackBits, deflate
_MOST_SAMPLES = 4
_ALPHA, _MULTIPLIED_ALPHA = 2, 1
_MOST_TILE_PIXELS = 2**26


@dataclass(frozen=True)
class _Field:
    """The first number of a tag, where and how it is stored, and how many there are."""

    value: int
    place: int
    code: str
    count: int

    def all_values(self, content: bytes) -> tuple[int, ...]:
        """Returns all numbers of the tag."""
        if self.count > MOST_PARTS:
            raise BadImageError(f"the file is damaged (it says that it has {self.count} parts)")
        return struct.unpack_from(f"{self.code[0]}{self.count}{self.code[1]}", content, self.place)


def read_tiff(content: bytes) -> Header:
    """Reads the header of the first page.

    Raises:
        BadImageError: a kind of TIFF that is not read.
        struct.error: the file is cut off.
    """
    fields = _read_directory(content)

    def get(tag: int, default: int) -> int:
        return fields[tag].value if tag in fields else default

    width, height, bits, samples = get(_WIDTH, 0), get(_HEIGHT, 0), get(_BITS, 1), get(_SAMPLES, 1)
    photometric = get(_PHOTOMETRIC, -1)
    if get(_COMPRESSION, 1) not in _COMPRESSIONS:
        raise BadImageError("its compression is not one that is read: save it without, or with LZW or deflate")
    if photometric not in _COLOURS or samples > _MOST_SAMPLES:
        raise BadImageError(
            f"its colours (photometric {photometric}, {samples} per pixel) are not read: save it as grey, RGB or RGBA"
        )
    if get(_FORMAT, 1) != 1:
        raise BadImageError("it holds signed or floating-point values: save it with 8 or 16 bits, unsigned")
    if bits not in (1, 8, 16):
        raise BadImageError(f"it has {bits} bits per channel: save it with 8 or 16 bits")
    if get(_TILE_WIDTH, 1) * get(_TILE_HEIGHT, 1) > _MOST_TILE_PIXELS:
        raise BadImageError(f"the file is damaged (tiles of {get(_TILE_WIDTH, 1)}x{get(_TILE_HEIGHT, 1)})")
    if bits == 16:
        channels = {_WHITE_IS_ZERO: (1,), _BLACK_IS_ZERO: (1,), _RGB: (3, 4)}.get(photometric, ())
        if samples not in channels or (samples > 1 and get(_PLANES, 1) != 1):
            raise BadImageError("a TIFF of 16 bits is read as grey, RGB or RGBA with interleaved channels only")
    _check_pixels(content, fields)
    inverted = bits == 16 and photometric == _WHITE_IS_ZERO
    return upright(height, width, max(bits, 8), get(_ORIENTATION, 1), inverted=inverted)


def _check_pixels(content: bytes, fields: Mapping[int, _Field]) -> None:
    """Checks that the strips or tiles lie within the file."""
    places, sizes = (_TILES, _TILE_SIZES) if _TILES in fields else (_STRIPS, _STRIP_SIZES)
    if places not in fields:
        raise BadImageError("the file is damaged (it does not say where its pixels are)")
    starts = fields[places].all_values(content)
    lengths = fields[sizes].all_values(content) if sizes in fields else (1,) * len(starts)  # libtiff finds them itself
    pairs = zip(starts, lengths, strict=False)  # lists of unequal lengths are for the decoder to judge
    if any(start < 0 or length < 0 or start + length > len(content) for start, length in pairs):
        raise BadImageError("the file is cut off")


def plain_tiff(content: bytes) -> bytes | bytearray:
    """Returns the file without orientation, and with its alpha marked so that libtiff does not multiply by it."""
    fields = _read_directory(content)
    changes = [(fields[_ORIENTATION], 1)] if _ORIENTATION in fields else []
    if _EXTRA in fields and fields[_EXTRA].value == _ALPHA:
        changes.append((fields[_EXTRA], _MULTIPLIED_ALPHA))
    changes = [(field, value) for field, value in changes if field.value != value]
    if not changes:
        return content
    changed = bytearray(content)
    for field, value in changes:
        struct.pack_into(field.code, changed, field.place, value)
    return changed


def exif_orientation(block: bytes) -> int:
    """Returns the orientation that an EXIF block names, or 1; a damaged block says nothing."""
    try:
        field = _read_directory(block).get(_ORIENTATION)
    except (struct.error, BadImageError):
        return 1
    return field.value if field else 1


def _read_directory(content: bytes) -> dict[int, _Field]:
    """Returns the integer fields of the first directory; of a tag that occurs twice, the first, as libtiff does."""
    order = "<" if content.startswith(b"II") else ">"
    big = content[2:4] in (b"+\0", b"\0+")
    word, entry_size, inline = (order + "Q", 20, 8) if big else (order + "I", 12, 4)
    directory = _number(content, word, 8 if big else 4)
    count = _number(content, order + ("Q" if big else "H"), directory)
    if count > MOST_PARTS:
        raise BadImageError(f"the file is damaged ({count} tags)")
    first = directory + (8 if big else 2)
    fields: dict[int, _Field] = {}
    for entry in range(first, first + entry_size * count, entry_size):
        tag, kind = struct.unpack_from(order + "HH", content, entry)
        if kind not in _INTEGERS or tag in fields:
            continue
        number = _number(content, word, entry + 4)
        code = order + _INTEGERS[kind]
        place = entry + (12 if big else 8)
        if number * struct.calcsize(code) > inline:
            place = _number(content, word, place)
        if number:
            fields[tag] = _Field(_number(content, code, place), place, code, number)
    return fields


def _number(content: bytes, code: str, place: int) -> int:
    """Reads one number; unlike `struct`, it takes a place of 64 bits outside the file for what it is."""
    if place > len(content):
        raise struct.error("outside the file")
    (number,) = struct.unpack_from(code, content, place)
    return int(number)


FORMAT = Format("TIFF", (".tif", ".tiff"), TIFF_SIGNATURES, read_tiff, plain_tiff, deep=True)
