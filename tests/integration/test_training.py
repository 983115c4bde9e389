import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch

from tests.images import stacked, write_pairs, write_photographs
from tests.integration.commands import ROOT, SMALL, in_a_shell, train
from util.images.image_io import write_image


def test_the_run_folder_holds_what_the_interface_promises(trained):
    folder = trained / "checkpoints" / "run"
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "train_opt.txt", "options.json", "latest_state.pth", "loss_log.txt", "metrics.jsonl", "web", ".lock",
        "latest_net_G.pth", "latest_net_D.pth", "best_net_G.pth",
        "1_net_G.pth", "1_net_D.pth", "2_net_G.pth", "2_net_D.pth",
    }  # fmt: skip
    for path in folder.glob("*.pth"):
        assert torch.load(path, weights_only=True)
    assert (folder / "web" / "index.html").is_file()
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    losses = [record for record in records if record["kind"] == "losses"]
    assert [record["samples"] for record in losses] == [2, 4, 6, 8, 10, 12]
    assert {"G_GAN", "G_L1", "D_real", "D_fake", "G_L1_R1", "G_L1_R2", "lr", "samples_per_s"} <= set(losses[0])
    validations = [record for record in records if record["kind"] == "validation"]
    assert [record["epoch"] for record in validations] == [1, 2]
    assert validations[0]["PSNR_average"] == pytest.approx(validations[1]["PSNR_average"])


def test_the_saved_generator_is_the_averaged_one(trained):
    folder = trained / "checkpoints" / "run"
    state = torch.load(folder / "latest_state.pth", weights_only=True)
    saved = torch.load(folder / "latest_net_G.pth", weights_only=True)
    key = "model_encoder.1.weight"
    assert torch.equal(saved[key], state["averaged"][f"module.{key}"])
    assert not torch.equal(saved[key], state["model"]["networks"]["G"][key])


def test_a_run_folder_is_not_overwritten_by_accident(trained, capsys):
    words = ["--dataroot", trained / "data", "--checkpoints_dir", trained / "checkpoints", "--name", "run", *SMALL]
    before = (trained / "checkpoints" / "run" / "latest_state.pth").read_bytes()
    assert train(*words) == 2
    assert "--continue_train" in capsys.readouterr().err
    assert (trained / "checkpoints" / "run" / "latest_state.pth").read_bytes() == before


def test_continuing_a_finished_run_does_nothing(trained, tmp_path):
    shutil.copytree(trained / "checkpoints", tmp_path / "checkpoints")
    words = ["--dataroot", trained / "data", "--checkpoints_dir", tmp_path / "checkpoints", "--name", "run", *SMALL]
    before = {path: path.read_bytes() for path in (tmp_path / "checkpoints").rglob("*") if path.is_file()}
    assert train(*words, "--n_epochs", 1, "--n_epochs_decay", 1, "--ema", 0.9, "--continue_train") == 0
    after = {path: path.read_bytes() for path in (tmp_path / "checkpoints").rglob("*") if path.is_file()}
    assert after == before


def test_a_continued_run_ends_with_the_weights_of_an_uninterrupted_one(tmp_path):
    write_pairs(tmp_path / "data", 4)
    words = ["--dataroot", tmp_path / "data", "--checkpoints_dir", tmp_path, *SMALL, "--n_epochs_decay", 0]
    assert train(*words, "--name", "whole", "--n_epochs", 3) == 0
    assert train(*words, "--name", "parts", "--n_epochs", 1) == 0
    assert train(*words, "--name", "parts", "--n_epochs", 3, "--continue_train") == 0
    whole, parts = (torch.load(tmp_path / name / "latest_net_G.pth", weights_only=True) for name in ("whole", "parts"))
    assert all(torch.equal(whole[key], parts[key]) for key in whole)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--batch_size", "9"], "--batch_size 9"),
        (["--num_sources", "4"], "panels"),
        (["--val_dataroot", "EMPTY"], "EMPTY"),
        (["--netG", "unet_256"], "--crop_size"),
        (["--crop_size", "4"], "--crop_size 4"),
        (["--netD", "basic", "--crop_size", "16"], "--netD basic"),
    ],
)
def test_bad_training_input_leaves_no_run_folder(tmp_path, capsys, words, named):
    write_pairs(tmp_path / "data", 2)
    (tmp_path / "EMPTY").mkdir()
    words = [str(tmp_path / word) if word == "EMPTY" else word for word in words]
    assert train("--dataroot", tmp_path / "data", "--checkpoints_dir", tmp_path, "--name", "run", *SMALL, *words) == 2
    assert named in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_last_state(tmp_path, capsys):
    write_pairs(tmp_path / "data", 2)
    words = ["--dataroot", tmp_path / "data", "--checkpoints_dir", tmp_path, "--name", "run", *SMALL]
    assert train(*words, "--n_epochs", 1, "--n_epochs_decay", 0) == 0
    before = (tmp_path / "run" / "latest_state.pth").read_bytes()
    # more than a 32-bit float holds: the weighted loss is infinite
    status = train(*words, "--n_epochs", 4, "--continue_train", "--accept_changes", "--lambda_L1", "1e39")
    assert status == 2
    message = capsys.readouterr().err
    assert "NaN or infinite" in message
    assert (tmp_path / "run" / "latest_state.pth").read_bytes() == before


@pytest.mark.parametrize(
    "words",
    [
        ["--gan_mode", "lsgan", "--lr_policy", "cosine", "--norm", "instance", "--init_type", "kaiming"],
        ["--gan_mode", "wgangp", "--norm", "none", "--precision", "bf16", "--clip_grad", "1"],
        ["--preprocess", "none", "--batch_size", "1"],
        ["--preprocess", "scale_width", "--load_size", "31", "--netG", "resnet_6blocks"],
        ["--gan_mode", "wgangp", "--netD", "basic", "--lr_policy", "step", "--norm", "none", "--init_type", "xavier"],
        ["--lambda_GAN", "0", "--decoders", "separate", "--n_blocks", "9", "--precision", "bf16", "--no_html"],
        ["--netG", "unet_128", "--crop_size", "128", "--netD", "n_layers", "--n_layers_D", "2"],
        ["--netG", "resnet_6blocks", "--init_type", "orthogonal", "--no_channels_last", "--no_dropout"],
        ["--lr_policy", "plateau", "--val_dataroot", "VAL", "--no_flip", "--serial_batches"],
    ],
)
def test_every_choice_trains(tmp_path, words):
    write_pairs(tmp_path / "data", 2)
    write_pairs(tmp_path / "VAL", 1)
    words = [str(tmp_path / word) if word == "VAL" else word for word in words]
    status = train(
        "--dataroot", tmp_path / "data", "--checkpoints_dir", tmp_path, "--name", "run", *SMALL,
        "--n_epochs", 1, "--n_epochs_decay", 0, *words,
    )  # fmt: skip
    assert status == 0
    assert (tmp_path / "run" / "1_net_G.pth").is_file()
    assert (tmp_path / "run" / "web").exists() == ("--no_html" not in words)


def test_pairs_made_on_the_fly(tmp_path):
    write_photographs(tmp_path / "data", 2)
    status = train(
        "--dataroot", tmp_path / "data", "--dataset_mode", "pmf", "--checkpoints_dir", tmp_path, "--name", "run",
        *SMALL, "--n_epochs", 1, "--n_epochs_decay", 0,
    )  # fmt: skip
    assert status == 0


def test_an_error_in_a_shell_is_one_line_without_a_traceback(tmp_path):
    done = in_a_shell("train.py", "--dataroot", tmp_path / "nowhere")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "nowhere" in done.stderr
    assert done.stdout == ""
    loud = in_a_shell("train.py", "--dataroot", tmp_path / "nowhere", "--verbose")
    assert "Traceback" in loud.stderr


def test_starting_anew_leaves_nothing_of_the_old_training(tmp_path):
    write_pairs(tmp_path / "data", 2)
    words = ["--dataroot", tmp_path / "data", "--checkpoints_dir", tmp_path, "--name", "run", *SMALL]
    assert train(*words, "--n_epochs", 2, "--n_epochs_decay", 0, "--save_epoch_freq", 1) == 0
    assert train(*words, "--n_epochs", 1, "--n_epochs_decay", 0, "--save_epoch_freq", 1, "--overwrite") == 0
    assert not (tmp_path / "run" / "2_net_G.pth").exists()
    assert (tmp_path / "run" / "1_net_G.pth").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_training_saves_and_goes_on_bit_for_bit(tmp_path, number):
    """Stopped in the middle of an epoch, with workers, then continued: as if nothing had happened."""
    write_pairs(tmp_path / "data", 8)
    words = ["train.py", "--dataroot", tmp_path / "data", "--checkpoints_dir", tmp_path, *SMALL, "--num_threads", "2"]
    words += ["--n_epochs", "60", "--n_epochs_decay", "0", "--print_freq", "2", "--save_latest_freq", "100000"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *map(str, words)]
    process = subprocess.Popen(
        [*command, "--name", "parts"], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    )
    metrics = tmp_path / "parts" / "metrics.jsonl"
    while process.poll() is None and not (metrics.is_file() and metrics.read_text().count("\n") > 5):
        time.sleep(0.05)
    process.send_signal(number)
    _, message = process.communicate(timeout=120)
    assert process.returncode == 130, message
    assert "--continue_train" in message.splitlines()[-1]
    state = torch.load(tmp_path / "parts" / "latest_state.pth", weights_only=True)
    assert 0 < state["progress"]["samples"] < 480
    for name, more in (("parts", ["--continue_train"]), ("whole", [])):
        done = in_a_shell(*words, "--name", name, *more, env=environment)
        assert done.returncode == 0, done.stderr
    whole, parts = (torch.load(tmp_path / name / "latest_net_G.pth", weights_only=True) for name in ("whole", "parts"))
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
    records = [json.loads(line)["samples"] for line in metrics.read_text().splitlines()]
    assert records == list(range(2, 482, 2)), "the curve goes on without a gap or a repetition"


def test_a_bad_validation_image_is_said_before_the_training(tmp_path, capsys):
    write_pairs(tmp_path / "data", 2)
    write_pairs(tmp_path / "val", 1)
    write_image(tmp_path / "val" / "z.png", stacked(0)[:, :-1])
    words = ["--dataroot", tmp_path / "data", "--checkpoints_dir", tmp_path, "--name", "run", *SMALL]
    assert train(*words, "--val_dataroot", tmp_path / "val") == 2
    assert "--val_dataroot" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_folder_with_published_weights_is_not_overwritten(tmp_path, capsys):
    write_pairs(tmp_path / "data", 2)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "latest_net_G.pth").write_bytes(b"precious")
    assert train("--dataroot", tmp_path / "data", "--checkpoints_dir", tmp_path, "--name", "run", *SMALL) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "run" / "latest_net_G.pth").read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--ngf", "8"], "--ngf 4 (now 8)"),
        (["--norm", "none"], "--norm batch (now none)"),
        (["--lambda_GAN", "0"], "--lambda_GAN 1.0 (now 0.0)"),
        (["--netG", "resnet_6blocks"], "--netG R2GAN_generator (now resnet_6blocks)"),
    ],
)
def test_a_run_goes_on_with_its_own_networks_only(trained, tmp_path, capsys, words, named):
    shutil.copytree(trained / "checkpoints", tmp_path / "checkpoints")
    common = ["--dataroot", trained / "data", "--checkpoints_dir", tmp_path / "checkpoints", "--name", "run", *SMALL]
    assert train(*common, "--n_epochs", 9, "--continue_train", *words) == 2
    assert named in capsys.readouterr().err


def test_a_run_goes_on_with_averaging_or_another_rate_where_that_is_said(tmp_path, capsys):
    write_pairs(tmp_path / "data", 2)
    words = ["--dataroot", tmp_path / "data", "--checkpoints_dir", tmp_path, "--name", "run", *SMALL]
    assert train(*words, "--n_epochs", 1, "--n_epochs_decay", 0) == 0
    more = ["--n_epochs", 2, "--n_epochs_decay", 0, "--continue_train", "--ema", 0.9, "--lr", 0.001]
    assert train(*words, *more) == 2
    message = capsys.readouterr().err
    assert "--ema 0.0 (now 0.9), --lr 0.0002 (now 0.001)" in message
    assert "n_epochs" not in message
    assert train(*words, *more, "--accept_changes") == 0
    state = torch.load(tmp_path / "run" / "latest_state.pth", weights_only=True)
    assert "averaged" in state


def test_a_line_break_in_a_name_stays_one_line(tmp_path, capsys):
    assert train("--dataroot", f"{tmp_path}/a\nb") == 2
    assert capsys.readouterr().err == f"error: --dataroot {tmp_path}/a\\nb: no such folder\n"
    assert train("--dataroot", "x" * 300) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_run_folder_that_disappears_is_said(tmp_path, capsys):
    write_pairs(tmp_path / "data", 2)
    words = ["--dataroot", tmp_path / "data", "--checkpoints_dir", tmp_path / "c", "--name", "run", *SMALL, "--no_html"]
    (tmp_path / "c").write_text("a file where a folder should be")
    assert train(*words) == 2
    assert str(tmp_path / "c") in capsys.readouterr().err.splitlines()[-1]


def test_a_network_of_luma_trains_on_coloured_pairs(tmp_path, caplog):
    write_pairs(tmp_path / "data", 2, 16, 16)
    words = [
        *("--dataroot", tmp_path / "data", "--val_dataroot", tmp_path / "data", "--name", "luma"),
        *("--checkpoints_dir", tmp_path, "--netG", "SMFNet", "--init_type", "xavier", "--init_gain", 1, "--ndf", 4),
        *("--crop_size", 16, "--batch_size", 2, "--n_epochs", 1, "--n_epochs_decay", 0, "--gpu_ids", "-1"),
        *("--loggers", "page", "--num_threads", 0),
    ]
    assert train(*words) == 0
    assert "failed" not in caplog.text
    assert (tmp_path / "luma" / "web" / "index.html").is_file()
    assert list((tmp_path / "luma" / "web").rglob("*.png"))
