import csv
import json
import re

import numpy as np
import pytest

from scripts import compare
from scripts.comparing import measured_items
from tests.data.helpers import save
from tests.images import scene
from util.errors import run_command


@pytest.fixture
def folder(tmp_path):
    """Two sets of three scenes: `good` is the mean of the sources, `bad` the same with noise."""
    rng = np.random.default_rng(0)
    for number, kind in enumerate(("one", "two")):
        for item in range(3):
            images = [scene(100 * number + 10 * item + i, 24, 30) for i in range(2)]
            mean = np.mean(images, axis=0)
            noisy = np.clip(mean + rng.normal(0, 40, mean.shape), 0, 255)
            for place, image in (("A", images[0]), ("B", images[1]), ("good", mean), ("bad", noisy)):
                save(tmp_path / kind / place / f"{item}.png", image.astype(np.uint8))
    return tmp_path


def words_of(folder, kind):
    root = folder / kind
    return [*("--sources", f"{root}/A", f"{root}/B"), *("--fused", f"bad={root}/bad", f"<good>={root}/good")]


def run(*words):
    return run_command(compare.main, [str(word) for word in words])


def test_two_sets_are_ranked_and_shown(folder, capsys):
    sets = ["--set", "one", *words_of(folder, "one"), "--set", "t&o", *words_of(folder, "two")]
    options = ["--metrics", "SSIM,MSE,QSF", "--out", folder / "out", "--workers", "1", "--resamples", "100"]
    assert run(*sets, *options) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if line.endswith("2 sources (A, B)")] == ["3 items, 2 sources (A, B)"] * 2
    start = next(place for place, line in enumerate(said) if "mean rank" in line)
    assert "<good>" in said[start + 1]
    assert said[-1].startswith(f"the page: {folder / 'out' / 'index.html'}")
    with (folder / "out" / "ranks.csv").open(newline="") as file:
        ranks = list(csv.DictReader(file))
    assert [row["method"] for row in ranks] == ["<good>", "bad"]
    assert 1 <= float(ranks[0]["mean_rank"]) < float(ranks[1]["mean_rank"]) <= 2
    with (folder / "out" / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 3
    assert {row["set"] for row in rows} == {"one", "t&o"}
    content = json.loads((folder / "out" / "compare.json").read_text())
    assert content["sets"]["one"]["metrics"]["MSE"]["better"] == "lower"
    page = (folder / "out" / "index.html").read_text(encoding="utf-8")
    assert "&lt;good&gt;" in page
    assert "<good>" not in page
    assert not (folder / "out" / ".measured").exists()
    shown = re.findall(r'"(images/[^"]*\.png)"', page)
    assert len(shown) == len(set(shown)) == 2 * 3 * 4
    assert all((folder / "out" / path).is_file() for path in shown)


def test_the_images_decide_and_not_the_order_of_the_methods(folder):
    root = folder / "one"
    methods = [f"a={root}/good", f"b={root}/good"]
    options = ["--metrics", "EN,SSIM", "--out", folder / "out", "--workers", "1", "--resamples", "100"]
    assert run("--sources", root / "A", root / "B", "--fused", *methods, *options) == 0
    with (folder / "out" / "ranks.csv").open(newline="") as file:
        assert {row["mean_rank"] for row in csv.DictReader(file)} == {"1.5"}


def test_what_was_measured_before_a_stop_is_kept(folder, capsys, monkeypatch):
    words = [*words_of(folder, "one"), "--metrics", "EN", "--out", folder / "out", "--workers", "1"]
    measured, measure = [], measured_items._measure

    def stopping(job):
        if len(measured) == 4:
            raise KeyboardInterrupt
        measured.append(job)
        return measure(job)

    monkeypatch.setattr(measured_items, "_measure", stopping)
    assert run(*words) == 130
    assert "the same command again resumes it" in capsys.readouterr().err
    assert not (folder / "out" / "index.html").exists()
    monkeypatch.setattr(measured_items, "_measure", lambda job: measured.append(job) or measure(job))
    assert run(*words) == 0
    assert len(measured) == 6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda words, root: words[:3], "--fused is missing"),
        (lambda words, root: words[3:], "--sources is missing"),
        (lambda words, root: words[:-1], "two or more methods"),
        (lambda words, root: [*words, "--set", "late"], "belong after a --set"),
        (
            lambda words, root: ["--set", "a", *words, "--set", "b", *words[:3], "--fused", f"x={root}", f"y={root}"],
            "same",
        ),
        (lambda words, root: ["--set", "a", *words, "--set", "a", *words], "a name of its own"),
        (lambda words, root: [*words, "--metrics", "none"], "nothing to measure"),
        (lambda words, root: [*words, "--resamples", "5"], "--resamples 5: must be from 100 to 100000"),
        (lambda words, root: [*words, "--seed", "-1"], "--seed -1: must be from 0 to"),
        (lambda words, root: [*words, "--workers", "0"], "--workers 0: must be at least 1"),
        (lambda words, root: [*words, "--fussed"], "did you mean --fused"),
        (lambda words, root: [], "what is to be compared?"),
    ],
)
def test_bad_input_is_one_line(folder, capsys, change, message):
    words = change(words_of(folder, "one"), folder)
    assert run(*words, "--out", folder / "out") == 2
    assert message in capsys.readouterr().err.strip().splitlines()[-1]
    assert not (folder / "out").exists()


def test_what_is_skipped_is_said_and_the_rest_compared(folder, capsys):
    (folder / "one" / "bad" / "1.png").unlink()
    options = ["--metrics", "EN", "--out", folder / "out", "--workers", "1", "--resamples", "100"]
    assert run(*words_of(folder, "one"), *options) == 2
    assert "there is no image of item 1" in capsys.readouterr().err
    assert run(*words_of(folder, "one"), *options, "--on_bad_sample", "skip") == 3
    captured = capsys.readouterr()
    assert "left out, as not all methods have it: 1" in captured.out
    assert "skipped: " in captured.err
    assert "there is no image of item 1" in (folder / "out" / "index.html").read_text(encoding="utf-8")
