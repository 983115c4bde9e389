"""What the readers of image headers share: what a file says about itself, and that it is not whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

MOST_PARTS = 2**20  # chunks, segments or tags; more are no image, but would keep a reader busy for minutes


class BadImageError(ValueError):
    """The bytes are not a whole image of a kind that is read. The message is without the file's name."""


@dataclass(frozen=True)
class Header:
    """What `util.images.image_io.read_image` will return for a file.

    Attributes:
        height: rows, after the EXIF orientation is applied.
        width: columns, after the EXIF orientation is applied.
        bits: bits per channel of the array: 8 or 16.
        orientation: EXIF orientation, 1 to 8 (5 to 8 swap the sides).
        inverted: the decoder returns 0 for white, which has to be turned round.
    """

    height: int
    width: int
    bits: int
    orientation: int = 1
    inverted: bool = False


@dataclass(frozen=True)
class Format:
    """An image format; `util.images.formats.header.FORMATS` lists them all.

    Attributes:
        name: its name in messages.
        extensions: of its files, in lower case, with dot.
        signatures: how the content of its files begins.
        read: reads the header of a whole file; raises `BadImageError`, or `struct.error` or `IndexError` at its end.
        plain: returns a file in the form that OpenCV decodes rightly and quietly, where that is not the file itself.
        deep: it holds 16 bits per channel.
    """

    name: str
    extensions: tuple[str, ...]
    signatures: tuple[bytes, ...]
    read: Callable[[bytes], Header]
    plain: Callable[[bytes], bytes | bytearray] = bytes
    deep: bool = False


def upright(
    stored_height: int, stored_width: int, bits: int, orientation: int = 1, *, inverted: bool = False
) -> Header:
    """Returns the header of an image from its size as stored; an orientation that does not exist counts as 1."""
    orientation = orientation if 1 <= orientation <= 8 else 1
    height, width = (stored_width, stored_height) if orientation >= 5 else (stored_height, stored_width)
    return Header(height, width, bits, orientation, inverted)
