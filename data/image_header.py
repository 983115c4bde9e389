"""What a picture file says about itself before it is decoded: format, size, depth, and whether it is all there.

OpenCV decodes a truncated JPEG to a half-grey picture and lets libpng write to the terminal. Looking at the bytes
first turns both into one clear line, and keeps a small file that claims to be gigantic from being unpacked.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"eXIf"}
_JPEG_START_OF_SCAN = 0xDA
_JPEG_END_OF_IMAGE = b"\xff\xd9"
_JPEG_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_ALONE = {0x01, *range(0xD0, 0xDA)}
_TIFF_INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}


class BadPictureError(ValueError):
    """The bytes are not a whole picture of a known format. The message says what is wrong, without the file's name."""


@dataclass(frozen=True)
class Header:
    """Size and depth as stored, before any EXIF rotation.

    Attributes:
        height: rows.
        width: columns.
        bits: bits per channel.
    """

    height: int
    width: int
    bits: int


def read_header(content: bytes) -> Header:
    """Reads size and depth from a whole PNG, JPEG, TIFF or BMP file.

    Raises:
        BadPictureError: another format, or a file that is cut off or damaged.
    """
    if not content:
        raise BadPictureError("the file is empty")
    try:
        if content.startswith(_PNG):
            return _read_png(content)
        if content.startswith(b"\xff\xd8\xff"):
            return _read_jpeg(content)
        if content[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return _read_tiff(content)
        if content.startswith(b"BM"):
            return _read_bmp(content)
    except (struct.error, IndexError) as error:
        raise BadPictureError("the file is cut off") from error
    raise BadPictureError("not a PNG, JPEG, TIFF or BMP picture")


def plain_png(content: bytes) -> bytes:
    """Returns a PNG without its optional chunks, over which libpng would complain on the terminal.

    Transparency and EXIF orientation stay; files of other formats come back as they are.
    """
    if not content.startswith(_PNG):
        return content
    return _PNG + b"".join(
        content[start : start + length + 12] for start, length, kind in _png_chunks(content) if kind in _PNG_KEPT
    )


def _png_chunks(content: bytes) -> list[tuple[int, int, bytes]]:
    """Returns (start, data length, type) of each chunk up to IEND."""
    chunks = []
    start = len(_PNG)
    while start < len(content):
        length, kind = struct.unpack_from(">I4s", content, start)
        (checksum,) = struct.unpack_from(">I", content, start + 8 + length)
        if kind in _PNG_KEPT and zlib.crc32(memoryview(content)[start + 4 : start + 8 + length]) != checksum:
            raise BadPictureError("the file is damaged (a checksum inside it does not match)")
        chunks.append((start, length, kind))
        if kind == b"IEND":
            return chunks
        start += length + 12
    raise BadPictureError("the file is cut off")


def _read_png(content: bytes) -> Header:
    chunks = _png_chunks(content)
    if chunks[0][2] != b"IHDR":
        raise BadPictureError("the file is damaged (it has no header)")
    width, height, bits = struct.unpack_from(">IIB", content, chunks[0][0] + 8)
    return Header(height, width, bits)


def _read_jpeg(content: bytes) -> Header:
    header = None
    position = 2
    while True:
        if content[position] != 0xFF:
            raise BadPictureError("the file is damaged")
        marker = content[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if marker in _JPEG_ALONE:
            position += 2
            continue
        (length,) = struct.unpack_from(">H", content, position + 2)
        if marker in _JPEG_FRAMES:
            bits, height, width = struct.unpack_from(">BHH", content, position + 4)
            header = Header(height, width, bits)
        position += 2 + length
        if marker == _JPEG_START_OF_SCAN:
            break
    # Inside the scans 0xFF is always followed by 0x00 or a marker, so that the end marker cannot occur by chance.
    if content.find(_JPEG_END_OF_IMAGE, position) < 0:
        raise BadPictureError("the file is cut off")
    if header is None:
        raise BadPictureError("the file is damaged (it has no header)")
    return header


def _read_tiff(content: bytes) -> Header:
    order = "<" if content.startswith(b"II") else ">"
    big = content[2:4] in (b"+\0", b"\0+")
    (directory,) = struct.unpack_from(order + ("Q" if big else "I"), content, 8 if big else 4)
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), content, directory)
    first, step, inline = (directory + 8, 20, 8) if big else (directory + 2, 12, 4)
    values = {256: 0, 257: 0, 258: 1}
    for entry in range(first, first + step * count, step):
        tag, kind = struct.unpack_from(order + "HH", content, entry)
        if tag in values and kind in _TIFF_INTEGERS:
            (number,) = struct.unpack_from(order + ("Q" if big else "I"), content, entry + 4)
            place = entry + (12 if big else 8)
            letter = _TIFF_INTEGERS[kind]
            if number * struct.calcsize(letter) > inline:
                (place,) = struct.unpack_from(order + ("Q" if big else "I"), content, place)
            (values[tag],) = struct.unpack_from(order + letter, content, place)
    return Header(values[257], values[256], values[258])


def _read_bmp(content: bytes) -> Header:
    (size,) = struct.unpack_from("<I", content, 14)
    width, height = struct.unpack_from("<HH" if size == 12 else "<ii", content, 18)
    return Header(abs(height), width, 8)
