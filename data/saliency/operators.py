"""Saliency operators without weights: how much each pixel of a photograph draws the eye, in [0, 1]."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

_contrib: Any = cv2.saliency  # its type stubs lack the functions
SaliencyMap = npt.NDArray[np.float32]
_Operator = Callable[[npt.NDArray[np.uint8]], SaliencyMap]
_WINDOW = 3.0  # sigma of what is local for `gradient`, in pixels


def spectral(photo: npt.NDArray[np.uint8]) -> SaliencyMap:
    """Spectral residual (Hou & Zhang, CVPR 2007): what is unexpected in the log spectrum. OpenCV contrib's, at 64x64.

    As with all of these, of a photograph `uint8` (H, W, 3) RGB a map `float32` (H, W) in [0, 1].
    """
    return _compute(_contrib.StaticSaliencySpectralResidual_create(), photo)


def fine(photo: npt.NDArray[np.uint8]) -> SaliencyMap:
    """Fine-grained (Montabone & Soto, Image and Vision Computing 28, 2010): differences of centre and surround.

    OpenCV contrib's, at full size.
    """
    return _compute(_contrib.StaticSaliencyFineGrained_create(), photo)


def gradient(photo: npt.NDArray[np.uint8]) -> SaliencyMap:
    """Local gradient energy of the luma: |∇Y|², averaged over a Gaussian window, relative to its largest value."""
    # OpenCV's grey: whole levels, by which these maps are defined, not `util.images.colour.luma` in floats.
    luma = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY).astype(np.float32)
    along, down = cv2.Sobel(luma, cv2.CV_32F, 1, 0), cv2.Sobel(luma, cv2.CV_32F, 0, 1)
    energy = cv2.GaussianBlur(along**2 + down**2, (0, 0), _WINDOW)
    return (energy / max(energy.max(), 1.0)).astype(np.float32, copy=False)  # at most 0 in an image of one level


OPERATORS: Mapping[str, _Operator] = MappingProxyType({"spectral": spectral, "fine": fine, "gradient": gradient})


def _compute(operator: Any, photo: npt.NDArray[np.uint8]) -> SaliencyMap:
    _, found = operator.computeSaliency(cv2.cvtColor(photo, cv2.COLOR_RGB2BGR))
    return np.clip(found, 0, 1, dtype=np.float32)
