"""Opening files of weights without trusting them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file as load_safetensors

from util.errors import UserError


def load_file(path: Path) -> Mapping[str, Any]:
    """Opens a .pth or .safetensors file safely: tensors and plain values only, never code.

    Raises:
        UserError: the file is broken, holds something else than a dictionary, or holds code.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old formats; what cannot be read ends in an error below
            if path.suffix == ".safetensors":
                return load_safetensors(path)
            content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Exception as error:  # a damaged file can fail anywhere inside the unpickler
        # torch's own message would advise to open the file unsafely.
        empty = path.stat().st_size == 0
        what = "the file is empty" if empty else "damaged, cut off, or holding more than tensors and plain values"
        raise UserError(f"{path}: cannot be opened safely as weights ({what})") from error
    if not isinstance(content, Mapping):
        raise UserError(f"{path}: holds a {type(content).__name__}, expected a dictionary of weights")
    return content
