"""The only file that opens or writes pictures.

Pictures are `uint8` arrays, RGB, (H, W, 3). OpenCV decodes and encodes; files are read and written as bytes, so that
any path works, and looked at before they are decoded (`data.image_header`).
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from data.files import list_files
from data.image_header import BadPictureError, Header, plain_png, read_header
from util.errors import UserError
from util.files import write_atomically

IMAGE_EXTENSIONS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
MAX_PIXELS = 2**28  # 16384 x 16384; decoded, that is 0.8 GB

# A damaged file ends in a UserError; what OpenCV prints about it besides would only repeat it.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def list_images(folder: str | Path) -> list[Path]:
    """Returns the pictures of a folder in natural order (img2 before img10).

    Hidden files and links that lead out of the folder are left out; sub-folders are not searched.

    Raises:
        UserError: the folder does not exist or cannot be read.
    """
    return list_files(Path(folder), IMAGE_EXTENSIONS)


def read_image(path: str | Path) -> npt.NDArray[np.uint8]:
    """Reads a picture of 8 bits per channel; EXIF orientation is applied, transparency dropped.

    Args:
        path: a PNG, JPEG, TIFF or BMP file.

    Returns:
        `uint8` (H, W, 3) RGB; a grey picture is replicated.

    Raises:
        UserError: the file is missing, empty, cut off, damaged, no picture, too large, or has more than 8 bits.
    """
    path = Path(path)
    content, _ = _load(path, most_bits=8)
    picture = _decode(path, content, cv2.IMREAD_COLOR)
    return picture.astype(np.uint8, copy=False)


def read_labels(path: str | Path) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """Reads a picture whose values are labels: 8 or 16 bits, as stored.

    Returns:
        `uint8` or `uint16`, (H, W, 3) RGB; one channel is replicated.

    Raises:
        UserError: as for `read_image`, and for a depth other than 8 or 16 bits.
    """
    path = Path(path)
    content, _ = _load(path, most_bits=16)
    picture = _decode(path, content, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    if picture.dtype not in (np.uint8, np.uint16):
        raise UserError(f"{path} holds {picture.dtype} values: labels have 8 or 16 bits")
    return picture


def probe_image(path: str | Path, *, labels: bool = False) -> tuple[int, int]:
    """Checks a picture file without decoding it.

    Args:
        path: a PNG, JPEG, TIFF or BMP file.
        labels: it is meant for `read_labels`, not for `read_image`.

    Returns:
        Height and width as stored; an EXIF rotation may swap them.

    Raises:
        UserError: what `read_image` raises, but for damage that only decoding shows.
    """
    _, header = _load(Path(path), most_bits=16 if labels else 8)
    return header.height, header.width


def write_image(path: str | Path, array: npt.NDArray[np.uint8]) -> None:
    """Writes a picture whole or not at all; the format is the extension's, PNG where there is none.

    Args:
        path: the file to make; missing folders are made.
        array: `uint8`, (H, W, 3) RGB or (H, W) grey.

    Raises:
        UserError: an unknown extension, or a place that cannot be written to.
    """
    path = Path(path)
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        raise ValueError(f"expected a uint8 array (H, W, 3) or (H, W), got {array.dtype} {array.shape}")
    if not path.suffix:
        path = path.with_name(f"{path.name}.png")
    if path.suffix.lower() not in IMAGE_EXTENSIONS:
        raise UserError(f"cannot write {path}: the extension is not one of {', '.join(IMAGE_EXTENSIONS)}")
    bgr = array if array.ndim == 2 else cv2.cvtColor(array, cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(path.suffix.lower(), bgr)
    if not done:
        raise UserError(f"cannot write {path}: encoding it failed")
    write_atomically(path, encoded.tofile)


def _load(path: Path, most_bits: int) -> tuple[bytes, Header]:
    """Returns the file's bytes, ready for OpenCV, and what its header says."""
    if not path.is_file():
        raise UserError(f"no such picture: {path}")
    try:
        content = path.read_bytes()
        header = read_header(content)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    except BadPictureError as error:
        raise UserError(f"cannot read {path}: {error}") from error
    if header.width < 1 or header.height < 1:
        raise UserError(f"cannot read {path}: the file is damaged (it says it is {header.width}x{header.height})")
    if header.width * header.height > MAX_PIXELS:
        raise UserError(
            f"{path} is {header.width}x{header.height}: more than {MAX_PIXELS} pixels are not read; scale it down"
        )
    if header.bits > most_bits:
        raise UserError(f"{path} has {header.bits} bits per channel: save it with {most_bits} bits")
    return plain_png(content), header


def _decode(path: Path, content: bytes, flags: int) -> npt.NDArray:
    """Decodes to RGB (H, W, 3), or to (H, W) where the flags ask for grey."""
    try:
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    except cv2.error as error:
        raise UserError(f"cannot read {path}: OpenCV cannot decode it ({error.err or 'unknown reason'})") from error
    if picture is None:
        raise UserError(f"cannot read {path}: the file is damaged, or of a kind that OpenCV cannot decode")
    return picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
