import json
import math
import os

import pytest

from util.errors import UserError
from util.journal import read_journal
from util.loggers.events import ResumePoint
from util.report.training_page import HEAD, TrainingPage


def records_of(folder, kind=None):
    return [record for record in read_journal(folder / "records.html") if kind in (None, record["kind"])]


def test_records_hold_what_was_said(tmp_path):
    page = TrainingPage(tmp_path / "web", "run <1>", {"netG": "<b>IFCNN</b>"})
    page.add_values("losses", 8, 1, {"G": 1.5, "D": math.nan, "E": -math.inf})
    page.add_values("validation", 8, 1, {"PSNR": 30})
    page.add_images(8, 1, {"fused": "images/ü #1.png"})
    page.finish("finished")
    start, losses, validation, images, finish = records_of(tmp_path / "web")
    assert start["kind"] == "start"
    assert losses["values"] == {"G": 1.5, "D": "NaN", "E": "-Infinity"}
    assert (losses["samples"], losses["epoch"]) == (8, 1)
    assert validation["values"] == {"PSNR": 30.0}
    assert images["images"] == [["fused", "images/%C3%BC%20%231.png"]]
    assert (finish["status"], finish["samples"]) == ("finished", 8)
    text = (tmp_path / "web" / "index.html").read_text()
    assert "<h1>run &lt;1&gt;</h1>" in text
    assert "<dd>&lt;b&gt;IFCNN&lt;/b&gt;</dd>" in text


def test_an_event_costs_one_write_however_many_there_are(tmp_path, monkeypatch):
    page = TrainingPage(tmp_path, "run", {})
    index = (tmp_path / "index.html").stat()
    written = []
    opened = []
    real_write, real_open = os.write, os.open
    monkeypatch.setattr(os, "write", lambda handle, data: written.append(len(data)) or real_write(handle, data))
    monkeypatch.setattr(os, "open", lambda path, flags, *rest: opened.append(flags) or real_open(path, flags, *rest))
    for step in range(100, 600):
        page.add_values("losses", step, 1, {"G": 0.5})
    assert len(written) == len(opened) == 500
    assert set(opened) == {os.O_WRONLY | os.O_APPEND | os.O_CREAT}, "nothing is read"
    assert max(written) - min(written) <= 2, "a late event is not larger than an early one"
    after = (tmp_path / "index.html").stat()
    assert (after.st_ino, after.st_mtime_ns) == (index.st_ino, index.st_mtime_ns), "the page is written once"
    assert len(records_of(tmp_path, "losses")) == 500


def test_no_record_can_become_markup(tmp_path):
    page = TrainingPage(tmp_path, "run", {})
    nasty = "</pre><script>alert(1)</script>&lt;\u2028\n<!--"
    page.add_values("losses", 1, 1, {nasty: 1.0})
    page.finish(nasty)
    text = (tmp_path / "records.html").read_bytes().removeprefix(HEAD.encode())
    assert text.isascii()
    assert not set(b"<>&") & set(text)
    assert records_of(tmp_path, "losses")[0]["values"] == {nasty: 1.0}
    assert records_of(tmp_path, "finish")[0]["status"] == nasty


def test_a_torn_line_hides_neither_earlier_nor_later_records(tmp_path, monkeypatch):
    page = TrainingPage(tmp_path, "run", {})
    page.add_values("losses", 1, 1, {"G": 1.0})
    whole = (tmp_path / "records.html").read_bytes()
    page.add_values("losses", 2, 1, {"G": 2.0})
    line = (tmp_path / "records.html").read_bytes()[len(whole) :]
    write = os.write
    for length in range(len(line) - 1):
        (tmp_path / "records.html").write_bytes(whole)
        with monkeypatch.context() as full, pytest.raises(UserError):
            full.setattr(os, "write", lambda handle, text, room=length: write(handle, text[:room]))
            page.add_values("losses", 2, 1, {"G": 2.0})
        assert [record["samples"] for record in records_of(tmp_path, "losses")] == [1], line[:length]
        page.add_values("losses", 3, 1, {"G": 3.0})
        assert [record["samples"] for record in records_of(tmp_path, "losses")] == [1, 3], line[:length]


def test_continuing_keeps_what_was_before(tmp_path):
    page = TrainingPage(tmp_path, "run", {})
    for samples in (8, 16, 24, 32):
        page.add_values("losses", samples, 1, {"G": math.nan})
        page.add_images(samples, 1, {"fused": f"images/{samples}.png"})
    page.finish("interrupted")
    with (tmp_path / "records.html").open("a") as file:
        file.write('\n{"kind":"losses","samples":8,"val\n{"kind":"losses","samples":8,"values":{"G":NaN}}\n[1]')
    page = TrainingPage(tmp_path, "run", {"more": "facts"}, keep=ResumePoint(16, 2).keeps, samples=16)
    page.add_values("losses", 24, 2, {"G": 0.5})
    assert [(record["samples"], record["epoch"]) for record in records_of(tmp_path, "losses")] == [
        (8, 1),
        (16, 1),
        (24, 2),
    ]
    assert [record["samples"] for record in records_of(tmp_path, "images")] == [8, 16]
    assert records_of(tmp_path, "finish") == []
    lines = (tmp_path / "records.html").read_text().splitlines()[1:]
    assert all(isinstance(json.loads(line), dict) for line in lines), "torn lines are gone"
    assert "<dt>more</dt>" in (tmp_path / "index.html").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.html", "records.html"]


def test_continuing_where_nothing_is_starts_anew(tmp_path):
    TrainingPage(tmp_path, "run", {}, keep=ResumePoint(8, 1).keeps, samples=8).add_values("losses", 16, 1, {"G": 1.0})
    assert [record["kind"] for record in records_of(tmp_path)] == ["start", "losses"]


def test_starting_anew_forgets_the_old_run(tmp_path):
    TrainingPage(tmp_path, "run", {}).add_values("losses", 16, 1, {"G": 1.0})
    TrainingPage(tmp_path, "run", {})
    assert records_of(tmp_path, "losses") == []


def test_a_full_disk_is_reported(tmp_path, monkeypatch):
    page = TrainingPage(tmp_path, "run", {})
    monkeypatch.setattr(os, "write", lambda handle, data: len(data) - 1)
    with pytest.raises(UserError, match="disk may be full"):
        page.add_values("losses", 1, 1, {"G": 1.0})
