"""A training that is killed without warning, again and again, ends as if nothing had happened."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
import torch

from tests.images import write_pairs
from tests.integration.commands import ROOT, SMALL, curve

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
KILLS = 20  # every second one inside a save


def arguments(root, name, workers, *more):
    words = ["--dataroot", root / "data", "--checkpoints_dir", root, "--name", name, *SMALL]
    words += ["--num_threads", workers, "--n_epochs", 80, "--n_epochs_decay", 40, "--print_freq", 2, "--ema", 0.9]
    words += ["--save_latest_freq", 6, "--save_epoch_freq", 10, "--val_dataroot", root / "val", "--val_freq", 3, *more]
    return list(map(str, words))


def run(script, words):
    return subprocess.run(
        [sys.executable, script, *words], cwd=ROOT, env=ENVIRONMENT, check=False, capture_output=True, text=True
    )


def kill_in_a_save(words, rng):
    """Kills in the middle of a file: the state, or one of the networks after it."""
    where = [str(rng.randint(1, 9)), str(rng.choice([0, 1, 1000, 20000]))]
    return run("tests/integration/train_and_die.py", where + words).returncode


def kill_at_some_moment(words, folder, rng):
    """Kills some time after the first record."""
    started, records = time.time(), folder / "metrics.jsonl"
    command = [sys.executable, "train.py", *words]
    with subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not (records.is_file() and records.stat().st_mtime > started):
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.15))
        process.kill()
        return process.wait()


def last_call(folder):
    return ["--continue_train"] if (folder / "latest_state.pth").is_file() else ["--overwrite"]


@pytest.mark.timeout(1800)  # some twenty starts of the program
@pytest.mark.parametrize("workers", [0, 2])
def test_a_killed_training_ends_with_the_same_weights_and_curve(tmp_path, workers):
    write_pairs(tmp_path / "data", 8)
    write_pairs(tmp_path / "val", 2)
    whole = run("train.py", arguments(tmp_path, "whole", 0))
    assert whole.returncode == 0, whole.stderr
    folder, rng = tmp_path / "parts", random.Random(workers)
    for kill in range(KILLS):
        words = arguments(tmp_path, "parts", workers, *last_call(folder))
        status = kill_at_some_moment(words, folder, rng) if kill % 2 else kill_in_a_save(words, rng)
        assert status == -signal.SIGKILL, f"kill {kill}: the training was over before"
        if kill % 2 == 0:
            assert list(folder.glob(".*.tmp")), "the kill left a file half-written"
    done = run("train.py", arguments(tmp_path, "parts", workers, *last_call(folder)))
    assert done.returncode == 0, done.stderr
    for name in ("latest_net_G.pth", "latest_net_D.pth", "best_net_G.pth", "120_net_G.pth"):
        first, second = (torch.load(tmp_path / run / name, weights_only=True) for run in ("whole", "parts"))
        assert all(torch.equal(first[key], second[key]) for key in first), name
    assert curve(folder) == curve(tmp_path / "whole")
    assert not list(folder.glob(".*.tmp")), "what a kill left half-written is gone"
