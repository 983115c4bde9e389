import argparse
import csv
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from scripts import repeat_training
from tests.images import stacked, write_pairs
from tests.integration.commands import ROOT, SMALL, Ending, children_of, is_alive
from util.errors import UserError, run_command
from util.images.image_io import write_image

SHORT = [*(word for word in SMALL if word not in ("--gpu_ids", "-1")), "--n_epochs", "1", "--n_epochs_decay", "0"]


def words(root, *more, seeds=(0, 1), training=(), testing=()):
    own = ["--seeds", *seeds, "--name", "city", "--test", f"pairs={root / 'set'}", "--gpu_ids=-1", "--parallel", 2]
    own += ["--out", root / "out", *more]
    training = ["--dataroot", root / "data", "--checkpoints_dir", root / "checkpoints", *SHORT, *training]
    return [str(word) for word in [*own, "--", *training, "--", "--with_target", *testing]]


def repeat(*arguments, **changes):
    return run_command(repeat_training.main, words(*arguments, **changes))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A recipe trained and tested with two seeds."""
    folder = tmp_path_factory.mktemp("repeated")
    write_pairs(folder / "data", 4)
    write_pairs(folder / "set", 2, 21, 30)
    write_pairs(folder / "val", 1)
    assert repeat(folder, "--metrics", "EN,PSNR@reference", training=["--val_dataroot", folder / "val"]) == 0
    return folder


@pytest.fixture
def again(root, monkeypatch):
    """Starts the same command; returns its status and the commands that it would begin."""

    marks = {path: path.read_text() for path in (root / "out").rglob(".tested")}
    assert len(marks) == 2

    def call(*more, training=(), **changes):
        begun = []
        monkeypatch.setattr(repeat_training, "run_all", lambda tasks, *_: begun.extend(tasks))
        training = ["--val_dataroot", root / "val", *training]
        status = repeat(root, "--metrics", "EN,PSNR@reference", *more, training=training, **changes)
        return status, [(task.script.name, task.label) for task in begun]

    yield call
    for path, text in marks.items():
        path.write_text(text)


def test_each_seed_is_trained_tested_and_in_the_table(root):
    for seed in (0, 1):
        options = json.loads((root / "checkpoints" / f"city_seed{seed}" / "options.json").read_text())
        assert (options["run"]["seed"], options["run"]["gpu_ids"]) == (seed, "-1")
    first, second = (
        torch.load(root / "checkpoints" / f"city_seed{k}" / "latest_net_G.pth", weights_only=True) for k in (0, 1)
    )
    assert any(not torch.equal(first[key], second[key]) for key in first if first[key].is_floating_point())
    with (root / "out" / "repeated.csv").open(newline="") as file:
        rows = {(row["set"], row["metric"]): row for row in csv.DictReader(file)}
    metrics = ["EN", "PSNR@reference", "PSNR@reference_average"]
    assert list(rows)[:3] == [("pairs", metric) for metric in metrics]
    assert ("validation", "PSNR") in rows
    for seed in (0, 1):
        results = root / "out" / "pairs" / f"city_seed{seed}" / "test_latest"
        assert len(list((results / "fused").iterdir())) == 2
        with (results / "metrics.csv").open(newline="") as file:
            of_images = [float(row["PSNR@reference"]) for row in csv.DictReader(file)]
        assert float(rows["pairs", "PSNR@reference"][f"seed {seed}"]) == pytest.approx(sum(of_images) / 2)
    row = {
        name: float(value) for name, value in rows["pairs", "PSNR@reference"].items() if name not in ("set", "metric")
    }
    assert row["mean"] == pytest.approx((row["seed 0"] + row["seed 1"]) / 2)
    assert row["sd"] == pytest.approx(abs(row["seed 0"] - row["seed 1"]) / 2**0.5)
    assert row["sd"] > 0
    assert (root / "out" / "pairs" / "index.html").is_file()
    assert (root / "out" / "validation" / "index.html").is_file()


def test_what_is_finished_is_kept(root, again, capsys):
    before = (root / "out" / "repeated.txt").read_bytes()
    assert again() == (0, [])
    assert (root / "out" / "repeated.txt").read_bytes() == before
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "pairs: 2 items, 2 sources (stacked)"
    assert "mean ± sd" in printed[2]


def test_a_further_seed_is_added_and_an_unfinished_one_goes_on(root, again):
    network = root / "checkpoints" / "city_seed1" / "1_net_G.pth"
    aside = network.rename(network.with_name("aside"))
    status, begun = again(seeds=(0, 1, 5))
    assert status == 2  # nothing was really begun, so there is nothing to read
    assert begun == [
        ("train.py", "seed 1"),
        ("train.py", "seed 5"),
        ("test.py", "seed 1, pairs"),
        ("test.py", "seed 5, pairs"),
    ]
    aside.rename(network)


BOTH = [("test.py", "seed 0, pairs"), ("test.py", "seed 1, pairs")]


def test_an_unfinished_training_is_left_to_train_py_to_go_on(root, monkeypatch):
    run = repeat_training.Run(1, root / "checkpoints" / "city_seed1", last_epoch=2)
    assert (run.is_finished(), run.epochs_done()) == (False, 0)
    records = run.folder / "metrics.jsonl"
    kept = records.read_text()
    records.write_text(kept + '{"kind": "losses", "epoch": 2, "samples": 6}\n')
    assert run.epochs_done() == 1
    records.write_text(kept)
    tasks = []
    monkeypatch.setattr(repeat_training, "run_all", lambda begun, *_: tasks.extend(begun))
    options = argparse.Namespace(out=root / "out")
    repeat_training._train(options, [run], ["--lr", "1"], [[]])
    assert tasks[0].words == ("--lr", "1", "--name", "city_seed1", "--seed", "1", "--continue_train")


def test_skipped_samples_are_listed_once(root, again, capsys):
    logs = [root / "out" / "logs" / f"test_pairs_seed{seed}.log" for seed in (0, 1)]
    for log in logs:
        log.write_text(log.read_text() + "skipped: p07: damaged\n")
    assert again() == (3, [])
    assert [line for line in capsys.readouterr().err.splitlines() if "p07" in line] == ["skipped: p07: damaged"]
    logs[0].unlink()
    assert again() == (3, [])
    logs[1].unlink()


def test_other_metrics_are_measured(again):
    assert again("--metrics", "EN,SD")[1] == BOTH
    # What was begun may have replaced the results, so that the metrics of before must be measured again, too.
    assert again()[1] == BOTH


def test_other_images_are_fused(root, again):
    changed = root / "set" / "p01.png"
    before = changed.read_bytes(), changed.stat().st_mtime_ns
    write_image(changed, stacked(9, 21, 30))
    assert again()[1] == BOTH
    changed.write_bytes(before[0])
    os.utime(changed, ns=(before[1], before[1]))


@pytest.mark.parametrize(
    ("training", "said"),
    [
        (
            ["--lambda_L1", 50],
            "city_seed0 was begun with --lambda_L1 100.0 (now 50.0): another recipe needs another --name",
        ),
        (["--n_epochs", 2], "city_seed0 was begun with --n_epochs 1 (now 2)"),
        (["--dataroot", "tests"], "city_seed0 was begun with --dataroot"),
    ],
)
def test_another_recipe_under_the_same_name_is_refused(again, capsys, training, said):
    assert again(training=training) == (2, [])
    assert said in capsys.readouterr().err


def test_an_option_that_is_left_out_is_another_recipe(root, capsys):
    """train.py --continue_train alone would take it from the run; a further seed would not have it."""
    assert repeat(root) == 2
    assert "was begun with --val_dataroot" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("own", "more", "said"),
    [
        (["--seeds", "1", "1"], {}, "--seeds 1 1: a seed is named twice"),
        (["--seeds", "-1"], {}, "--seed -1: expected a number from 0"),
        (["--parallel", "0"], {}, "--parallel 0: must be at least 1"),
        (["--metrics", "none"], {}, "--metrics none: there is nothing to report"),
        (["--metrics", "EM"], {}, "no metric is called 'EM'"),
        (["--gpu_ids", "0,0"], {}, "a GPU is named twice"),
        (["--name", "a/b"], {}, "expected the name of a folder"),
        (["--test", "logs=tests"], {}, "'logs' cannot be the name of a folder here"),
        (["--test", "nowhere"], {}, "--test nowhere=nowhere: no such folder"),
        (["--test", "pairs=tests"], {}, "--test: two are called 'pairs'"),
        (["--sedes", "1"], {}, "unknown option --sedes (did you mean --seeds"),
        ([], {"training": ["--seed=3"]}, "--seed=3 is set by this script for every train.py"),
        ([], {"training": ["--nettG", "x"]}, "unknown option --nettG"),
        ([], {"training": ["--lr", "-1"]}, "--lr -1.0: expected a number above 0"),
        ([], {"testing": ["--dataroot", "x"]}, "--dataroot is set by this script for every test.py"),
        ([], {"testing": ["--epoc", "best"]}, "unknown option --epoc"),
        ([], {"testing": ["--", "x"]}, "too many --: expected one before the options of train.py"),
    ],
)
def test_bad_input_is_one_line_before_anything_is_begun(tmp_path, capsys, own, more, said):
    for folder in ("data", "set"):
        write_pairs(tmp_path / folder, 2)
    assert repeat(tmp_path, *own, **more) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert said in error[0]
    assert {path.name for path in tmp_path.iterdir()} == {"data", "set"}


def test_a_recipe_that_would_begin_again_each_time(tmp_path, capsys):
    write_pairs(tmp_path / "data", 2)
    write_pairs(tmp_path / "set", 2)
    (tmp_path / "recipe.yaml").write_text("overwrite: true\n")
    assert repeat(tmp_path, training=["--config", tmp_path / "recipe.yaml"]) == 2
    assert capsys.readouterr().err.startswith("error: overwrite: a training that was begun is resumed here")
    assert not (tmp_path / "out").exists()


def test_devices_are_the_recipes_where_none_are_named(tmp_path, monkeypatch):
    write_pairs(tmp_path / "data", 2)
    write_pairs(tmp_path / "set", 2)
    (tmp_path / "recipe.yaml").write_text("gpu_ids: '-1'\n")
    asked = []

    def begin(tasks, slots, *_):
        asked.extend(slots)
        raise UserError("nothing is begun here")

    monkeypatch.setattr(repeat_training, "run_all", begin)
    own = ["--seeds", "0", "--name", "city", "--test", f"pairs={tmp_path / 'set'}", "--out", str(tmp_path / "out")]
    recipe = ["--dataroot", str(tmp_path / "data"), "--config", str(tmp_path / "recipe.yaml")]
    assert run_command(repeat_training.main, [*own, "--", *recipe, "--", "--with_target"]) == 2
    assert asked == [["--gpu_ids", "-1"]]


def test_there_must_be_a_recipe_and_something_to_report(tmp_path, capsys):
    assert run_command(repeat_training.main, ["--seeds", "0", "--name", "x"]) == 2
    assert "the options of train.py are missing" in capsys.readouterr().err
    assert run_command(repeat_training.main, ["--seeds", "0", "--name", "x", "--", "--dataroot", str(tmp_path)]) == 2
    assert "--test is missing" in capsys.readouterr().err


def test_the_error_of_a_training_is_said_with_its_seed(tmp_path, capsys):
    for folder in ("data", "set"):
        write_pairs(tmp_path / folder, 2)
    assert repeat(tmp_path, "--parallel", 1, training=["--batch_size", 3]) == 2
    lines = [line for line in capsys.readouterr().err.replace("\r", "\n").splitlines() if "seed" in line]
    assert lines == [
        "seed 0: train.py ended with status 2: --batch_size 3: the dataset has only 2 items (more in "
        f"{tmp_path / 'out' / 'logs' / 'train_seed0.log'})",
        "error: seed 0: failed; the same command again resumes it",
    ]
    assert not (tmp_path / "out" / "repeated.csv").exists()


def test_ctrl_c_lets_every_training_save(tmp_path):
    for folder in ("data", "set"):
        write_pairs(tmp_path / folder, 2)
    command = [sys.executable, "scripts/repeat_training.py"]
    command += words(tmp_path, seeds=(3, 4), training=["--n_epochs", 4000, "--print_freq", 2])
    run = tmp_path / "checkpoints" / "city_seed3"
    with Ending(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        records = [run.with_name(f"city_seed{seed}") / "metrics.jsonl" for seed in (3, 4)]
        while process.poll() is None and not all(path.is_file() and path.stat().st_size for path in records):
            time.sleep(0.02)  # until both train: the files are there a moment before
        assert process.poll() is None, process.stderr.read()
        children = children_of(process.pid)
        assert len(children) == 2
        process.send_signal(signal.SIGINT)
        _, message = process.communicate(timeout=60)
    assert process.returncode == 130, message
    assert message.splitlines()[-1] == "interrupted; the same command again resumes it"
    assert not any(is_alive(child) for child in children)
    assert (run / "latest_state.pth").is_file()
    assert "interrupted; saved in" in (tmp_path / "out" / "logs" / "train_seed4.log").read_text()
