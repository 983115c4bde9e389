"""The header of a JPEG file (ITU-T T.81; EXIF: CIPA DC-008)."""

from __future__ import annotations

import struct

from util.images.formats.tiff import exif_orientation
from util.images.formats.types import MOST_PARTS, BadImageError, Format, Header, upright

_ALONE = {0x01, *range(0xD0, 0xDA)}
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_HUFFMAN_FRAMES = {0xC0, 0xC1, 0xC2}
_FILL, _START_OF_SCAN, _APP1 = 0xFF, 0xDA, 0xE1
_END_OF_IMAGE = b"\xff\xd9"
_EXIF = b"Exif\0\0"
_MOST_PIXELS_PER_BYTE = 2048  # 512 at one bit per block of 8 x 8, four times that for odd sub-sampling
_MOST_SCANS = 100  # each goes over the whole image, however little it holds


def read_jpeg(content: bytes) -> Header:
    """Reads the segments before the first scan.

    Raises:
        BadImageError: the file is damaged or cut off, or a kind of JPEG that is not read.
        struct.error, IndexError: it ends within its header.
    """
    frame = None
    orientation = None
    position = 2
    for _ in range(MOST_PARTS):
        if content[position] != 0xFF:
            raise BadImageError("the file is damaged")
        marker = content[position + 1]
        if marker == _FILL or marker in _ALONE:
            position += 1 if marker == _FILL else 2
            continue
        (length,) = struct.unpack_from(">H", content, position + 2)
        if marker in _FRAMES and frame is None:
            frame = (marker, *struct.unpack_from(">BHH", content, position + 4))
        start, position = position + 4, position + 2 + length
        if marker == _APP1 and orientation is None and content.startswith(_EXIF, start):
            orientation = exif_orientation(content[start + len(_EXIF) : position])
        if marker == _START_OF_SCAN:
            return _check_scans(content, position, frame, orientation or 1)
    raise BadImageError(f"it has more than {MOST_PARTS} segments")


def _check_scans(content: bytes, position: int, frame: tuple[int, ...] | None, orientation: int) -> Header:
    """Checks what follows the first scan's header, at `position`; `frame` is (marker, bits, height, width)."""
    # Inside the scans 0xFF is always followed by 0x00 or a marker, so that these markers cannot occur by chance.
    if content.find(_END_OF_IMAGE, position) < 0:
        raise BadImageError("the file is cut off")
    if frame is None:
        raise BadImageError("the file is damaged (it has no header)")
    marker, bits, height, width = frame
    if bits != 8:
        raise BadImageError(f"a JPEG of {bits} bits per channel is not read: save it with 8 bits, or as PNG or TIFF")
    if content.count(bytes([0xFF, _START_OF_SCAN]), position) >= _MOST_SCANS:
        raise BadImageError(f"the file is damaged (it has more than {_MOST_SCANS} scans)")
    if marker in _HUFFMAN_FRAMES and height * width > _MOST_PIXELS_PER_BYTE * len(content):
        raise BadImageError(f"the file is damaged (it says {width}x{height}, but is too small for it)")
    return upright(height, width, bits, orientation)


FORMAT = Format("JPEG", (".jpg", ".jpeg"), (b"\xff\xd8\xff",), read_jpeg)
