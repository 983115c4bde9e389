"""What a training leaves behind when the disk, a helper process or the scheduler ends it."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch

from engine.training import validation
from tests.images import write_pairs
from tests.integration.commands import ROOT, SMALL, Ending, children_of, curve, in_a_shell, train

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture
def disk(tmp_path):
    """Mounts a small disk: `disk(options)` returns its folder, and changes its options when called again."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = False

    def mount(options):
        nonlocal mounted
        how = f"remount,{options}" if mounted else options
        if shutil.which("mount") is None:
            pytest.skip("there is no mount command here")
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", how, "tmpfs", folder], capture_output=True, text=True, check=False
        )
        if done.returncode and not mounted:
            pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
        assert done.returncode == 0, done.stderr
        mounted = True
        return folder

    yield mount
    if mounted:
        subprocess.run(["umount", "--lazy", folder], check=True)


def words(root, checkpoints, name, *more):
    words = ["train.py", "--dataroot", root / "data", "--checkpoints_dir", checkpoints, "--name", name, *SMALL]
    words += ["--n_epochs", 40, "--n_epochs_decay", 0, "--print_freq", 2, "--save_latest_freq", 6]
    return [*words, "--save_epoch_freq", 2, "--ema", 0.9, *more]


def start(*command):
    return Ending(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for_records(process, folder, count):
    records = folder / "metrics.jsonl"
    while process.poll() is None and not (records.is_file() and records.read_text().count("\n") >= count):
        time.sleep(0.01)
    assert process.poll() is None, process.stderr.read()


def assert_equal_runs(one, two):
    for network in "GD":
        first, second = (torch.load(run / f"latest_net_{network}.pth", weights_only=True) for run in (one, two))
        assert all(torch.equal(first[key], second[key]) for key in first), network
    assert curve(one) == curve(two)


@pytest.fixture
def root(tmp_path):
    write_pairs(tmp_path / "data", 8)
    return tmp_path


def test_a_full_disk_keeps_the_last_whole_state(root, disk, capsys):
    checkpoints = disk("size=2500k")
    assert train(*words(root, checkpoints, "run")[1:]) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith(f"error: {checkpoints / 'run'}")
    assert "No space left on device" in message
    assert not list((checkpoints / "run").glob(".*.tmp")), "nothing half-written takes the space"
    samples = torch.load(checkpoints / "run" / "latest_state.pth", weights_only=True)["progress"]["samples"]
    assert 0 < samples < 320
    disk("size=50m")
    assert train("--checkpoints_dir", checkpoints, "--name", "run", "--continue_train") == 0
    assert train(*words(root, root, "whole")[1:]) == 0
    assert_equal_runs(checkpoints / "run", root / "whole")


def test_a_read_only_folder_is_named_before_the_training(root, disk, capsys):
    checkpoints = disk("ro")
    assert train(*words(root, checkpoints, "run")[1:]) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message == f"error: {checkpoints / 'run'}: cannot be written to (Read-only file system)"


def test_a_worker_that_is_killed_in_mid_epoch_ends_the_training_with_one_line(root):
    with start(*words(root, root, "run", "--num_threads", 2)) as process:
        wait_for_records(process, root / "run", 14)
        while process.poll() is None:  # a worker lives for an epoch only and may have gone by itself
            for worker in children_of(process.pid)[:1]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
        _, message = process.communicate(timeout=60)
    assert process.returncode == 1, message
    assert "a process that loads data ended" in message.splitlines()[-1]
    assert "--continue_train" in message.splitlines()[-1]
    assert "Traceback" not in message
    assert train("--checkpoints_dir", root, "--name", "run", "--continue_train", "--num_threads", 0) == 0
    assert train(*words(root, root, "whole")[1:]) == 0
    assert_equal_runs(root / "run", root / "whole")


@pytest.mark.parametrize("workers", [0, 2])
def test_a_scheduler_that_ends_all_processes_at_once_finds_the_state_saved(root, workers):
    """SIGTERM to the whole group, workers included, in the middle of an epoch."""
    with start(*words(root, root, "run", "--num_threads", workers)) as process:
        wait_for_records(process, root / "run", 13)
        os.killpg(process.pid, signal.SIGTERM)
        _, message = process.communicate(timeout=60)
    assert process.returncode == 130, message
    assert message.splitlines()[-1] == f"interrupted; saved in {root / 'run'}: resume with --continue_train"
    assert train("--checkpoints_dir", root, "--name", "run", "--continue_train") == 0
    assert train(*words(root, root, "whole")[1:]) == 0
    assert_equal_runs(root / "run", root / "whole")


def test_a_stop_during_the_validation_is_heard_at_once(root, monkeypatch, capsys):
    """The stop comes at the second of six images, and the whole measurement is made again later."""
    write_pairs(root / "val", 6)
    more = ["--val_dataroot", root / "val", "--n_epochs", 2, "--save_latest_freq", 10000]
    fuse, measured = validation.fuse_batch, []

    def stop_at_the_second(*arguments):
        measured.append(1)
        if len(measured) == 2:
            signal.raise_signal(signal.SIGINT)
        return fuse(*arguments)

    monkeypatch.setattr(validation, "fuse_batch", stop_at_the_second)
    assert train(*words(root, root, "run", *more)[1:]) == 130
    assert "resume with --continue_train" in capsys.readouterr().err
    assert len(measured) == 2
    progress = torch.load(root / "run" / "latest_state.pth", weights_only=True)["progress"]
    assert (progress["epoch"], progress["samples"]) == (1, 8)
    assert train("--checkpoints_dir", root, "--name", "run", "--continue_train") == 0
    assert train(*words(root, root, "whole", *more)[1:]) == 0
    assert_equal_runs(root / "run", root / "whole")


def test_a_terminal_that_is_closed_ends_the_training_with_the_state_saved(root, request):
    """Nobody reads any more what it writes, and SIGHUP says so; the suite may run under nohup, which ignores it."""
    inherited = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    request.addfinalizer(lambda: signal.signal(signal.SIGHUP, inherited))
    with start(*words(root, root, "run", "--n_epochs", 4000)) as process:
        wait_for_records(process, root / "run", 13)
        process.stderr.close()
        process.send_signal(signal.SIGHUP)
        process.wait(60)
    state = torch.load(root / "run" / "latest_state.pth", weights_only=True)
    records = curve(root / "run")
    assert state["progress"]["samples"] == records[-1]["samples"] >= 26
    assert process.returncode == 130


def test_a_folder_in_use_by_another_training_is_refused(root):
    with start(*words(root, root, "run", "--n_epochs", 4000)) as process:
        wait_for_records(process, root / "run", 8)
        for more in ("--continue_train", "--overwrite"):
            second = in_a_shell(*words(root, root, "run", "--n_epochs", 4000), more, env=ENVIRONMENT)
            assert second.returncode == 2
            assert second.stderr.splitlines()[-1].startswith(f"error: {root / 'run'} is in use by another training")
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, message = process.communicate(timeout=60)
    assert process.returncode == 130, message
