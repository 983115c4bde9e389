"""What the tests of scripts/make_patches.py share: small scenes, the command, and a look into HDF5 files."""

import zlib

import h5py
import numpy as np

from scripts.make_patches import main
from tests.data.helpers import save
from util.errors import run_command

SMALL = ["--size", 16, "--stride", 20]
STEMS = ("p1", "p2", "p9", "p10")


def runner(capfd):
    """The command within this process: quick, and as a user would see it."""

    def call(*words):
        capfd.readouterr()
        code = run_command(main, [str(word) for word in words])
        return code, *capfd.readouterr()

    return call


def make_scenes(folder):
    """Four scenes of 77x57: grey infrared, coloured visible, one window without contrast in each modality."""
    rng = np.random.default_rng(7)
    for stem in STEMS:
        infrared, visible = rng.integers(0, 256, (57, 77)), rng.integers(0, 256, (57, 77, 3))
        infrared[20:36, 40:56] = 120
        visible[40:56, 0:16] = 10
        save(folder / "ir" / f"{stem}.png", infrared.astype(np.uint8))
        save(folder / "vi" / f"{stem}.png", visible.astype(np.uint8))
    return folder


def arguments(source, out="out.h5"):
    return ["--sources", source / "ir", source / "vi", "--out", source / out, *SMALL]


def contents(path):
    with h5py.File(path, "r") as file:
        found = {}
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
        return found, dict(file.attrs)


def assert_bad_input(result, *words):
    code, stdout, stderr = result
    assert code == 2
    assert stdout == ""
    *noise, line = stderr.splitlines()
    assert line.startswith("error: ")
    assert all(other.startswith("libpng error: ") for other in noise), "a decoder may say so itself"
    assert [word for word in words if str(word) not in line] == []


def damaged(source, stem):
    """An image whose damage only decoding shows: its sums are right, but what is packed in it is not."""
    path = source / "vi" / f"{stem}.png"
    content = path.read_bytes()
    start = content.index(b"IDAT") - 4
    size = int.from_bytes(content[start : start + 4], "big")
    data = b"IDAT" + bytes(size)
    sums = zlib.crc32(data).to_bytes(4, "big")
    path.write_bytes(content[: start + 4] + data + sums + content[start + 12 + size :])
    return path
