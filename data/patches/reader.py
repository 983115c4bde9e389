"""Reading pairs of patches from HDF5 files, without trusting them.

Two layouts are understood:

* ours: datasets `ir` and `vi`, each (N, 1, S, S), one chunk per patch;
* published: groups `ir_patchs` and `vis_patchs` (spelt so), in each one dataset (1, S, S) per patch, named 0, 1, …

Values are `float32` in [0, 1]. HDF5 can lead out of a file in four ways: external links, soft links (which may pass
through external ones), external storage and virtual datasets. None of them is followed.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import h5py
import numpy as np

from data.patches.cutter import LARGEST_PATCH, Patches
from util.errors import UserError
from util.files import find_folder, list_files

EXTENSIONS = (".h5", ".hdf5")
OURS, PUBLISHED = ("ir", "vi"), ("ir_patchs", "vis_patchs")
LAYOUTS = MappingProxyType({"ours": OURS, "published": PUBLISHED})  # --layout → infrared, visible
_KNOWN_FILTERS = frozenset(
    {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, h5py.h5z.FILTER_LZF}
)  # HDF5 would look for any other among the plug-ins that are installed
_LARGEST_CHUNK = 4 * LARGEST_PATCH**2  # bytes that are unpacked to read any part of a chunk


class PatchReader:
    """The pairs of patches of one file, opened read-only.

    A handle is never shared between processes: each one that reads opens the file for itself when it first does.

    Attributes:
        path: the file.
        layout: `ours` or `published`.
        side: of a patch, in pixels.
    """

    _file: h5py.File | None = None
    _modalities: Sequence[Any] = ()  # both datasets, or both groups
    _process = 0  # which opened the file

    def __init__(self, path: Path) -> None:
        """Looks at the file's structure and its first pair, and closes it again.

        Raises:
            UserError: no such file, no HDF5, or no patches in one of the two layouts.
        """
        self.path = path
        self.side = 0  # until the first patch tells
        if not path.is_file():
            raise UserError(f"no such file: {path}")
        try:
            self.read(0)
        finally:
            self.close()

    def __len__(self) -> int:
        return self._length

    def read(self, index: int) -> Patches:
        """Reads one pair.

        Args:
            index: 0 … len(self) − 1.

        Returns:
            (2, S, S) float32 in [0, 1], infrared and visible.

        Raises:
            UserError: the pair is missing, damaged, of another shape or out of range.
        """
        with _one_line_errors(self.path):
            if self._process != os.getpid():
                self._open()
            pair = np.stack([self._read_patch(modality, index) for modality in self._modalities])
        if not (pair.min() >= 0 and pair.max() <= 1):  # NaN is neither
            raise UserError(f"{self.path}: patch {index} has values out of [0, 1]")
        return pair

    def close(self) -> None:
        """Closes the file; the next `read` opens it again."""
        if self._file is not None:
            self._file.close()
        self._file, self._modalities, self._process = None, (), 0

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_file": None, "_modalities": (), "_process": 0}

    def _open(self) -> None:
        self.close()  # what a forked process inherited is its parent's
        self._file = h5py.File(self.path, "r")
        self.layout, shape = ("ours", "(N, 1, S, S)") if OURS[0] in self._file else ("published", None)
        self._modalities = [self._get(self._file, name, shape) for name in LAYOUTS[self.layout]]
        self._length, other = map(len, self._modalities)
        if self._length != other or not other:
            raise UserError(f"{self.path}: holds {self._length} infrared and {other} visible patches")
        self._process = os.getpid()

    def _read_patch(self, modality: Any, index: int) -> Patches:
        """One patch (S, S)."""
        ours = self.layout == "ours"
        dataset = modality if ours else self._get(modality, str(index), "(1, S, S)")
        self.side = self.side or dataset.shape[-1]
        if dataset.shape[-1] != self.side:
            raise UserError(f"{self.path}: {dataset.name} is {dataset.shape}, others have a side of {self.side}")
        patch: Patches = dataset[index, 0] if ours else dataset[0]
        return patch

    def _get(self, parent: h5py.Group, name: str, shape: str | None) -> Any:
        """A dataset of floats of the expected shape, or a group where that is None, if all of it lies in the file."""
        what, link = f"{self.path}: {parent.name.rstrip('/')}/{name}", parent.get(name, getlink=True)
        if link is None:
            raise UserError(
                f"{what} is missing: expected datasets {' and '.join(OURS)}, or groups {' and '.join(PUBLISHED)} with "
                "one dataset per patch, named 0, 1, …"
            )
        if not isinstance(link, h5py.HardLink):
            raise UserError(f"{what} is a link, which may lead anywhere: expected the data itself")
        found = parent[name]
        if not isinstance(found, h5py.Group if shape is None else h5py.Dataset):
            raise UserError(f"{what} is not a {'group' if shape is None else 'dataset'}")
        if shape is not None:
            _check_dataset(what, found, shape)
        return found


def _check_dataset(what: str, dataset: h5py.Dataset, expected: str) -> None:
    shape = dataset.shape
    if dataset.dtype != np.float32:
        raise UserError(f"{what} holds {dataset.dtype}, expected float32 in [0, 1]")
    fits = shape is not None and len(shape) == expected.count(",") + 1 and shape[-3] == 1 and shape[-1] == shape[-2]
    if not fits or not 1 <= shape[-1] <= LARGEST_PATCH:
        raise UserError(f"{what} is {shape}, expected {expected} with S from 1 to {LARGEST_PATCH}")
    if dataset.external or dataset.is_virtual:
        raise UserError(f"{what} keeps its values in other files: expected the data itself")
    plan = dataset.id.get_create_plist()
    if not {plan.get_filter(i)[0] for i in range(plan.get_nfilters())} <= _KNOWN_FILTERS:
        raise UserError(f"{what} is compressed in a way that is not read: expected gzip, lzf or none")
    if dataset.chunks and dataset.dtype.itemsize * math.prod(dataset.chunks) > _LARGEST_CHUNK:
        raise UserError(f"{what} has chunks {dataset.chunks}, which are too large: expected one per patch")


def find_patch_file(root: Path, phase: str) -> Path:
    """Returns a file of patches: root itself, or the only one in root/phase or in root.

    Raises:
        UserError: none, or more than one.
    """
    if root.is_file():
        return root
    folder = find_folder(root, phase)
    files = list_files(folder, EXTENSIONS)
    if len(files) != 1:
        there = f"holds {files[0].name}, {files[1].name}, …" if files else "holds none"
        raise UserError(f"expected one HDF5 file ({', '.join(EXTENSIONS)}) in {folder}, which {there}: name the file")
    return files[0]


def read_attributes(path: Path) -> dict[str, int | float | str]:
    """Returns the numbers and texts that are attached to the whole of a file.

    Raises:
        UserError: no HDF5 file.
    """
    with _one_line_errors(path), h5py.File(path, "r") as file:
        found = {name: np.asarray(value) for name, value in file.attrs.items()}
    return {name: value.item() for name, value in found.items() if value.ndim == 0}


@contextlib.contextmanager
def _one_line_errors(path: Path) -> Iterator[None]:
    """Turns whatever goes wrong inside of HDF5 into one line."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # a damaged file can fail anywhere
        raise UserError(f"cannot read {path} as HDF5: {' '.join(str(error).split())}") from error
