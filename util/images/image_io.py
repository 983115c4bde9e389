"""The only files that open or write images: this one and the headers beside it (`util.images.formats.header`).

Images are `uint8` or `uint16` arrays, RGB, (H, W, 3). OpenCV decodes and encodes; files are read and written as
bytes, so that any path works, and looked at before they are decoded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, overload

import cv2
import numpy as np
import numpy.typing as npt

from util.errors import UserError
from util.files import list_files, with_extension, write_atomically
from util.images.formats.header import FORMATS, plain_content, read_header
from util.images.formats.types import BadImageError, Header
from util.images.levels import Image, to_8_bits
from util.suggest import check_choice

USUAL_EXTENSION = ".png"  # of a name without one
IMAGE_EXTENSIONS = tuple(extension for known in FORMATS for extension in known.extensions)
DEEP_EXTENSIONS = tuple(extension for known in FORMATS if known.deep for extension in known.extensions)
MAX_PIXELS = 2**28  # 16384 x 16384; decoded, that is 0.8 GB (1.6 GB with 16 bits)
_DTYPES = {8: np.uint8, 16: np.uint16}
# Full chroma and a quality at which JPEG changes a level or two: a fused image is looked at closely.
_JPEG_OPTIONS = (cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)

# A damaged file ends in a UserError; what OpenCV prints about it besides would only repeat it.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def list_images(folder: str | Path) -> list[Path]:
    """Returns the images of a folder in natural order (img2 before img10).

    Hidden files and links that lead out of the folder are left out; sub-folders are not searched.

    Raises:
        UserError: the folder does not exist or cannot be read.
    """
    return list_files(Path(folder), IMAGE_EXTENSIONS)


def require_images(folder: Path, *, else_say: str = "") -> list[Path]:
    """Returns the images of a folder as `list_images` does.

    Raises:
        UserError: there are none; sub-folders that hold some are named, and `else_say` tells how these would be read.
    """
    found = list_images(folder)
    if found:
        return found
    inside = [path.name for path in sorted(folder.iterdir()) if path.is_dir() and list_images(path)]
    if not inside:
        raise UserError(f"no images in {folder}")
    names = ", ".join(inside[:4]) + (", …" if len(inside) > 4 else "")
    otherwise = f"; {else_say}" if else_say else ""
    raise UserError(f"no images in {folder} itself, but in {names}: name one of these{otherwise}")


@overload
def read_image(path: str | Path, *, bits: Literal[8]) -> npt.NDArray[np.uint8]: ...
@overload
def read_image(path: str | Path, *, bits: None = None) -> Image: ...
def read_image(path: str | Path, *, bits: Literal[8] | None = None) -> Image:
    """Reads an image; EXIF orientation is applied, transparency dropped.

    Args:
        path: an image file; of a TIFF the first page is read.
        bits: 8 turns values of 16 bits into 8 (v / 257, rounded); None leaves the depth as stored.

    Returns:
        (H, W, 3) RGB, `uint16` for PNG and TIFF files of 16 bits per channel, `uint8` for all others; a grey image
        is replicated.

    Raises:
        UserError: the file is missing, empty, cut off, damaged, no image, too large, or of a kind that is not read
            (floating point, 12 bits, ...).
    """
    path = Path(path)
    content, header = _load(path)
    plain = plain_content(content)
    del content  # of a large image it may be as large as the image
    image = _decode(path, plain, header)
    return to_8_bits(image) if bits == 8 else image


def probe_image(path: str | Path) -> Header:
    """Checks an image file without decoding it.

    Returns:
        Height, width and bits per channel of the array that `read_image` returns.

    Raises:
        UserError: what `read_image` raises, but for damage that only decoding shows.
    """
    return _load(Path(path))[1]


def write_image(path: str | Path, array: Image) -> None:
    """Writes an image whole or not at all; the format is the extension's, PNG where there is none.

    JPEG is written with quality 95 and full chroma; the other formats are lossless.

    Args:
        path: the file to make; missing folders are made.
        array: (H, W, 3) RGB or (H, W) grey, `uint8`, or `uint16` for PNG and TIFF.

    Raises:
        UserError: an unknown extension, 16 bits for a format of 8, or a place that cannot be written to.
    """
    path = Path(path)
    if array.dtype not in (np.uint8, np.uint16) or array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,)):
        raise ValueError(f"expected a uint8 or uint16 array (H, W, 3) or (H, W), got {array.dtype} {array.shape}")
    path = with_extension(path, USUAL_EXTENSION)
    extension = check_format(path, array.dtype)
    bgr = array if array.ndim == 2 else cv2.cvtColor(array, cv2.COLOR_RGB2BGR)
    try:
        done, encoded = cv2.imencode(extension, bgr, _JPEG_OPTIONS if extension in (".jpg", ".jpeg") else ())
    except cv2.error as error:
        raise UserError(f"cannot write {path}: {_reason(error)}") from error
    if not done:
        raise UserError(f"cannot write {path}: an image of {array.shape[1]}x{array.shape[0]} does not fit the format")
    write_atomically(path, encoded.tofile)


def check_format(path: Path, dtype: npt.DTypeLike) -> str:
    """Returns the extension of an image of `uint8` or `uint16` to write, in lower case; .png where it has none.

    Raises:
        UserError: an unknown extension, or 16 bits for a format of 8.
    """
    extension = path.suffix.lower() or USUAL_EXTENSION
    check_choice(f"cannot write {path}: the extension", extension, IMAGE_EXTENSIONS)
    if dtype == np.uint16:
        check_choice(f"cannot write {path} with 16 bits per channel: the extension", extension, DEEP_EXTENSIONS)
    return extension


def _load(path: Path) -> tuple[bytes, Header]:
    """Returns the file's bytes and what its header says."""
    try:
        if not path.is_file():
            raise UserError(f"no such image: {path}")
        content = path.read_bytes()
        header = read_header(content)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except BadImageError as error:
        raise UserError(f"cannot read {path}: {error}") from error
    if header.width < 1 or header.height < 1:
        raise UserError(f"cannot read {path}: the file is damaged (it says it is {header.width}x{header.height})")
    if header.width * header.height > MAX_PIXELS:
        raise UserError(
            f"{path} is {header.width}x{header.height}: more than {MAX_PIXELS} pixels are not read; scale it down"
        )
    return content, header


def _decode(path: Path, content: bytes | bytearray, header: Header) -> npt.NDArray:
    """Decodes to RGB (H, W, 3) with as few copies as can be: large images fill the memory."""
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error as error:
        raise UserError(f"cannot read {path}: {_reason(error)}") from error
    if image is None:
        raise UserError(f"cannot read {path}: the file is damaged, or of a kind that OpenCV cannot decode")
    upright = (header.height, header.width, 3)
    stored = upright if header.orientation < 5 else (header.width, header.height, 3)
    if image.shape != stored or image.dtype != _DTYPES[header.bits]:
        raise UserError(f"cannot read {path}: the file is damaged (it is not what its header says)")
    cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)
    if header.inverted:
        np.invert(image, out=image)
    return _turn(image, header.orientation)


def _turn(image: npt.NDArray, orientation: int) -> npt.NDArray:
    """Turns an image as stored upright (EXIF orientation, CIPA DC-008, table 5)."""
    if orientation >= 5:
        image = image.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


def _reason(error: cv2.error) -> str:
    """Returns OpenCV's reason in one line."""
    return f"OpenCV says {' '.join((error.err or 'nothing').split())}"
