import os

import pytest

from util.errors import UserError
from util.files import write_bytes, write_text


def test_names_of_any_allowed_length(tmp_path):
    # 2 bytes each: a limit on characters would let 127 of them through and fail; 240 leaves no room for ".PID.tmp"
    for number, name in enumerate(("a" * 255, "a" * 254 + "b", "é" * 127, "b" * 240, "short")):
        write_bytes(tmp_path / name, bytes([number]))
    assert len(list(tmp_path.iterdir())) == 5
    assert (tmp_path / ("a" * 255)).read_bytes() == b"\0"
    assert (tmp_path / ("a" * 254 + "b")).read_bytes() == b"\1"


def test_a_name_that_is_too_long_is_one_line(tmp_path):
    with pytest.raises(UserError, match=r"cannot be written \(File name too long\)"):
        write_bytes(tmp_path / ("a" * 256), b"x")
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / ("a" * 255)
    write_text(path, "before")

    def fail(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(UserError, match="No space left"):
        write_text(path, "after")
    assert [entry.read_text() for entry in tmp_path.iterdir()] == ["before"]
