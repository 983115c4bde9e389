"""One training in several processes on the CPU: the same result, the same files, one voice, and no hang."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
import torch

from tests.images import stacked, write_pairs
from tests.integration.commands import ROOT, SMALL, Ending, children_of, curve, in_a_shell, is_alive, train
from tests.visdom_server import free_port
from util.images.image_io import write_image

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
TORCHRUN = ["-m", "torch.distributed.run"]


@pytest.fixture
def root(tmp_path):
    write_pairs(tmp_path / "data", 9)
    write_pairs(tmp_path / "val", 3, 45, 61)
    return tmp_path


def words(root, name, *more):
    words = ["--dataroot", root / "data", "--checkpoints_dir", root, "--name", name, *SMALL, "--batch_size", 4]
    words += ["--n_epochs", 25, "--n_epochs_decay", 0, "--print_freq", 4, "--save_epoch_freq", 25]
    return ["train.py", *words, "--no_dropout", *more]


def run(*command):
    done = in_a_shell(*command, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    return done


def weights(root, name, network="G"):
    return torch.load(root / name / f"latest_net_{network}.pth", weights_only=True)


def furthest(one, two):
    return max(float((one[key].double() - two[key].double()).abs().max()) for key in one)


def assert_same_curve(one, two, relative):
    assert len(one) == len(two)
    for before, after in zip(one, two, strict=True):
        assert before.pop("kind") == after.pop("kind")
        assert before == pytest.approx(after, rel=relative)


def in_double(root, name, *more):
    """Weights after 50 steps in 64-bit floats."""
    run("tests/integration/train_in_double.py", *words(root, name, "--norm", "none", *more)[1:])
    return {network: weights(root, name, network) for network in ("G", "D")}


def test_two_processes_train_as_one_with_the_same_batch(root):
    one, two = in_double(root, "one"), in_double(root, "two", "--gpu_ids", "-1,-1")
    for network in ("G", "D"):
        assert one[network]["model_encoder.1.weight" if network == "G" else "net.0.weight"].dtype == torch.float64
        assert furthest(one[network], two[network]) < 1e-12, network


def test_a_batch_in_parts_has_the_same_gradient(root):
    more = ["--clip_grad", "1"]
    one = in_double(root, "one", *more)
    parts = in_double(root, "parts", *more, "--accumulate", 4)
    parts_of_two = in_double(root, "parts_of_two", *more, "--accumulate", 2, "--gpu_ids", "-1,-1")
    for network in ("G", "D"):
        assert furthest(one[network], parts[network]) < 1e-12, network
        assert furthest(one[network], parts_of_two[network]) < 1e-12, network
    assert_same_curve(curve(root / "one"), curve(root / "parts"), 1e-9)


def test_two_processes_record_what_one_does(root):
    """In 32 bits, where Adam makes rounding grow as in tests/snapshots; validation counts no item twice."""
    common = ["--norm", "none", "--val_dataroot", root / "val", "--val_freq", 25, "--ema", 0.9]
    run(*words(root, "one", *common))
    started = run(*words(root, "two", *common, "--gpu_ids", "-1,-1"))
    assert "2 processes with 2 samples of each batch" in started.stderr
    assert started.stderr.count("done: 200 samples, 25 epochs") == 1, "only one of them speaks"
    one, two = curve(root / "one"), curve(root / "two")
    assert len(one) == 51
    # The sources' average does not depend on the weights: three items shared by two processes.
    assert one[-1]["PSNR_average"] == two[-1]["PSNR_average"]
    assert_same_curve(one[:1], two[:1], 1e-5)
    assert_same_curve(one[1:], two[1:], 1e-2)


def test_batch_norm_on_the_cpu_sees_each_processs_own_samples(root):
    """There is no synchronised batch norm for the CPU: as documented, the result is another, but all go one way."""
    run(*words(root, "one", "--norm", "batch"))
    run(*words(root, "two", "--norm", "batch", "--gpu_ids", "-1,-1"))
    assert furthest(weights(root, "one"), weights(root, "two")) > 1e-4
    one, two = curve(root / "one"), curve(root / "two")
    assert two[-1]["G_L1"] == pytest.approx(one[-1]["G_L1"], rel=0.1)


def test_two_processes_that_are_stopped_go_on_bit_for_bit(root):
    common = ["--norm", "batch", "--val_dataroot", root / "val", "--val_freq", 50, "--ema", 0.9, "--gpu_ids", "-1,-1"]
    common += ["--n_epochs", 150]
    command = [sys.executable, *map(str, words(root, "parts", *common))]
    with Ending(command, cwd=ROOT, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as process:
        metrics = root / "parts" / "metrics.jsonl"
        while process.poll() is None and not (metrics.is_file() and metrics.stat().st_size > 500):
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        _, message = process.communicate(timeout=60)
    assert process.returncode == 130, message
    assert "resume with --continue_train" in message.splitlines()[-1]
    assert message.count("stopping after this step") == 1
    state = torch.load(root / "parts" / "latest_state.pth", weights_only=True)
    assert len(state["processes"]) == 2
    run("train.py", "--checkpoints_dir", root, "--name", "parts", "--continue_train")
    run(*words(root, "whole", *common))
    for network in ("G", "D"):
        assert furthest(weights(root, "whole", network), weights(root, "parts", network)) == 0, network
    assert curve(root / "parts") == curve(root / "whole")


def start_torchrun(root, name, *more):
    command = [sys.executable, *TORCHRUN, *more, *words(root, name, "--norm", "none")]
    return subprocess.Popen(
        [str(word) for word in command], cwd=ROOT, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    )


def test_torchrun_starts_the_processes_on_one_or_two_machines(root):
    run(*words(root, "self", "--norm", "none", "--gpu_ids", "-1,-1"))
    one = start_torchrun(root, "one", "--nproc_per_node=2", f"--master_port={free_port()}")
    _, message = one.communicate(timeout=120)
    assert one.returncode == 0, message
    shared = ["--nproc_per_node=1", "--nnodes=2", "--master_addr=127.0.0.1", f"--master_port={free_port()}"]
    two = [start_torchrun(root, "two", *shared, f"--node_rank={rank}") for rank in (0, 1)]
    messages = [node.communicate(timeout=120)[1] for node in two]
    assert [node.returncode for node in two] == [0, 0], messages
    assert "done: 200 samples" in messages[0]
    assert "done" not in messages[1]
    for name in ("one", "two"):
        assert furthest(weights(root, "self"), weights(root, name)) == 0, name


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_is_killed_ends_the_job_which_goes_on_bit_for_bit(root, rank):
    more = ["--gpu_ids", "-1,-1", "--n_epochs", 80, "--save_latest_freq", 8]
    command = [sys.executable, *map(str, words(root, "run", *more))]
    with Ending(command, cwd=ROOT, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as launcher:
        while launcher.poll() is None and not (root / "run" / "latest_net_D.pth").is_file():
            time.sleep(0.02)
        processes = children_of(launcher.pid)
        os.kill(processes[rank], signal.SIGKILL)
        _, message = launcher.communicate(timeout=60)
    assert launcher.returncode == 1
    errors = [line for line in message.splitlines() if "error" in line]
    assert errors == [
        f"error: process {rank} of 2 was killed by SIGKILL, which ends the training; what was saved is kept: "
        "--continue_train resumes from there"
    ]
    assert "Traceback" not in message
    assert torch.load(root / "run" / "latest_state.pth", weights_only=True)["progress"]["samples"] >= 8
    run("train.py", "--checkpoints_dir", root, "--name", "run", "--continue_train")
    run(*words(root, "whole", *more))
    assert furthest(weights(root, "run"), weights(root, "whole")) == 0
    assert curve(root / "run") == curve(root / "whole")


def test_a_launcher_that_is_killed_leaves_no_process_behind(root):
    command = [sys.executable, *map(str, words(root, "run", "--gpu_ids", "-1,-1", "--n_epochs", 100000))]
    with Ending(command, cwd=ROOT, env=ENVIRONMENT, stderr=subprocess.DEVNULL) as launcher:
        while launcher.poll() is None and not (root / "run" / "metrics.jsonl").is_file():
            time.sleep(0.02)
        processes = children_of(launcher.pid)
        launcher.kill()
    assert len(processes) == 2
    deadline = time.monotonic() + 30
    while any(map(is_alive, processes)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [pid for pid in processes if is_alive(pid)]


@pytest.mark.parametrize("seed", [0, 3])
def test_what_is_wrong_with_one_processs_data_is_said_once(root, seed):
    """The image cannot be read: process 0 (seed 0) or 1 (seed 3) meets it, the other waits for that one in vain."""
    write_image(root / "data" / "zz.png", stacked(0))
    (root / "data" / "zz.png").write_bytes((root / "data" / "zz.png").read_bytes()[:400])
    done = in_a_shell(*words(root, "run", "--gpu_ids", "-1,-1", "--seed", seed), env=ENVIRONMENT)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("error") == 1, done.stderr
    assert re.search("^error: .*zz.png", done.stderr, re.MULTILINE), done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_wrong_for_all_is_said_once(root):
    done = in_a_shell(*words(root, "run", "--gpu_ids", "-1,-1", "--batch_size", 3), env=ENVIRONMENT)
    assert done.returncode == 2
    assert done.stderr == "error: --batch_size 3: expected a multiple of 2, as it is shared by 2 processes\n"
    assert not (root / "run").exists()
    torchrun = in_a_shell(*TORCHRUN, "--nproc_per_node=2", *words(root, "run", "--batch_size", 3), env=ENVIRONMENT)
    assert torchrun.returncode != 0
    assert torchrun.stderr.count("error: --batch_size 3") == 1, torchrun.stderr


def test_parts_that_do_not_fit_the_batch_are_named(root, capsys):
    assert train(*words(root, "run", "--accumulate", 3)[1:]) == 2
    assert "--batch_size 4: expected a multiple of 3" in capsys.readouterr().err


def test_a_saved_state_of_two_processes_goes_on_in_one(root, caplog):
    common = ["--norm", "none", "--gpu_ids", "-1,-1"]
    run(*words(root, "run", *common, "--n_epochs", 2))
    assert (
        train("--checkpoints_dir", root, "--name", "run", "--continue_train", "--n_epochs", 3, "--gpu_ids", "-1") == 0
    )
    assert "Saved by 2 processes, resumed by 1" in caplog.text
    records = [json.loads(line) for line in (root / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [record["samples"] for record in records] == [4, 8, 12, 16, 20, 24]


def test_torchrun_overrules_gpu_ids_and_does_not_fuse(root):
    done = in_a_shell(*TORCHRUN, "--nproc_per_node=2", *words(root, "run", "--gpu_ids", "0,1"), env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("--gpu_ids 0,1 has no effect: torchrun says which processes there are.") == 1
    test = ["test.py", "--dataroot", root / "data", "--checkpoints_dir", root, "--name", "run"]
    fused = in_a_shell(*TORCHRUN, "--nproc_per_node=2", *test, env=ENVIRONMENT)
    assert fused.returncode != 0
    assert "error: test.py fuses in one process: start it without torchrun" in fused.stderr


def test_two_processes_train_a_network_whose_features_no_loss_compares(root):
    more = ["--netG", "DeFusionPlus", "--gpu_ids", "-1,-1", "--ndf", 4, "--crop_size", 16, "--batch_size", 4]
    more += ["--num_threads", 0, "--loggers", "none", "--print_freq", 4, "--n_epochs", 1, "--n_epochs_decay", 0]
    run("train.py", "--dataroot", root / "data", "--checkpoints_dir", root, "--name", "run", *more)
    assert curve(root / "run")[-1]["samples"] == 8, "the second step would meet gradients that never came"


def test_a_process_that_leaves_alone_takes_the_others_with_it(root):
    """Ctrl-C that reaches one process only, before it has begun: the other would wait for it for ever."""
    command = [sys.executable, *map(str, words(root, "run", "--gpu_ids", "-1,-1", "--n_epochs", 100000))]
    with Ending(command, cwd=ROOT, env=ENVIRONMENT, stderr=subprocess.DEVNULL) as launcher:
        while launcher.poll() is None and len(processes := children_of(launcher.pid)) < 2:
            time.sleep(0.01)
        deadline = time.monotonic() + 120
        while launcher.poll() is None and time.monotonic() < deadline:
            time.sleep(0.5)
            with contextlib.suppress(ProcessLookupError):  # again, as an import may swallow one
                os.kill(processes[1], signal.SIGINT)
    assert launcher.returncode in (1, 130)


def test_torchrun_with_one_process_is_one_process(root):
    done = in_a_shell(*TORCHRUN, "--nproc_per_node=1", *words(root, "run", "--gpu_ids", "-1,-1"), env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert "processes with" not in done.stderr


def test_machines_that_were_told_different_things_are_refused(root):
    shared = ["--nproc_per_node=1", "--nnodes=2", "--master_addr=127.0.0.1", f"--master_port={free_port()}"]
    two = []
    for rank in (0, 1):
        start = [*TORCHRUN, *shared, f"--node_rank={rank}", *words(root, "run", "--lr", ["0.001", "0.0002"][rank])]
        two.append(
            subprocess.Popen(
                [sys.executable, *map(str, start)], cwd=ROOT, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
            )
        )
    messages = "".join(node.communicate(timeout=120)[1] for node in two)
    assert all(node.returncode for node in two)
    assert "error: --lr is not the same in all processes" in messages
    assert not (root / "run").exists()
