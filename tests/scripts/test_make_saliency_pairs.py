import contextlib
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data

from data.pair_files import pair_rng
from data.saliency.operators import spectral
from data.saliency.synthesis import distribute
from scripts import make_saliency_pairs, pair_making
from scripts.make_saliency_pairs import main
from tests.data.helpers import save
from tests.data.onnx_files import write_mean_of_channels
from util.errors import run_command
from util.images.image_io import read_image

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(capfd):
    """The command within this process, on one worker unless told otherwise."""

    def call(*arguments):
        capfd.readouterr()
        workers = [] if "--workers" in arguments else ["--workers", 1]
        code = run_command(main, [str(word) for word in (*arguments, *workers)])
        return code, *capfd.readouterr()

    return call


@pytest.fixture
def source(tmp_path):
    """Five photographs of 70x50, with maps in maps/."""
    photo = skimage.data.astronaut()
    for number in (1, 2, 3, 10, 11):
        part = photo[20 * number : 20 * number + 50, 150:220]
        save(tmp_path / "images" / f"p{number}.png", part)
        save(tmp_path / "maps" / f"p{number}.png", part[::2, ::2, 0])
    return tmp_path


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def arguments(source, out="out"):
    return ["--images", source / "images", "--out", source / out]


def assert_bad_input(result, *words):
    code, stdout, stderr = result
    assert (code, stdout) == (2, "")
    assert stderr.startswith("error: ")
    assert stderr.count("\n") == 1
    for word in words:
        assert str(word) in stderr


def test_pairs_are_made_and_kept(source, run):
    assert run(*arguments(source), "--num_sources", 3, "--seed", 4) == (
        0,
        f"5 pairs made, 0 kept from before, in {source / 'out'}\n",
        "",
    )
    made = files(source / "out")
    assert sorted(made) == ["p10_stacked.png", "p11_stacked.png", "p1_stacked.png", "p2_stacked.png",
                            "p3_stacked.png", "saliency.json"]  # fmt: skip
    photo = read_image(source / "images" / "p2.png")
    wanted = distribute(photo, spectral(photo), pair_rng(4, "p2", 0), num_sources=3)
    assert np.array_equal(read_image(source / "out" / "p2_stacked.png"), np.hstack([*wanted.sources, wanted.target]))
    (source / "out" / "p3_stacked.png").unlink()
    (source / "out" / "p1_stacked.png").write_bytes(b"")
    _, stdout, _ = run(*arguments(source), "--num_sources", 3, "--seed", 4)
    assert stdout == f"2 pairs made, 3 kept from before, in {source / 'out'}\n"
    assert files(source / "out") == made


def test_same_pixels_whatever_the_workers_and_the_other_photographs(source, run):
    several = ["--pairs_per_image", 2, "--saliency", "fine"]
    assert run(*arguments(source, "one"), *several)[0] == 0
    command = [sys.executable, "scripts/make_saliency_pairs.py", *arguments(source, "two"), *several]
    command += ["--workers", 2, "--holdout", 2]
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    one, two = files(source / "one"), files(source / "two")
    assert len(one) == len(two) == 11
    for number, part in ((1, "test"), (2, "train"), (3, "test"), (10, "train"), (11, "test")):
        names = [f"p{number}_{pair}_stacked.png" for pair in (1, 2)]
        assert [one[name] for name in names] == [two[f"{part}/{name}"] for name in names]
        assert one[names[0]] != one[names[1]]
    (source / "images" / "p1.png").unlink()
    assert run(*arguments(source, "three"), *several)[0] == 0
    assert files(source / "three")["p3_2_stacked.png"] == one["p3_2_stacked.png"]


def test_maps_and_models(source, run):
    assert run(*arguments(source, "mapped"), "--saliency", source / "maps")[0] == 0
    model = write_mean_of_channels(source / "model.onnx")
    by_model = ["--saliency", model]
    assert run(*arguments(source, "model"), *by_model)[0] == 0
    records = {name: json.loads((source / name / "saliency.json").read_text()) for name in ("mapped", "model")}
    assert records["mapped"]["saliency"] == "from maps"
    assert records["model"]["saliency"].startswith("from a model (SHA-256 ")
    before = files(source / "model")
    assert before["p1_stacked.png"] != files(source / "mapped")["p1_stacked.png"]
    model.write_bytes(model.read_bytes() + b"\x1a\x00")  # another model of the same name, with an empty field more
    assert_bad_input(run(*arguments(source, "model"), *by_model), "saliency from a model (SHA-256")
    assert files(source / "model") == before


def test_a_folder_named_like_an_operator_is_written_as_a_path(source, run, monkeypatch):
    (source / "maps").rename(source / "fine")
    monkeypatch.chdir(source)
    for name, wanted in (("fine", "fine"), ("./fine", "from maps")):
        assert run(*arguments(source, wanted), "--saliency", name)[0] == 0
        assert json.loads((source / wanted / "saliency.json").read_text())["saliency"] == wanted
    assert_bad_input(run(*arguments(source, "fine"), "--saliency", "./fine"), "--out", "is the folder of --saliency")


def test_going_on_with_other_settings_is_refused(source, run):
    assert run(*arguments(source))[0] == 0
    before = files(source / "out")
    assert_bad_input(run(*arguments(source), "--saliency", "fine"), "saliency spectral (now fine)")
    assert_bad_input(run(*arguments(source), "--num_sources", 3), "num_sources 2 (now 3)")
    assert files(source / "out") == before


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (
            ["--saliency", "spectrl"],
            "--saliency 'spectrl' is not one of: spectral, fine, gradient (did you mean spectral?), nor a folder of",
        ),
        (["--saliency", "none.pt"], "--saliency 'none.pt'"),
        (["--saliency="], "--saliency ''"),
        (["--saliency", __file__], f"--saliency {__file__} is no model"),
        (["--num_sources", 1], "--num_sources"),
        (["--pairs_per_image", 0], "--pairs_per_image"),
        (["--holdout", 1], "--holdout"),
        (["--workers", 0], "--workers"),
        (["--seed", -1], "--seed"),
        (["--preview", "sheet.png"], "either --out DIR"),
    ],
)
def test_bad_options(source, options, word, run):
    assert_bad_input(run(*arguments(source), *options), word)
    assert not (source / "out").exists()


def test_bad_folders(source, run):
    assert_bad_input(run("--images", source / "images"), "either --out DIR")
    assert_bad_input(run(*arguments(source, "images")), "--out", "is the folder of --images")
    (source / "maps" / "p3.png").unlink()
    by_maps = ["--saliency", source / "maps"]
    assert_bad_input(run(*arguments(source, "maps"), *by_maps), "is the folder of --saliency:")
    assert_bad_input(run(*arguments(source), *by_maps), "p3.png has no map")
    assert run(*arguments(source), *by_maps, "--on_bad_sample", "skip")[0] == 3
    (source / "images" / "p11.png").write_bytes(b"")
    assert_bad_input(run(*arguments(source, "new")), "p11.png: the file is empty")
    assert not (source / "new").exists()


def test_interrupted_run_goes_on(source, run, monkeypatch):
    options = [*arguments(source), "--pairs_per_image", 4]
    complete = pair_making.make_jobs

    def interrupted(jobs, workers):
        with contextlib.closing(complete(jobs, workers)) as results:
            yield next(results)
            raise KeyboardInterrupt

    monkeypatch.setattr(pair_making, "make_jobs", interrupted)
    assert run(*options)[::2] == (130, "interrupted; run the same command again to resume\n")
    monkeypatch.undo()
    made = files(source / "out")
    assert len(made) == 2, "the record and one pair"
    assert run(*options)[1] == f"{21 - len(made)} pairs made, {len(made) - 1} kept from before, in {source / 'out'}\n"
    after = files(source / "out")
    assert len(after) == 21
    assert all(after[name] == content for name, content in made.items())


def test_preview(source, run):
    sheet = source / "sheets" / "sheet.png"
    words = ["--images", source / "images", "--preview", sheet, "--num_sources", 3]
    code, stdout, stderr = run(*words)
    assert (code, stderr) == (0, "")
    assert stdout == f"{sheet}: target, saliency, masks and sources of 5 photographs\n"
    drawn = cv2.imread(str(sheet))
    assert drawn.shape == (5 * 164, 8 * 164, 3), "a row per photograph; target, saliency, 3 masks, 3 sources"
    assert (drawn[:, 160:164] == 255).all()
    assert run(*words, "--seed", 1)[0] == 0
    assert not np.array_equal(cv2.imread(str(sheet)), drawn)
    assert run(*words)[0] == 0
    assert np.array_equal(cv2.imread(str(sheet)), drawn)
    assert not (source / "out").exists()


def test_a_preview_is_refused_before_it_is_drawn(source, run, monkeypatch):
    monkeypatch.setattr(make_saliency_pairs, "_draw_sheet", lambda *_: pytest.fail("drawn"))
    before = files(source)
    words = ["--images", source / "images", "--preview"]
    assert_bad_input(run(*words, source / "sheet.gif"), "sheet.gif")
    assert_bad_input(run(*words, source / "sheet"), "expected the name of an image, as in", "sheet.png")
    assert_bad_input(run(*words, source / "images" / "p2.png"), "p2.png is one of the photographs or maps")
    by_maps = [*words, source / "maps" / "p2.png", "--saliency", source / "maps"]
    assert_bad_input(run(*by_maps), "p2.png is one of the photographs or maps")
    assert_bad_input(run(*words, source / "images" / "p2.png" / "sheet.png"), "--preview")
    for option, value in (("--seed", -1), ("--workers", 0), ("--pairs_per_image", 0), ("--holdout", 1)):
        assert_bad_input(run(*words, source / "sheet.png", option, value), option)
    assert files(source) == before


def test_a_preview_shows_a_dozen_of_many(tmp_path, run):
    for number in range(30):
        save(tmp_path / "images" / f"{number}.png", np.full((8, 9, 3), 8 * number, np.uint8))
    assert run("--images", tmp_path / "images", "--preview", tmp_path / "s.png")[1].endswith("of 12 photographs\n")
    drawn = cv2.imread(str(tmp_path / "s.png"))
    assert drawn.shape[0] == 12 * 164
    levels = drawn[70::164, 80, 0].tolist()
    assert levels == sorted(levels)
    assert (levels[0], levels[-1]) == (0, 8 * 29), "from the first to the last"
