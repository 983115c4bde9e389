"""A training that stops at a moment chosen to be awkward, and goes on."""

import json
import math

import pytest
import torch

from engine.checkpoint import CheckpointFolder
from engine.training.trainer import Trainer
from tests.images import write_pairs
from tests.integration.commands import SMALL, curve, train


@pytest.fixture
def words(tmp_path):
    """A training of three epochs of two steps, whose last records come before --print_freq is full."""
    write_pairs(tmp_path / "data", 4)
    write_pairs(tmp_path / "val", 1)
    words = ["--dataroot", tmp_path / "data", "--checkpoints_dir", tmp_path, *SMALL, "--val_dataroot", tmp_path / "val"]
    words += ["--n_epochs", 3, "--n_epochs_decay", 0, "--print_freq", 8, "--save_latest_freq", 2]
    return [*words, "--save_epoch_freq", 1]


@pytest.mark.parametrize("epoch", ["1", "3"])
def test_a_crash_between_a_validation_and_the_save_after_it_repeats_no_record(words, tmp_path, monkeypatch, epoch):
    save = Trainer._save

    def crash(trainer, label=None):
        if label == epoch:
            raise RuntimeError("the power is gone")
        save(trainer, label)

    assert train(*words, "--name", "whole") == 0
    monkeypatch.setattr(Trainer, "_save", crash)
    with pytest.raises(RuntimeError):
        train(*words, "--name", "parts")
    monkeypatch.setattr(Trainer, "_save", save)
    assert train(*words, "--name", "parts", "--continue_train") == 0
    assert curve(tmp_path / "parts") == curve(tmp_path / "whole")
    records = (tmp_path / "parts" / "web" / "records.html").read_text()
    assert records.count('"kind":"validation"') == 3
    assert records.count('"kind":"losses"') == 2
    whole, parts = (torch.load(tmp_path / run / "latest_net_G.pth", weights_only=True) for run in ("whole", "parts"))
    assert all(torch.equal(whole[key], parts[key]) for key in whole)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_cannot_be_read_costs_nothing_that_was_learnt(words, tmp_path, capsys, workers):
    words += ["--num_threads", workers, "--save_latest_freq", 1000, "--dataset_mode", "decomposition"]
    assert train(*words, "--name", "whole") == 0
    image = sorted((tmp_path / "data").rglob("*.png"))[2]
    content = image.read_bytes()
    image.write_bytes(content[: len(content) // 2])
    assert train(*words, "--name", "parts") == 2
    said = capsys.readouterr().err
    assert f"cannot read {image}" in said
    assert f"saved in {tmp_path / 'parts'}: resume with --continue_train" in said
    image.write_bytes(content)
    assert train(*words, "--name", "parts", "--continue_train") == 0
    assert curve(tmp_path / "parts") == curve(tmp_path / "whole")


def rates(folder):
    return [record["lr"] for record in curve(folder) if record["kind"] == "losses"]


@pytest.mark.parametrize("policy", ["linear", "multistep", "cosine", "plateau"])
def test_a_run_goes_on_with_another_rate_and_momentum_under_any_policy(words, tmp_path, policy):
    words += ["--name", "run", "--print_freq", 4]
    assert train(*words, "--lr_policy", "linear") == 0
    more = ["--continue_train", "--accept_changes", "--lr_policy", policy, "--lr", 1e-5, "--beta1", 0.9]
    more += ["--lr_milestones", 2, 3]
    assert train(*words, *more, "--n_epochs", 5) == 0
    cosine = 1e-5 * (1 + math.cos(math.pi * 3 / 5)) / 2
    first = {"linear": 1e-5, "multistep": 1e-7, "cosine": cosine, "plateau": 1e-5}[policy]
    assert rates(tmp_path / "run")[2:4] == [2e-4, pytest.approx(first)]
    state = torch.load(tmp_path / "run" / "latest_state.pth", weights_only=True)
    (group,) = state["model"]["optimizers"]["G"]["param_groups"]
    assert group["betas"] == (0.9, 0.999)


def test_accepted_changes_are_not_forgotten_when_the_job_ends_before_its_first_save(words, tmp_path, monkeypatch):
    words += ["--name", "run", "--print_freq", 4, "--save_latest_freq", 1000]
    assert train(*words) == 0
    save = Trainer._save
    monkeypatch.setattr(Trainer, "_save", lambda *_: 1 / 0)
    more = ["--continue_train", "--n_epochs", 5]
    with pytest.raises(ZeroDivisionError):
        train(*words, *more, "--accept_changes", "--lr_policy", "plateau", "--lr", 1e-5)
    monkeypatch.setattr(Trainer, "_save", save)
    assert train("--checkpoints_dir", tmp_path, "--name", "run", *more) == 0
    assert rates(tmp_path / "run")[3:] == [1e-5, 1e-5]


def test_another_validation_set_starts_a_search_for_the_best_of_its_own(words, tmp_path):
    words += ["--name", "run"]
    assert train(*words) == 0
    (tmp_path / "run" / "best_net_G.pth").unlink()
    write_pairs(tmp_path / "harder", 1, 128, 128)
    assert (
        train(*words, "--continue_train", "--accept_changes", "--val_dataroot", tmp_path / "harder", "--n_epochs", 4)
        == 0
    )
    assert (tmp_path / "run" / "best_net_G.pth").is_file()


def test_a_job_that_was_ended_before_its_first_save_begins(words, tmp_path, caplog):
    assert train(*words, "--name", "run", "--continue_train") == 0
    folder = tmp_path / "run"
    said = [message for message in caplog.messages if "Nothing was saved" in message]
    assert said == [f"Nothing was saved in {folder} yet: the training begins."]
    assert train(*words, "--name", "whole") == 0
    assert curve(tmp_path / "run") == curve(tmp_path / "whole")


def test_a_name_near_that_of_a_run_is_said_before_a_training_begins_anew(words, tmp_path, caplog):
    (tmp_path / "PMF").mkdir()
    (tmp_path / "PMF" / "latest_net_G.pth").touch()
    assert train(*words, "--name", "PFM", "--continue_train", "--n_epochs", 1) == 0
    said = f"Nothing was saved in {tmp_path / 'PFM'} yet (did you mean PMF?): the training begins."
    assert said in caplog.messages


def test_two_trainings_that_begin_at_once_do_not_destroy_each_other(words, tmp_path, monkeypatch, capsys):
    """The second has looked at the empty folder; the first trains and ends before the second locks it."""
    lock = CheckpointFolder.lock

    def lock_late(folder):
        monkeypatch.setattr(CheckpointFolder, "lock", lock)
        assert train(*words, "--name", "run") == 0
        lock(folder)

    monkeypatch.setattr(CheckpointFolder, "lock", lock_late)
    assert train(*words, "--name", "run", "--n_epochs", 1) == 2
    assert "already holds a training" in capsys.readouterr().err
    state = torch.load(tmp_path / "run" / "latest_state.pth", weights_only=True)
    assert state["progress"]["epoch"] == 4


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda options: options | {"run": 5}, "not an options.json"),
        (lambda options: options | {"training": options["training"] | {"lr": "fast"}}, "lr is 'fast'"),
    ],
)
def test_an_options_file_that_was_edited_badly_is_named(words, tmp_path, capsys, edit, said):
    assert train(*words, "--name", "run", "--n_epochs", 1) == 0
    path = tmp_path / "run" / "options.json"
    path.write_text(json.dumps(edit(json.loads(path.read_text()))))
    assert train("--checkpoints_dir", tmp_path, "--name", "run", "--continue_train") == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert str(path) in message
    assert said in message


def test_an_option_that_a_run_was_begun_without_knowing_does_not_keep_it_from_going_on(words, tmp_path):
    assert train(*words, "--name", "run", "--n_epochs", 1) == 0
    path = tmp_path / "run" / "options.json"
    options = json.loads(path.read_text())
    del options["generator"]["decoders"], options["training"]["accumulate"]
    path.write_text(json.dumps(options))
    assert train("--checkpoints_dir", tmp_path, "--name", "run", "--continue_train", "--n_epochs", 2) == 0


def test_an_option_that_a_run_was_begun_without_knowing_had_its_default(words, tmp_path, capsys):
    assert train(*words, "--name", "run", "--n_epochs", 1) == 0
    path = tmp_path / "run" / "options.json"
    options = json.loads(path.read_text())
    del options["training"]["lr_min"]
    path.write_text(json.dumps(options))
    more = ["--checkpoints_dir", tmp_path, "--name", "run", "--continue_train", "--n_epochs", 2, "--lr_min", 1e-5]
    assert train(*more) == 2
    assert "--lr_min 0.0 (now 1e-05)" in capsys.readouterr().err
