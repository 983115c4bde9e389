"""Runs of make_patches.py that end in the middle: killed, interrupted, stopped by an image or by a full disk."""

import io
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from data.patches import writer
from data.patches.cutter import PatchCutter
from data.patches.reader import PatchReader
from scripts.make_patches import main
from tests.data.helpers import save
from tests.scripts.patch_making import arguments, assert_bad_input, damaged, make_scenes, runner
from util.errors import run_command
from util.images.image_io import read_image

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(capfd):
    return runner(capfd)


@pytest.fixture
def source(tmp_path):
    return make_scenes(tmp_path)


def files(source):
    """All names beside the folders of images, those of hidden files too."""
    return sorted(path.name for path in source.iterdir() if path.name not in ("ir", "vi"))


KILLED = """
import os, signal, sys
sys.path.insert(0, ".")
from pathlib import Path
from data.patches import writer
from data.patches.cutter import PatchCutter
from scripts.make_patches import main
place, countdown = sys.argv[1], [int(sys.argv[2])]
def before(owner, name):
    complete = getattr(owner, name)
    def call(*args, **kwargs):
        countdown[0] -= 1
        if countdown[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return complete(*args, **kwargs)
    setattr(owner, name, call)
owner, name = {
    "cutting": (PatchCutter, "cut"),
    "writing": (writer._Disk, "write"),
    "moving": (Path, "replace"),
    "moved": (writer.FileLock, "release"),
}[place]
before(owner, name)
main(sys.argv[3:])
"""


@pytest.mark.parametrize("layout", ["ours", "published"])
@pytest.mark.parametrize(
    "where", [("cutting", 0), ("cutting", 2), ("writing", 0), ("writing", 3), ("moving", 0), ("moved", 0)]
)
def test_a_run_that_is_killed_leaves_no_torn_file_and_the_next_one_starts_anew(source, run, where, layout):
    place, count = where
    words = [*arguments(source), "--layout", layout]
    killed = [sys.executable, "-c", KILLED, place, count, *words]
    done = subprocess.run(list(map(str, killed)), check=False, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == -9, done.stderr
    leftovers = [name for name in files(source) if name.endswith(".tmp")]
    assert ((source / "out.h5").exists(), len(leftovers)) == ((True, 0) if place == "moved" else (False, 1))
    assert run(*words)[0] == 0
    assert files(source) == ["out.h5"], "what the killed run left is removed, its lock too"
    assert run(*arguments(source, "whole.h5"), "--layout", layout)[0] == 0
    assert (source / "out.h5").read_bytes() == (source / "whole.h5").read_bytes()


@pytest.mark.parametrize("place", ["cutting", "writing"])
def test_ctrl_c(source, run, monkeypatch, place):
    calls = []

    def pressed(complete):
        def call(self, *words):
            calls.append(1)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return complete(self, *words)

        return call

    if place == "cutting":
        monkeypatch.setattr(PatchCutter, "cut", pressed(PatchCutter.cut))
    else:  # within what HDF5 calls, and does not hand on
        file = type("Interrupted", (io.FileIO,), {"write": pressed(io.FileIO.write)})
        monkeypatch.setattr(writer, "_Disk", type("Disk", (writer._Disk, file), {}))
    code, stdout, stderr = run(*arguments(source))
    line = "interrupted; nothing is left, the same command starts from the beginning\n"
    assert (code, stdout, stderr) == (130, "", line)
    assert files(source) == []
    monkeypatch.undo()
    assert run(*arguments(source), "--min_contrast", 0.2)[0] == 0, "other settings may follow"


def test_two_runs_do_not_write_one_file(source, run, monkeypatch):
    results, complete = [], PatchCutter.cut

    def cut(self, *paths):
        if not results:
            results.append(run_command(main, [str(word) for word in arguments(source)]))
        return complete(self, *paths)

    monkeypatch.setattr(PatchCutter, "cut", cut)
    code, stdout, stderr = run(*arguments(source))
    assert (code, results) == (0, [2])
    assert "out.h5 is being written by another run" in stderr
    assert stdout.startswith("40 pairs of patches"), "the first one is not disturbed"
    assert files(source) == ["out.h5"]


def test_a_bad_image_stops_and_may_then_be_skipped_or_replaced(source, run):
    good = read_image(source / "vi" / "p9.png")
    path = damaged(source, "p9")
    assert_bad_input(run(*arguments(source)), path)
    assert files(source) == []
    assert run(*arguments(source), "--on_bad_sample", "skip")[0] == 3
    assert len(PatchReader(source / "out.h5")) == 30
    (source / "out.h5").unlink()
    save(path, good)
    assert run(*arguments(source))[0] == 0
    assert len(PatchReader(source / "out.h5")) == 40


@pytest.mark.parametrize("options", [[], ["--layout", "published"]])
@pytest.mark.parametrize("limit", [0, 20_000, 50_000, 82_000])
def test_a_full_disk(source, limit, options):
    """40 pairs are 81920 bytes."""
    words = [sys.executable, "scripts/make_patches.py", *map(str, [*arguments(source), *options])]
    full = subprocess.run(
        words, check=False, cwd=ROOT, capture_output=True, text=True, timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip
    assert (full.returncode, full.stdout) == (2, "")
    assert "cannot be written (File too large)" in full.stderr
    assert full.stderr.count("\n") == 1
    assert files(source) == []
    assert subprocess.run(words, check=False, cwd=ROOT, capture_output=True, timeout=60).returncode == 0
    assert len(PatchReader(source / "out.h5")) == 40
