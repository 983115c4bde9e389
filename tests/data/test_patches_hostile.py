"""Files of patches from anybody: what is wrong is one line, and nothing outside of the file is read."""

import contextlib
import subprocess
import sys

import h5py
import numpy as np
import pytest

from data.patches.reader import PatchReader, read_attributes
from tests.data.patch_files import random_pairs, write_ours, write_published
from util.errors import UserError

PLANE = np.full((1, 16, 16), 0.5, np.float32)


@pytest.fixture
def secret(tmp_path):
    """Another file, with everything a link could want."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    path = write_published(folder / "secret.h5", random_pairs(3))
    with h5py.File(path, "r+") as file:
        for name in ("ir", "vi"):
            file[name] = random_pairs(3)[:, :1]
    (folder / "secret.raw").write_bytes(np.full((3, 1, 16, 16), 0.25, np.float32).tobytes())
    return path


def refused(path, *words, index=None):
    with pytest.raises(UserError) as caught, contextlib.closing(PatchReader(path)) as file:
        assert index is not None, "expected the file itself to be refused"
        file.read(index)
    message = str(caught.value)
    assert "\n" not in message
    for word in (str(path), *words):
        assert word in message


def external_link(group, name, secret, shape):
    group[name] = h5py.ExternalLink(str(secret), f"{group.name}/{name}")


def soft_link(group, name, secret, shape):
    group.file["away"] = h5py.ExternalLink(str(secret), group.name)
    group[name] = h5py.SoftLink(f"/away/{name}")


def external_storage(group, name, secret, shape):
    where = [(str(secret.with_suffix(".raw")), 0, h5py.h5f.UNLIMITED)]
    group.create_dataset(name, shape, np.float32, external=where)


def virtual(group, name, secret, shape):
    layout = h5py.VirtualLayout(shape, np.float32)
    layout[:] = h5py.VirtualSource(str(secret), f"{group.name}/{name}", shape, np.float32)
    group.create_virtual_dataset(name, layout)


@pytest.mark.parametrize("way", [external_link, soft_link, external_storage, virtual])
@pytest.mark.parametrize("name", ["ir", "vi", "ir_patchs", "vis_patchs", "vis_patchs/2"])
def test_no_way_leads_out_of_the_file(tmp_path, secret, way, name, monkeypatch):
    monkeypatch.setenv("HDF5_EXTFILE_PREFIX", "")
    path, ours, link = tmp_path / "p.h5", name in ("ir", "vi"), way in (external_link, soft_link)
    (write_ours if ours else write_published)(path, random_pairs(3))
    with h5py.File(path, "r+") as file:
        group = file[name].parent
        del file[name]
        way(group, name.rpartition("/")[2], secret, (3, 1, 16, 16) if ours else (1, 16, 16))
        if name.endswith("_patchs") and not link:  # which are groups
            message = f"/{name} is not a group"
        else:
            message = f"/{name} is a link" if link else f"/{name} keeps its values in other files"
            assert len(file[name]) == (1 if name.endswith("/2") else 3), "HDF5 itself finds it"
    if name.endswith("/2"):
        assert PatchReader(path).read(1).shape == (2, 16, 16)
        refused(path, message, index=2)
    else:
        refused(path, message)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -0.01, 1.01, 255.0])
@pytest.mark.parametrize("write", [write_ours, write_published])
def test_values_out_of_range(tmp_path, write, value):
    pairs = random_pairs(3)
    pairs[2, 1, 5, 5] = value
    refused(write(tmp_path / "p.h5", pairs), "patch 2 has values out of [0, 1]", index=2)
    assert PatchReader(tmp_path / "p.h5").read(1).shape == (2, 16, 16)


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.uint8, np.int32, ">f4", "S4", h5py.string_dtype()])
@pytest.mark.parametrize("published", [False, True])
def test_other_kinds_of_values(tmp_path, dtype, published):
    path = tmp_path / "p.h5"
    with h5py.File(path, "w") as file:
        names = ("ir_patchs/0", "vis_patchs/0") if published else ("ir", "vi")
        for name in names:
            file.create_dataset(name, (1, 16, 16) if published else (1, 1, 16, 16), dtype)
    refused(path, names[0], "expected float32")


SHAPES = {
    "(N, 1, S, S)": [(16,), (16, 16), (3, 16, 16), (3, 2, 16, 16), (3, 1, 16, 17), (3, 1, 0, 0), (3, 1, 4097, 4097)],
    "(1, S, S)": [(16, 16), (2, 16, 16), (1, 1, 16, 16), (1, 16, 17), (1, 4097, 4097)],
}


@pytest.mark.parametrize(("expected", "shape"), [(key, shape) for key in SHAPES for shape in ((), None, *SHAPES[key])])
def test_other_shapes(tmp_path, expected, shape):
    names = ("ir", "vi") if expected.startswith("(N") else ("ir_patchs/0", "vis_patchs/0")
    with h5py.File(tmp_path / "p.h5", "w") as file:
        for name in names:
            empty = {"data": h5py.Empty("f4")} if shape is None else {"shape": shape, "dtype": "f4"}
            file.create_dataset(name, **empty)
    refused(tmp_path / "p.h5", f"/{names[0]}", f"expected {expected}")


def test_numbers_and_sizes_must_agree(tmp_path):
    pairs = random_pairs(4)
    path = write_ours(tmp_path / "a.h5", pairs)
    with h5py.File(path, "r+") as file:
        del file["vi"]
        file["vi"] = pairs[:3, 1, None]
    refused(path, "holds 4 infrared and 3 visible patches")
    with h5py.File(path, "r+") as file:
        del file["vi"]
        file["vi"] = pairs[:, 1, None, :8, :8]
    refused(path, "others have a side of 16")
    refused(write_ours(tmp_path / "none.h5", pairs[:0], maxshape=(None, 1, 16, 16)), "holds 0 infrared and 0 visible")
    path = write_published(tmp_path / "b.h5", pairs)
    with h5py.File(path, "r+") as file:
        del file["vis_patchs/3"]
    refused(path, "holds 4 infrared and 3 visible patches")
    with h5py.File(path, "r+") as file:
        file["vis_patchs/7"] = PLANE
    refused(path, "/vis_patchs/3 is missing", index=3)
    with h5py.File(path, "r+") as file:
        file["vis_patchs/3"] = PLANE[:, :8, :8]
        del file["vis_patchs/7"]
    refused(path, "others have a side of 16", index=3)


def test_other_contents(tmp_path):
    path = tmp_path / "p.h5"
    refused(path, "no such file")
    for content in (b"", b"nothing", b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + bytes(5000)):
        path.write_bytes(content)
        refused(path, "cannot read")
    with h5py.File(path, "w") as file:
        file["images"] = PLANE
    refused(path, "/ir_patchs is missing", "ir and vi", "vis_patchs")
    with h5py.File(path, "w") as file:
        file["ir"] = PLANE[None]
    refused(path, "/vi is missing")
    with h5py.File(path, "w") as file:
        file["ir"] = PLANE[None]
        file.create_group("vi")
    refused(path, "/vi is not a dataset")
    with h5py.File(path, "w") as file:
        file.create_group("ir_patchs/0")
        file.create_group("vis_patchs/0")
    refused(path, "/ir_patchs/0 is not a dataset")


def test_chunks_that_unpack_to_much_more(tmp_path):
    path = tmp_path / "p.h5"
    with h5py.File(path, "w") as file:
        for name in ("ir", "vi"):
            chunks = (2**15, 1, 64, 64)
            shape = {"shape": (2, 1, 64, 64), "maxshape": (None, 1, 64, 64)}
            file.create_dataset(name, dtype="f4", chunks=chunks, compression="gzip", **shape)
    refused(path, "too large")


def test_unknown_filters(tmp_path):
    """A filter that HDF5 does not know would be looked for among the plug-ins of the machine."""
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((1, 1, 16, 16))
    plan.set_filter(h5py.h5z.FILTER_SCALEOFFSET, h5py.h5z.FLAG_OPTIONAL, (0, 2))
    with h5py.File(tmp_path / "p.h5", "w") as file:
        for name in (b"ir", b"vi"):
            space = h5py.h5s.create_simple((3, 1, 16, 16))
            h5py.h5d.create(file.id, name, h5py.h5t.IEEE_F32LE, space, plan)
    refused(tmp_path / "p.h5", "/ir is compressed")


def test_a_cut_file(tmp_path):
    whole = write_ours(tmp_path / "p.h5", random_pairs(6)).read_bytes()
    for length in (100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "p.h5").write_bytes(whole[:length])
        refused(tmp_path / "p.h5", "cannot read")


FUZZ = """
import sys
from pathlib import Path
import numpy as np
from data.patches.reader import PatchReader
from util.errors import UserError
whole, path = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2])
rng, good = np.random.default_rng(int(sys.argv[3])), 0
for _ in range(150):
    content = bytearray(whole)
    for place in rng.integers(0, len(content), rng.integers(1, 12)):
        content[place] = rng.integers(0, 256)
    path.write_bytes(content)
    try:
        file = PatchReader(path)
        for index in range(len(file)):
            assert file.read(index).shape == (2, file.side, file.side)
        good += 1
    except UserError as error:
        assert "\\n" not in str(error)
    finally:
        if "file" in dir():
            file.close()
print(good)
"""


@pytest.mark.parametrize("write", [write_ours, write_published])
def test_damaged_bytes_are_one_line_or_values(tmp_path, write):
    """In a process of its own: the library is C, and its end must not be this suite's."""
    write(tmp_path / "p.h5", random_pairs(3, side=4))
    words = [sys.executable, "-c", FUZZ, tmp_path / "p.h5", tmp_path / "q.h5", "1"]
    done = subprocess.run(list(map(str, words)), check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert 0 < int(done.stdout) < 150


def test_attributes_of_anybody(tmp_path):
    path = write_ours(tmp_path / "p.h5", random_pairs(1))
    with h5py.File(path, "r+") as file:
        file.attrs.update({"size": 3, "version": np.arange(5), "sources": "x", "stride": 0.5})
    assert read_attributes(path) == {"size": 3, "sources": "x", "stride": 0.5}
    path.write_bytes(b"no")
    with pytest.raises(UserError, match=r"cannot read .*p\.h5"):
        read_attributes(path)
