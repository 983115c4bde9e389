"""Runs of make_patches.py that end in the middle: killed, interrupted, stopped by an image or by a full disk."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from data.patches import store as patch_store
from data.patches.cutting import PatchCutter
from data.patches.reading import PatchFile
from scripts.make_patches import main
from tests.scripts.patch_making import arguments, assert_bad_input, damaged, make_scenes, runner, same
from util.errors import run_command

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(capfd):
    return runner(capfd)


@pytest.fixture
def source(tmp_path):
    return make_scenes(tmp_path)


KILLED = """
import os, signal, sys
sys.path.insert(0, ".")
import h5py
from data.patches import store as patch_store, patch_writing
from data.patches.cutting import PatchCutter
from scripts.make_patches import main
place, countdown = sys.argv[1], [int(sys.argv[2])]
def die(*_):
    countdown[0] -= 1
    if countdown[0] < 0:
        os.kill(os.getpid(), signal.SIGKILL)
def before(owner, name):
    complete = getattr(owner, name)
    def call(*args, **kwargs):
        die()
        return complete(*args, **kwargs)
    setattr(owner, name, call)
if place == "cutting":
    before(PatchCutter, "cut")
elif place.startswith("half"):
    complete = patch_store.PatchStore.add
    def add(self, entry, patches=None):
        if countdown[0] == 0:
            torn = place == "half of a line"
            self._raw.write(patches.tobytes() if torn else patches.tobytes()[:5000])
            self._raw.flush()
            self._journal.write(b'{"kept"' if torn else b"")
            self._journal.flush()
        die()
        complete(self, entry, patches)
    patch_store.PatchStore.add = add
elif place == "writing":
    patch_store._BLOCK = 10_000
    complete = patch_store.PatchStore._blocks
    def blocks(self):
        for block in complete(self):
            die()
            yield block
    patch_store.PatchStore._blocks = blocks
elif place == "moving":
    before(patch_store.Path, "replace")
elif place == "moved":
    before(patch_store, "remove_part")
main(sys.argv[3:])
"""


@pytest.mark.parametrize("layout", ["ours", "published"])
@pytest.mark.parametrize(
    "where",
    [
        ("cutting", 0),
        ("cutting", 2),
        ("half of the patches", 0),
        ("half of the patches", 3),
        ("half of a line", 1),
        ("writing", 0),
        ("writing", 2),
        ("moving", 1),
        ("moved", 0),
    ],
)
def test_a_run_that_is_killed_goes_on(source, run, where, layout, monkeypatch):
    place, count = where
    words = [*arguments(source), "--layout", layout]
    killed = [sys.executable, "-c", KILLED, place, count, *words]
    done = subprocess.run(list(map(str, killed)), check=False, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == -9, done.stderr
    assert (source / "out.h5").exists() == (place == "moved")
    assert (source / "out.h5.part").is_dir()
    cut = []
    complete = PatchCutter.cut
    monkeypatch.setattr(PatchCutter, "cut", lambda *words: cut.append(words[1].stem) or complete(*words))
    assert run(*words)[0] == 0
    left = {"cutting": 4 - count, "half of the patches": 4 - count, "half of a line": 4 - count}
    assert len(cut) == left.get(place, 0), "what was done is not done again"
    assert run(*arguments(source, "whole.h5"), "--layout", layout)[0] == 0
    same(source / "out.h5", source / "whole.h5")
    assert not (source / "out.h5.part").exists()


@pytest.mark.parametrize("place", ["cut", "_blocks"])
def test_ctrl_c(source, run, monkeypatch, place):
    def interrupted(self, *_):
        if place == "_blocks" or len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(1)
        return complete(self, *_)

    calls, owner = [], PatchCutter if place == "cut" else patch_store.PatchStore
    complete = getattr(owner, place)
    monkeypatch.setattr(owner, place, interrupted)
    code, stdout, stderr = run(*arguments(source))
    assert (code, stdout, stderr) == (130, "", "interrupted; run the same command again to go on\n")
    assert not (source / "out.h5").exists()
    monkeypatch.undo()
    assert_bad_input(run(*arguments(source), "--min_contrast", 0.2), "out.h5.part was begun with min_contrast 0.1")
    assert run(*arguments(source))[0] == 0
    assert run(*arguments(source, "whole.h5"))[0] == 0
    same(source / "out.h5", source / "whole.h5")


def interrupt_after(monkeypatch, count):
    """Lets the command cut so many scenes, and then presses Ctrl-C."""
    left, complete = [None] * count, PatchCutter.cut

    def cut(self, *paths):
        if not left:
            raise KeyboardInterrupt
        left.pop()
        return complete(self, *paths)

    monkeypatch.setattr(PatchCutter, "cut", cut)


@pytest.mark.parametrize("harm", ["no end of line", "torn line", "garbage", "fewer patches", "no patches"])
def test_what_a_power_failure_leaves_is_done_again(source, run, monkeypatch, harm):
    interrupt_after(monkeypatch, 2)
    assert run(*arguments(source))[0] == 130
    journal, raw = source / "out.h5.part" / "done.jsonl", source / "out.h5.part" / "patches.raw"
    lines = journal.read_bytes()
    assert lines.count(b"\n") == 2
    if harm == "no end of line":
        journal.write_bytes(lines[:-1])
    elif harm == "torn line":
        journal.write_bytes(lines[:-9])
    elif harm == "garbage":
        journal.write_bytes(lines + b"\0\0\n{}\n")
    else:
        raw.write_bytes(raw.read_bytes()[: -1 if harm == "fewer patches" else 0])
    monkeypatch.undo()
    interrupt_after(monkeypatch, 1)
    assert run(*arguments(source))[0] == 130, "and a second time, so that what was written after the harm is read"
    monkeypatch.undo()
    interrupt_after(monkeypatch, {"garbage": 1, "no patches": 3}.get(harm, 2))
    assert run(*arguments(source))[0] == 0, "no more scenes than were lost are cut again"
    monkeypatch.undo()
    assert run(*arguments(source, "whole.h5"))[0] == 0
    same(source / "out.h5", source / "whole.h5")


def test_two_runs_do_not_share_a_folder(source, run, monkeypatch):
    results = []

    def cut(self, *_):
        results.append(run_command(main, [str(word) for word in arguments(source)]))
        raise KeyboardInterrupt

    monkeypatch.setattr(PatchCutter, "cut", cut)
    code, _, stderr = run(*arguments(source))
    assert (code, results) == (130, [2])
    assert "out.h5.part is in use by another run" in stderr


def test_a_bad_image_stops_and_may_then_be_skipped_or_mended(source, run):
    good = (source / "vi" / "p9.png").read_bytes()
    path = damaged(source, "p9")
    assert_bad_input(run(*arguments(source)), path)
    assert (source / "out.h5.part" / "plan.json").exists(), "what was cut before is kept"
    assert run(*arguments(source), "--on_bad_sample", "skip")[0] == 3
    assert len(PatchFile(source / "out.h5")) == 30
    (source / "out.h5").unlink()
    assert_bad_input(run(*arguments(source)), path)
    path.write_bytes(good)
    assert run(*arguments(source))[0] == 0
    assert len(PatchFile(source / "out.h5")) == 40


def test_what_was_skipped_is_tried_again_by_a_run_that_stops(source, run, monkeypatch):
    good, path = (source / "vi" / "p2.png").read_bytes(), damaged(source, "p2")

    def interrupted(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(patch_store.PatchStore, "_blocks", interrupted)
    assert run(*arguments(source), "--on_bad_sample", "skip")[0] == 130
    monkeypatch.undo()
    assert_bad_input(run(*arguments(source)), path)
    path.write_bytes(good)
    assert run(*arguments(source))[0] == 0
    assert run(*arguments(source, "whole.h5"))[0] == 0
    same(source / "out.h5", source / "whole.h5")


@pytest.mark.parametrize("options", [[], ["--layout", "published"]])
@pytest.mark.parametrize("limit", [20_000, 50_000, 82_000])
def test_a_full_disk(source, limit, options):
    """While patches are collected (40 pairs are 81920 bytes), or when the file is written."""
    words = [sys.executable, "scripts/make_patches.py", *map(str, [*arguments(source), *options])]
    full = subprocess.run(
        words, check=False, cwd=ROOT, capture_output=True, text=True, timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert (full.returncode, full.stdout) == (2, "")
    assert "cannot be written (File too large)" in full.stderr
    assert full.stderr.count("\n") == 1
    assert not (source / "out.h5").exists()
    assert subprocess.run(words, check=False, cwd=ROOT, capture_output=True, timeout=60).returncode == 0
    assert len(PatchFile(source / "out.h5")) == 40
