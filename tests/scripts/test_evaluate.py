import csv
import json

import numpy as np
import pytest

from scripts import evaluate
from tests.data.helpers import save
from tests.images import scene
from util.errors import run_command


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(("x", "y")):
        images = [scene(10 * number + i, 24, 30) for i in range(2)]
        for role, image in zip("AB", images, strict=True):
            save(tmp_path / role / f"{name}.png", image)
        save(tmp_path / "mean" / "fused" / f"{name}.png", np.mean(images, axis=0).astype(np.uint8))
        save(tmp_path / "first" / f"FIRST_{name}.png", images[0])
    return tmp_path


def run(folder, *words):
    return run_command(
        evaluate.main,
        [*("--sources", str(folder / "A"), str(folder / "B")), *("--out", str(folder / "out" / "m.csv")), *words],
    )


def test_tables_of_two_methods(folder, capsys):
    methods = [f"ours={folder / 'mean'}", str(folder / "first")]
    assert run(folder, "--fused", *methods, "--metrics", "EN,SSIM@sum,PSNR", "--workers", "1") == 0
    with (folder / "out" / "m.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["method", "name", "EN", "SSIM@sum", "PSNR"]
    assert [row[:2] for row in rows[1:]] == [["ours", "x"], ["ours", "y"], ["first", "x"], ["first", "y"]]
    content = json.loads((folder / "out" / "m.json").read_text())
    assert content["summary"]["ours"]["EN"]["better"] == "higher"
    assert content["summary"]["ours"]["EN"]["mean"] == pytest.approx((float(rows[1][2]) + float(rows[2][2])) / 2)
    assert content["items"]["first"]["y"]["PSNR"] == pytest.approx(float(rows[4][4]))
    assert (folder / "out" / "m.tex").read_text().count(r"\\") == 3
    printed = capsys.readouterr().out.splitlines()
    assert printed[4] == "2 items, 2 sources (A, B)"
    assert printed[5].split() == ["ours", "first"]
    assert printed[-1].split()[-1].endswith("m.tex")
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["m.csv", "m.json", "m.tex"]


def test_all_metrics_and_a_reference(folder):
    words = ["--fused", str(folder / "mean"), "--reference", str(folder / "mean")]
    assert run(folder, *words, "--fused", f"b={folder / 'first'}", "--workers", "2") == 0
    header = (folder / "out" / "m.csv").read_text().splitlines()[0].split(",")
    assert len(header) == 2 + 36 + 3
    assert header[-3:] == ["PSNR@reference", "SSIM@reference", "MS_SSIM@reference"]


@pytest.mark.parametrize(("metrics", "said"), [("EN,SSIM", True), ("EN,PSNR@reference", False), ("quick", False)])
def test_a_reference_that_no_metric_needs_is_said(folder, capsys, metrics, said):
    words = ["--fused", str(folder / "mean"), "--reference", str(folder / "mean"), "--metrics", metrics]
    assert run(folder, *words, "--workers", "1") == 0
    names = "PSNR@reference, SSIM@reference, MS_SSIM@reference"
    line = f"note: --reference has no effect because --metrics names none of {names}"
    assert (line in capsys.readouterr().out.splitlines()) == said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--fused", "nowhere"], "--fused: no such folder: nowhere"),
        (["--fused", "{}/mean", "--metrics", "EM"], "no metric is called 'EM': there are EN, SD"),
        (["--fused", "{}/mean", "--metrics", "none"], "nothing to measure"),
        (["--fused", "{}/mean", "--metrics", "PSNR@reference"], "give --reference DIR"),
        (["--fused", "{}/mean", "--workers", "0"], "--workers 0: must be at least 1"),
        (["--fused", "{}/mean", "--out", "m.txt"], "--out m.txt: expected a .csv file"),
        (["--fused", "{}/mean", "--fussed", "x"], "unknown option --fussed (did you mean --fused"),
        ([], "--fused"),
    ],
)
def test_bad_input_is_one_line(folder, capsys, words, message):
    assert run(folder, *(word.format(folder) for word in words)) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert message in error[-1]
    assert not (folder / "out" / "m.csv").exists()


def test_what_is_skipped_is_listed(folder, capsys):
    (folder / "B" / "y.png").unlink()
    assert run(folder, "--fused", str(folder / "mean"), "--metrics", "EN") == 2
    assert run(folder, "--fused", str(folder / "mean"), "--metrics", "EN", "--on_bad_sample", "skip") == 3
    assert "skipped: item y: the B image is missing" in capsys.readouterr().err
    assert len((folder / "out" / "m.csv").read_text().splitlines()) == 2
