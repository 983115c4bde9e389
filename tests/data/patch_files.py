"""HDF5 files of patches, written without the code under test."""

import h5py
import numpy as np


def random_pairs(count, side=16, seed=0):
    """(count, 2, side, side) float32 in [0, 1)."""
    return np.random.default_rng(seed).random((count, 2, side, side), np.float32)


def write_published(path, pairs):
    """As SMFNet's release lays patches out: a group per modality, a dataset per patch, named by its number."""
    with h5py.File(path, "w") as file:
        infrared, visible = file.create_group("ir_patchs"), file.create_group("vis_patchs")
        for number, (ir, vi) in enumerate(pairs):
            infrared.create_dataset(str(number), data=ir[None], dtype=ir.dtype, shape=(1, *ir.shape))
            visible.create_dataset(str(number), data=vi[None], dtype=vi.dtype, shape=(1, *vi.shape))
    return path


def write_ours(path, pairs, **settings):
    with h5py.File(path, "w") as file:
        for part, name in enumerate(("ir", "vi")):
            file.create_dataset(name, data=pairs[:, part, None], chunks=(1, 1, *pairs.shape[2:]), **settings)
    return path


def read_as_published(path):
    """As the published loader does: a list of keys, and each pair by its key."""
    with h5py.File(path, "r") as file:
        keys = list(file["ir_patchs"].keys())
        return {key: (np.array(file["ir_patchs"][key]), np.array(file["vis_patchs"][key])) for key in keys}
