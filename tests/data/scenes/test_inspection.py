import struct

import numpy as np
import pytest

from data.scenes.discovery import discover
from data.scenes.inspection import describe, inspect
from tests.data.helpers import save
from util.errors import UserError


def image(height=8, width=12, dtype=np.uint8):
    return np.full((height, width), 7, dtype)


def test_inspection_names_the_first_and_counts_the_others(tmp_path):
    for name in ("ir/1.png", "vi/1.png", "ir/2.png", "vi/3.png", "ir/4.png"):
        save(tmp_path / name, image())
    save(tmp_path / "vi/2.png", image(width=13))
    (tmp_path / "vi/4.png").touch()
    result = discover(tmp_path, "test")
    with pytest.raises(UserError, match=r"item 3: the ir image is missing.*\(2 more .*\); --on_bad_sample skip"):
        inspect(result)
    checked = inspect(result, on_bad_sample="skip")
    assert [item.name for item in checked.found.items] == ["1"]
    for part, line in zip(["item 3", "vi/2.png is 13x8", "vi/4.png"], checked.skipped, strict=True):
        assert part in line
    lines = describe(checked)
    assert sum(line.startswith("skipped: ") for line in lines) == 3
    assert lines[-1] == "1 items, 2 sources (ir, vi)"
    (tmp_path / "vi/1.png").unlink()
    with pytest.raises(UserError, match="has no item that can be used"):
        inspect(discover(tmp_path, "test"), on_bad_sample="skip")
    with pytest.raises(UserError, match="--on_bad_sample 'go' is not one of: stop, skip"):
        inspect(result, on_bad_sample="go")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: b"",
        lambda content: content[:60],
        lambda content: b"GIF89a" + content,
        lambda content: content[:16] + b"\x7f\xff\xff\xff" + content[20:],
    ],
    ids=["empty", "cut off", "no image", "absurd size"],
)
def test_bad_files_are_found_without_decoding(tmp_path, spoil):
    for name in ("ir/1.png", "vi/1.png", "ir/2.png", "vi/2.png"):
        save(tmp_path / name, image())
    bad = tmp_path / "vi/2.png"
    bad.write_bytes(spoil(bad.read_bytes()))
    with pytest.raises(UserError, match=r"vi/2\.png.*--on_bad_sample skip"):
        inspect(discover(tmp_path, "test"))


def test_description(tmp_path):
    save(tmp_path / "A" / "1.png", image())
    save(tmp_path / "B" / "1.png", image(dtype=np.uint16))
    save(tmp_path / "gt" / "1.png", image())
    save(tmp_path / "A" / "2.png", image(width=40))
    save(tmp_path / "B" / "2.png", image(width=40))
    checked = inspect(discover(tmp_path, "test"))
    assert (checked.sizes, checked.bits, checked.counts) == (((12, 8), (40, 8)), (16, 8), (2, 2))
    assert describe(checked) == [
        f"{tmp_path}: role folders, one file per item in each (--layout roles)",
        "roles: A, B",
        "size: 2 sizes from 12x8 to 40x8",
        "depth: 8 and 16 bits per channel",
        "targets: 1 of 2 items have one",
        "2 items, 2 sources (A, B)",
    ]
    with pytest.raises(UserError, match="item 2: its target is missing"):
        inspect(discover(tmp_path, "test"), with_target=True)
    (tmp_path / "gt" / "1.png").unlink()
    with pytest.raises(UserError, match=r"no item of .* has a target: put them into a folder target, gt"):
        inspect(discover(tmp_path, "test"), with_target=True)


def test_panels_are_counted_before_they_are_read(tmp_path):
    save(tmp_path / "x_stacked.png", image(width=12))
    stacked = discover(tmp_path, "test")
    assert describe(inspect(stacked))[-1] == "1 items, 2 sources (stacked)"
    assert inspect(stacked, with_target=True).sizes == ((4, 8),)
    with pytest.raises(UserError, match="12 pixels wide, which are not 5 equal panels"):
        inspect(stacked, num_sources=5)
    with pytest.raises(UserError, match="--num_sources must be at least 2"):
        inspect(stacked, num_sources=0)


def test_sizes_are_those_after_the_rotation(tmp_path):
    exif = b"Exif\0\0II*\0" + struct.pack("<IHHHII", 8, 1, 0x0112, 3, 1, 6) + b"\0\0\0\0"  # 6: a quarter turn
    jpeg = save(tmp_path / "ir" / "1.jpg", image(8, 12)).read_bytes()
    turned = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]
    (tmp_path / "ir" / "1.jpg").write_bytes(turned)
    save(tmp_path / "vi" / "1.png", image(12, 8))
    assert inspect(discover(tmp_path, "test")).sizes == ((8, 12),)
    save(tmp_path / "vi" / "1.png", image(8, 12))
    with pytest.raises(UserError, match=r"vi/1\.png is 12x8, but .*ir/1\.jpg is 8x12"):
        inspect(discover(tmp_path, "test"))
