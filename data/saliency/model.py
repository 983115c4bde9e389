"""Saliency maps from a user's model: TorchScript, or ONNX by way of OpenCV."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from data.saliency.operators import SaliencyMap
from util.errors import UserError

_Predict = Callable[[npt.NDArray[np.float32]], npt.NDArray]
_TOLERANCE = 1e-3  # of a model's values beyond [0, 1]
_NO_ONNX = "--saliency {} is no ONNX model that OpenCV can open"
# OpenCV's reader can be brought down by a damaged file, and the process with it; what it raises is said elsewhere.
_ONNX_TRIAL = """
import sys, cv2, numpy
try:
    network = cv2.dnn.readNetFromONNX(numpy.fromfile(sys.argv[1], numpy.uint8))
    network.setInput(numpy.zeros((1, 3, 64, 64), numpy.float32))
    network.forward()
except Exception:
    pass
"""


def predict_saliency(model: Path, photo: npt.NDArray[np.uint8]) -> SaliencyMap:
    """Applies a model to a photograph, on the CPU.

    Args:
        model: a file that `torch.jit.save` wrote or, with the extension .onnx, an ONNX file; opened when it is first
            needed. Its input is a `float32` tensor (1, 3, H, W), RGB in [0, 1], its one output (1, 1, H, W) or
            (1, H, W), in [0, 1]. A TorchScript file is a program: use only those you trust. Its random numbers are
            the same for every photograph.
        photo: `uint8` (H, W, 3) RGB.

    Returns:
        `float32` (H, W) in [0, 1].

    Raises:
        UserError: no such file, no model, or one that cannot be applied or gives something else.
    """
    height, width = photo.shape[:2]
    planes = np.ascontiguousarray(photo.transpose(2, 0, 1)[None], np.float32) / np.float32(255)
    predict = _open_model(model, os.getpid())
    try:
        found = predict(planes)
    except UserError:
        raise
    except Exception as error:  # a model may fail in any way
        raise UserError(
            f"--saliency {model} cannot be applied to a photograph of {width}x{height}: {_last_line(error)}"
        ) from error
    if found.shape not in ((1, 1, height, width), (1, height, width)):
        raise UserError(
            f"--saliency {model} gives {found.shape} for a photograph of {width}x{height}, "
            f"expected (1, 1, {height}, {width}) or (1, {height}, {width})"
        )
    if not (found.min() >= -_TOLERANCE and found.max() <= 1 + _TOLERANCE):  # NaN is neither
        raise UserError(f"--saliency {model} gives values from {found.min()} to {found.max()}, expected 0 to 1")
    return np.clip(found.reshape(height, width), 0, 1, dtype=np.float32)


def check_model(model: Path) -> None:
    """Raises `UserError` unless the file is there and can be opened as a model."""
    if model.is_file() and _is_onnx(model):
        trial = subprocess.run([sys.executable, "-c", _ONNX_TRIAL, str(model)], capture_output=True, check=False)
        if trial.returncode:
            raise UserError(_NO_ONNX.format(model))
    _open_model(model, os.getpid())


@functools.lru_cache(maxsize=1)
def _open_model(path: Path, process: int) -> _Predict:
    """Opens a model once in each process: what a forked one inherits is its parent's, with threads that it lacks."""
    del process
    if not path.is_file():
        raise UserError(f"--saliency {path}: no such file")
    return _open_onnx(path) if _is_onnx(path) else _open_torchscript(path)


def _is_onnx(path: Path) -> bool:
    return path.suffix.lower() == ".onnx"


def _open_onnx(path: Path) -> _Predict:
    try:
        # From memory: a file opened by its name could have its weights read from other files.
        network = cv2.dnn.readNetFromONNX(np.fromfile(path, np.uint8))
        outputs = network.getUnconnectedOutLayersNames()
    except (cv2.error, OSError) as error:
        raise UserError(_NO_ONNX.format(path)) from error
    if len(outputs) != 1:
        raise UserError(f"--saliency {path} has {len(outputs)} outputs, expected one, the saliency map")

    def predict(planes: npt.NDArray[np.float32]) -> npt.NDArray:
        network.setInput(planes)
        return network.forward()

    return predict


def _open_torchscript(path: Path) -> _Predict:
    import torch  # noqa: PLC0415  (takes seconds, and nothing else here needs it)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch would rather have files of torch.export
            module = torch.jit.load(path, map_location="cpu").eval()
    except Exception as error:  # a damaged file can fail anywhere
        raise UserError(
            f"--saliency {path} is no model that torch.jit.save wrote (ONNX models are named .onnx)"
        ) from error

    def predict(planes: npt.NDArray[np.float32]) -> npt.NDArray:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # the order of a sum, and with it the last bit of a sample, depends on their number
        try:
            # Optimised, the first calls would differ from the later ones in the last bit, too.
            with torch.random.fork_rng(devices=[]), torch.inference_mode(), torch.jit.optimized_execution(False):
                torch.manual_seed(0)  # a model that draws must not take from the training's numbers, nor depend on them
                found = module(torch.from_numpy(planes))
        finally:
            torch.set_num_threads(threads)
        if not isinstance(found, torch.Tensor):
            raise UserError(f"--saliency {path} gives a {type(found).__name__}, expected one tensor")
        return found.float().numpy()

    return predict


def _last_line(error: Exception) -> str:
    """The end of a traceback is where TorchScript says what is wrong."""
    return next(iter(reversed(str(error).strip().splitlines())), type(error).__name__)
