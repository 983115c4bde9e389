import contextlib
import itertools
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
import skimage.data

from scripts import pair_making
from scripts.make_pmf import main
from tests.data.helpers import save, shared
from util.errors import run_command

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "scripts/make_pmf.py"]


def run_process(*arguments):
    command = [*COMMAND, *map(str, arguments)]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def run(capfd):
    """The command within this process, on one worker unless told otherwise: quick, and as a user would see it."""

    def call(*arguments):
        capfd.readouterr()
        workers = [] if "--workers" in arguments else ["--workers", 1]
        code = run_command(main, [str(word) for word in (*arguments, *workers)])
        return code, *capfd.readouterr()

    return call


def images(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def source(tmp_path):
    """Five photographs of 70x50 with maps: indices, a BSDS file, and one with a single region."""
    photo = skimage.data.astronaut()
    rows, columns = np.mgrid[:50, :70]
    for number in (1, 2, 3, 10, 11):
        save(tmp_path / "images" / f"p{number}.png", photo[20 * number : 20 * number + 50, 150:220])
        save(tmp_path / "maps" / f"p{number}.png", ((rows // 20) * 3 + columns // (10 + number)).astype(np.uint8))
    (tmp_path / "maps" / "p2.png").unlink()
    cells = np.empty((1, 1), object)
    cells[0, 0] = {"Segmentation": (columns // 30 + 1).astype(np.uint16)}
    scipy.io.savemat(tmp_path / "maps" / "p2.mat", {"groundTruth": cells})
    save(tmp_path / "maps" / "p3.png", np.full((50, 70), 4, np.uint8))
    return tmp_path


def arguments(source, out="out"):
    return ["--images", source / "images", "--maps", source / "maps", "--out", source / out]


def assert_bad_input(result, *words):
    code, stdout, stderr = result
    assert code == 2
    assert stdout == ""
    assert stderr.startswith("error: ")
    assert stderr.count("\n") == 1
    for word in words:
        assert str(word) in stderr


def test_pairs_are_made_and_kept(source, run):
    code, stdout, stderr = run(*arguments(source))
    assert (code, stderr) == (0, "")
    assert stdout == f"5 pairs made, 0 kept from before, in {source / 'out'}\n"
    made = images(source / "out")
    assert sorted(made) == ["p10_stacked.png", "p11_stacked.png", "p1_stacked.png", "p2_stacked.png",
                            "p3_stacked.png", "pmf.json"]  # fmt: skip
    wide = cv2.imread(str(source / "out" / "p1_stacked.png"))
    assert wide.shape == (50, 210, 3)
    assert np.array_equal(wide[:, 140:], cv2.imread(str(source / "images" / "p1.png")))
    (source / "out" / "p2_stacked.png").unlink()
    (source / "out" / "p3_stacked.png").write_bytes(b"")
    stamp = (source / "out" / "p1_stacked.png").stat().st_mtime_ns
    code, stdout, _ = run(*arguments(source))
    assert (code, stdout) == (0, f"2 pairs made, 3 kept from before, in {source / 'out'}\n")
    assert images(source / "out") == made
    assert (source / "out" / "p1_stacked.png").stat().st_mtime_ns == stamp


def test_same_pixels_whatever_the_workers_and_the_other_photographs(source, run):
    several = ["--pairs_per_image", 2, "--num_sources", 3, "--seed", 4]
    assert run(*arguments(source, "one"), *several, "--workers", 1)[0] == 0
    code, _, stderr = run_process(*arguments(source, "two"), *several, "--workers", 2, "--holdout", 2)
    assert (code, stderr) == (0, "")
    one, two = images(source / "one"), images(source / "two")
    test = {"p1", "p3", "p11"}  # the first, third and fifth in natural order
    for stem in ("p1", "p2", "p3", "p10", "p11"):
        for pair in (1, 2):
            name = f"{stem}_{pair}_stacked.png"
            assert one[name] == two[f"{'test' if stem in test else 'train'}/{name}"]
        assert one[f"{stem}_1_stacked.png"] != one[f"{stem}_2_stacked.png"]
    assert len(one) == len(two) == 11
    (source / "images" / "p1.png").unlink()
    assert run(*arguments(source, "three"), *several)[0] == 0
    assert images(source / "three")["p3_2_stacked.png"] == one["p3_2_stacked.png"]
    assert run(*arguments(source, "four"), *several[:-1], 5)[0] == 0
    assert images(source / "four")["p10_1_stacked.png"] != one["p10_1_stacked.png"]


def test_published_recipe(tmp_path, run):
    reference = shared("reference", "pmf")
    folders = ["--images", reference / "images", "--maps", reference / "maps", "--out", tmp_path / "out"]
    assert run(*folders, "--recipe", "published")[0] == 0
    for path in (reference / "stacked").iterdir():
        assert np.array_equal(cv2.imread(str(tmp_path / "out" / path.name)), cv2.imread(str(path)))


def test_size(source, run):
    assert run(*arguments(source, "real"), "--size", 25)[0] == 0
    assert cv2.imread(str(source / "real" / "p1_stacked.png")).shape == (25, 3 * 35, 3)
    assert run(*arguments(source, "published"), "--recipe", "published", "--size", 32)[0] == 0
    assert cv2.imread(str(source / "published" / "p1_stacked.png")).shape == (32, 96, 3)


def test_size_that_makes_a_panorama_too_large(source, run):
    for folder in ("images", "maps"):
        save(source / folder / "wide.png", np.zeros((2, 200), np.uint8))
    assert_bad_input(
        run(*arguments(source), "--size", 2000), "--size 2000 makes 200000x2000", source / "images/wide.png"
    )
    assert not (source / "out").exists()
    assert run(*arguments(source), "--size", 2, "--on_bad_sample", "skip")[0] == 0


def test_rgbd_recipe(source, run):
    """Depth grows by steps to the right and below, on 16 bits; p2 has a BSDS file, p3 a single depth."""
    rows, columns = np.mgrid[:50, :70]
    depth = (1000 * (columns // 10 + rows // 25)).astype(np.uint16)
    for number in (1, 10, 11):
        save(source / "maps" / f"p{number}.png", depth)
    words = [*arguments(source), "--recipe", "rgbd", "--num_sources", 3, "--kernel_radius", 5, 9]
    assert run(*words, "--sigma_rule", "printed")[:2] == (0, f"5 pairs made, 0 kept from before, in {source / 'out'}\n")
    *sources, photo = np.split(cv2.imread(str(source / "out" / "p1_stacked.png")).astype(int), 4, axis=1)
    assert np.array_equal(photo, cv2.imread(str(source / "images" / "p1.png")))
    sharp = np.stack([(panel == photo).all(axis=2) for panel in sources])
    assert sharp.any(axis=0).all()
    certain = [depth[mask & (sharp.sum(axis=0) == 1)] for mask in sharp]
    assert all(one.max() < other.min() for one, other in itertools.pairwise(certain))
    record = json.loads((source / "out" / "pmf.json").read_text())
    assert (record["recipe"], record["kernel_radius"], record["sigma_rule"]) == ("rgbd", [5, 9], "printed")
    assert not {"sigma", "kernel"} & set(record)
    assert_bad_input(run(*words), "sigma_rule printed (now opencv)")
    save(source / "maps" / "p10.png", depth[:, 1:])
    assert_bad_input(run(*words, "--out", source / "new"), "p10.png is 69x50")


def test_going_on_with_other_settings_is_refused(source, run):
    assert run(*arguments(source), "--sigma", 2, 3)[0] == 0
    before = images(source / "out")
    assert_bad_input(run(*arguments(source), "--sigma", 2, 4), source / "out", "sigma", "[2.0, 3.0]", "[2.0, 4.0]")
    assert_bad_input(run(*arguments(source), "--sigma", 2, 3, "--seed", 1), "seed 0 (now 1)")
    (source / "images" / "p1.png").unlink()
    assert_bad_input(run(*arguments(source), "--sigma", 2, 3), "photographs 5", "4")
    assert images(source / "out") == before
    assert json.loads(before["pmf.json"])["sigma"] == [2, 3]
    (source / "out" / "pmf.json").write_text("[")
    assert_bad_input(run(*arguments(source), "--sigma", 2, 3), "pmf.json")
    (source / "out" / "pmf.json").unlink()
    assert_bad_input(run(*arguments(source), "--sigma", 2, 3), "_stacked.png", "another --out")


HARMS = "empty, cut off, missing map, unequal, bad mat, no images, no folder, same folder, out below a file"


@pytest.mark.parametrize("harm", HARMS.split(", "))
def test_bad_input_is_named_before_anything_is_written(source, harm, run):
    options = arguments(source)
    image, word = source / "images" / "p11.png", source / "images" / "p11.png"
    if harm == "empty":
        image.write_bytes(b"")
    elif harm == "cut off":
        image.write_bytes(image.read_bytes()[:-30])
    elif harm == "missing map":
        (source / "maps" / "p11.png").unlink()
    elif harm == "unequal":
        save(source / "maps" / "p11.png", np.zeros((50, 71), np.uint8))
    elif harm == "bad mat":
        word = source / "maps" / "p2.mat"
        word.write_bytes(b"nothing")
    elif harm == "no images":
        word = options[1] = source / "empty"
        word.mkdir()
    elif harm == "no folder":
        word = options[3] = source / "none"
    elif harm == "same folder":
        word = options[5] = source / "images"
    else:
        options[5], word = image / "out", image
    before = images(source)
    assert_bad_input(run(*options), word)
    assert images(source) == before
    assert not (source / "out").exists()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--recpe", "published"], "--recipe"),
        (["--recipe", "publishd"], "published"),
        (["--recipe", "published", "--sigma", 1, 2], "--sigma"),
        (["--recipe", "published", "--num_sources", 3], "--num_sources"),
        (["--recipe", "published", "--pairs_per_image", 2], "--pairs_per_image"),
        (["--sigma", 3, 2], "--sigma"),
        (["--recipe", "rgbd", "--sigma", 1, 2], "--sigma belongs to --recipe realistic"),
        (["--recipe", "rgbd", "--kernel_radius", 3, 2], "--kernel_radius"),
        (["--recipe", "rgbd", "--sigma_rule", "print"], "printed"),
        (["--kernel_radius", 3, 4], "--kernel_radius belongs to --recipe rgbd"),
        (["--recipe", "published", "--sigma_rule", "opencv"], "--sigma_rule belongs to --recipe rgbd"),
        (["--kernel", "box"], "--kernel"),
        (["--holdout", 1], "--holdout"),
        (["--workers", 0], "--workers"),
        (["--pairs_per_image", 0], "--pairs_per_image"),
        (["--seed", -1], "--seed"),
        (["--size", "big"], "--size"),
    ],
)
def test_bad_options(source, options, word, run):
    assert_bad_input(run(*arguments(source), *options), word)
    assert not (source / "out").exists()


def test_skip(source, run):
    (source / "maps" / "p1.png").unlink()
    (source / "images" / "p11.png").write_bytes(b"")
    turned = np.zeros((70, 50), np.uint8)  # as large as the photograph, but standing: noticed only when it is made
    save(source / "maps" / "p10.png", turned)
    code, stdout, stderr = run(*arguments(source), "--on_bad_sample", "skip")
    assert code == 3
    assert stdout.startswith("2 pairs made")
    assert [line.startswith("skipped: ") for line in stderr.splitlines()] == [True] * 3
    assert all(name in stderr for name in ("p1.png", "p10.png", "p11.png"))
    assert sorted(images(source / "out")) == ["p2_stacked.png", "p3_stacked.png", "pmf.json"]
    assert_bad_input(run(*arguments(source, "new")), "p1.png")


def test_an_error_while_working_stops_the_others(source, run):
    save(source / "maps" / "p10.png", np.zeros((70, 50), np.uint8))
    assert_bad_input(run_process(*arguments(source), "--workers", 2), "p10.png", "50x70")


@pytest.mark.parametrize("workers", [1, 2])
def test_interrupted_run_goes_on(source, workers, run, monkeypatch):
    options = [*arguments(source), "--pairs_per_image", 4, "--workers", workers]
    complete = pair_making.make_jobs

    def interrupted(jobs, workers):
        with contextlib.closing(complete(jobs, workers)) as results:
            yield next(results)
            raise KeyboardInterrupt

    monkeypatch.setattr(pair_making, "make_jobs", interrupted)
    code, _, stderr = run(*options)
    assert (code, stderr) == (130, "interrupted; run the same command again to resume\n")
    monkeypatch.undo()
    made = images(source / "out")
    assert len(made) >= 2, "a pair and the record; several workers may have made more by then"
    assert workers > 1 or len(made) == 2
    code, stdout, _ = run(*options)
    assert code == 0
    assert f"{len(made) - 1} kept" in stdout
    after = images(source / "out")
    assert len(after) == 21
    assert all(after[name] == content for name, content in made.items())


def test_ctrl_c_leaves_whole_files_only(source):
    words = [*arguments(source), "--pairs_per_image", 2_000, "--workers", 2]
    process = subprocess.Popen(
        [*COMMAND, *map(str, words)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while not list(source.glob("out/*_stacked.png")):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (130, "interrupted; run the same command again to resume\n")
    made = images(source / "out")
    assert 1 < len(made) < 2_000, "less than one photograph's"
    for name in made:
        assert not name.startswith(".")
        assert name == "pmf.json" or cv2.imread(str(source / "out" / name)) is not None


def test_help():
    code, stdout, stderr = run_process("--help")
    assert (code, stderr) == (0, "")
    for option in ("--images", "--maps", "--recipe", "--size", "--pairs_per_image", "--holdout", "--on_bad_sample"):
        assert option in stdout
