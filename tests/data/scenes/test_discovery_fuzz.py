"""Whatever lies in a folder, the end is a result or one line that says what is wrong."""

import os
import tempfile
from pathlib import Path

import cv2
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.scenes.discovery import discover, discover_files
from data.scenes.inspection import describe, inspect
from options.data import LAYOUTS
from tests.data.helpers import make_dataset
from util.errors import UserError, one_line
from util.images.image_io import IMAGE_EXTENSIONS

_GREY = np.arange(96, dtype=np.uint8).reshape(8, 12)
IMAGES = [
    cv2.imencode(extension, image)[1].tobytes()
    for extension in IMAGE_EXTENSIONS
    for image in (_GREY, cv2.cvtColor(_GREY[:, :6], cv2.COLOR_GRAY2BGR))
]
IMAGES += [cv2.imencode(extension, _GREY.astype(np.uint16) * 257)[1].tobytes() for extension in (".png", ".tif")]

NAMES = (
    *("ir", "vi", "Thermal", "visible", "A", "b", "gt", "1", "2", "01", "x", "X", "x_ir", "x_vi", "x-A", "x-B"),
    *("x_1", "x_2", "x_gt", "_stacked", "..", "...", "-", "--help", "-A", " ", " _A", "a\nb", "\x1b[31m", "a\\b"),
    *("é", "e\u0301", "写真", "\u202e", "\udcff", "n" * 251, "con", "train", "test"),
)  # fmt: skip
WORDS = st.sampled_from(NAMES) | st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), max_size=6)


@st.composite
def contents(draw):
    """A small image, as it is most times, else cut off, changed in a few bytes, or noise."""
    content = draw(st.sampled_from(IMAGES))
    how = draw(st.sampled_from(["whole"] * 6 + ["cut", "changed", "noise"]))
    if how == "cut":
        return content[: draw(st.integers(0, len(content) - 1))]
    if how == "noise":
        return draw(st.binary(max_size=40))
    if how == "changed":
        changed = bytearray(content)
        for place in draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
            changed[place] = draw(st.integers(0, 255))
        return bytes(changed)
    return content


FILES = st.tuples(WORDS, st.sampled_from([*IMAGE_EXTENSIONS, ".PNG", "", ".txt"]), contents())
FOLDERS = st.tuples(WORDS, st.lists(FILES, max_size=4))


def build(root, files, folders):
    """Makes the tree; what the file system does not take, or has already, is left out."""
    for folder, members in [("", files), *folders]:
        for word, extension, content in members:
            path = f"{root}/{folder}/{word}{extension}"
            try:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
                if Path(path).resolve().is_relative_to(root):
                    Path(path).write_bytes(content)
            except (OSError, UnicodeError):
                continue


def is_plain(name):
    return name not in ("", ".", "..") and "/" not in name and os.sep not in name


def fails_in_one_line(work):
    """Runs `work`; returns its result, or None where it ended in a line for the user."""
    try:
        return work()
    except UserError as error:
        assert str(error)
        assert one_line(str(error)).isprintable()
        return None


@settings(max_examples=200, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(
    files=st.lists(FILES, max_size=5),
    folders=st.lists(FOLDERS, max_size=4),
    partners=st.booleans(),
    layout=st.sampled_from(["auto", "auto", *LAYOUTS]),
    roles=st.sampled_from([(), (), (), ("ir", "vi"), ("b", "A"), ("x", "X")]),
)
def test_any_folder(files, folders, partners, layout, roles):
    if partners and folders:  # the same files in each folder, so that more of them are usable sets
        files, folders = [], [(name, folders[0][1]) for name, _ in folders]
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary).resolve() / "root"
        root.mkdir()
        build(root, files, folders)
        found = fails_in_one_line(lambda: discover(root, "test", layout=layout, roles=roles))
        if found is None:
            return
        assert all(is_plain(item.name) for item in found.items)
        assert all(file.resolve().is_relative_to(root) for item in found.items for file in item.files)
        for with_target in (False, True):
            checked = fails_in_one_line(
                lambda wanted=with_target: inspect(found, with_target=wanted, on_bad_sample="skip")
            )
            if checked is not None:
                assert all(line.isprintable() for line in describe(checked))
                assert len(checked.found.items) == len(checked.sizes) == len(checked.counts) > 0
        options = {"layout": layout, "roles": ",".join(roles), "on_bad_sample": "skip"}
        dataset = fails_in_one_line(lambda: make_dataset("sources", root=root, phase="test", **options))
        for index in range(len(dataset or [])):
            images = fails_in_one_line(lambda place=index: dataset.scene(place))
            if images is not None:
                assert len(images.sources) == dataset.inspection.counts[index]
                assert len({image.shape for image in images.sources}) == 1


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(names=st.lists(WORDS, max_size=4), name=WORDS.filter(bool))
def test_any_files(names, name):
    found = fails_in_one_line(lambda: discover_files([Path(word) for word in names], name))
    if found is not None:
        assert fails_in_one_line(lambda: inspect(found)) is None, "there are no such files"
