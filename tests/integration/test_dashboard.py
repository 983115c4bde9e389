"""Trainings that are watched: by a real Visdom server that lives, dies, hangs and comes back, and by TensorBoard."""

import itertools
import json
import socket
import time

import pytest
import torch

from scripts import visdom_replay
from tests.images import write_pairs
from tests.integration.commands import SMALL, train
from tests.visdom_server import VisdomServer, closed_port
from util.errors import run_command
from util.loggers import visdom as visdom_logger
from util.loggers.background import BackgroundLogger
from util.loggers.metrics_file import FileLogger

pytest.importorskip("visdom")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = VisdomServer(tmp_path_factory.mktemp("visdom"))
    yield running
    running.stop()


@pytest.fixture
def data(tmp_path):
    write_pairs(tmp_path / "data", 4)
    write_pairs(tmp_path / "val", 1)
    return tmp_path


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A busy machine's server needs more than a training gives it."""
    set_patience(monkeypatch, patience=60.0, timeout=60.0)


def set_patience(monkeypatch, *, patience, timeout):
    monkeypatch.setattr(visdom_logger, "PATIENCE", patience)
    # A default is bound when the class is made, so the constant itself would come too late.
    monkeypatch.setattr("util.loggers.visdom_client.VisdomClient.__init__.__defaults__", (timeout,))


@pytest.fixture
def quick(monkeypatch):
    """A watcher that looks more often, so that trainings can be short, however slow its server is."""
    monkeypatch.setattr(visdom_logger, "LARGEST_SHARE", 1.0)
    monkeypatch.setattr(visdom_logger, "RETRY_SECONDS", 0.1)
    monkeypatch.setattr(visdom_logger, "RETURN_SECONDS", 0.2)


def words(root, name, port):
    """A training that Visdom watches at this port; that nobody watches when it is None."""
    found = ["--dataroot", root / "data", "--checkpoints_dir", root, "--name", name, *SMALL, "--print_freq", 2]
    found += ["--n_epochs_decay", 0, "--loggers", "page,visdom"]
    return found + (["--display_id", 1, "--display_port", port] if port else [])


def records(folder, kind):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [record for record in map(json.loads, lines) if record["kind"] == kind]


def weights(folder):
    return torch.load(folder / "latest_net_G.pth", weights_only=True)


def assert_shows_all(server, folder):
    """Every curve has exactly the points of the record on disk."""
    name = folder.name
    recorded = records(folder, "losses")
    curves = server.curves(name, f"{name}: losses")
    assert set(curves) == set(recorded[0]) - {"kind", "epoch", "samples", "lr", "samples_per_s"}
    for curve, points in curves.items():
        assert points == [(record["samples"], pytest.approx(record[curve])) for record in recorded]


def at_record(monkeypatch, number, action):
    """Does something between two steps, as soon as a training has made so many records."""
    handle, count = FileLogger.handle, itertools.count(1)

    def handle_and_act(self, event):
        handle(self, event)
        if event.kind == "losses" and next(count) == number:
            action()

    monkeypatch.setattr(FileLogger, "handle", handle_and_act)


def wait_for(condition):
    deadline = time.monotonic() + 180
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_windows_of_a_training_are_in_the_server(server, data):
    assert train(*words(data, "first", server.port), "--n_epochs", 2, "--val_dataroot", data / "val") == 0
    windows = server.windows("first")
    charts = {"losses", "learning rate", "samples per second", "validation PSNR", "validation SSIM"}
    images = {"source_1", "source_2", "fused", "target", "reconstruction_1", "reconstruction_2"}
    expected = {"about"} | charts | {f"image {label}" for label in images}
    assert set(windows) == {f"first: {name}" for name in expected}
    assert_shows_all(server, data / "first")
    recorded = records(data / "first", "validation")
    curves = server.curves("first", "first: validation PSNR")
    for name in ("PSNR", "PSNR_average"):
        assert curves[name] == [(record["samples"], pytest.approx(record[name])) for record in recorded]
    assert windows["first: image fused"]["title"] == "fused, 2 samples"
    assert windows["first: image fused"]["content"]["src"].startswith("data:image/png;base64,")
    about = windows["first: about"]["content"]
    assert "done: 8 samples, 2 epochs" in about
    assert "R2GAN_generator" in about


def test_a_run_that_goes_on_continues_its_curves_and_one_that_starts_anew_begins_them(server, data):
    more = ["--val_dataroot", data / "val"]
    assert train(*words(data, "parts", server.port), "--n_epochs", 1, *more) == 0
    assert train(*words(data, "parts", server.port), "--n_epochs", 3, *more, "--continue_train") == 0
    assert [record["samples"] for record in records(data / "parts", "losses")] == [2, 4, 6, 8, 10, 12]
    assert_shows_all(server, data / "parts")
    assert len(server.curves("parts", "parts: validation PSNR")["PSNR"]) == 3
    assert train(*words(data, "parts", server.port), "--n_epochs", 1, "--overwrite") == 0
    assert_shows_all(server, data / "parts")
    assert "parts: validation PSNR" not in server.windows("parts"), "this run does not validate"


def test_without_a_server_training_is_the_same_and_says_one_line(data, caplog):
    with closed_port() as port:
        assert train(*words(data, "watched", port), "--n_epochs", 2) == 0
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "no server there. Training continues and is recorded" in warnings[0]
    assert train(*words(data, "unwatched", None), "--n_epochs", 2) == 0
    watched, unwatched = weights(data / "watched"), weights(data / "unwatched")
    assert all(torch.equal(watched[key], unwatched[key]) for key in unwatched)


def test_a_server_that_is_killed_half_way_changes_nothing_and_is_said_once(data, caplog, quick, monkeypatch):
    server = VisdomServer(data)
    at_record(monkeypatch, 5, server.stop)
    assert train(*words(data, "killed", server.port), "--n_epochs", 5) == 0
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert f"scripts/visdom_replay.py --name killed --checkpoints_dir {data}" in warnings[0]
    assert train(*words(data, "unwatched", None), "--n_epochs", 5) == 0
    watched, unwatched = weights(data / "killed"), weights(data / "unwatched")
    assert all(torch.equal(watched[key], unwatched[key]) for key in unwatched)


def test_a_server_that_is_restarted_shows_whole_curves_again(data, quick, monkeypatch):
    server = VisdomServer(data)
    seen = {}

    def restart():
        server.stop()
        server.start()

    def shows_what_came_before():
        if "restarted: losses" not in server.windows("restarted"):
            return False
        seen.update(server.curves("restarted", "restarted: losses"))
        return len(seen["G_L1"]) >= 4

    def look():
        wait_for(lambda: "restarted" in server.environments())
        wait_for(shows_what_came_before)

    at_record(monkeypatch, 5, restart)
    at_record(monkeypatch, 8, look)
    assert train(*words(data, "restarted", server.port), "--n_epochs", 5) == 0
    assert [samples for samples, _ in seen["G_L1"]][:4] == [2, 4, 6, 8], "what the old server had is there again"
    assert_shows_all(server, data / "restarted")
    assert "restarted: image fused" in server.windows("restarted")
    server.stop()


def test_a_server_that_never_answers_does_not_slow_a_training(data, caplog, monkeypatch):
    set_patience(monkeypatch, patience=0.2, timeout=300.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        assert train(*words(data, "patient", silent.getsockname()[1]), "--n_epochs", 2) == 0
        assert time.monotonic() - started < 200
        warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [record["samples"] for record in records(data / "patient", "losses")] == [2, 4, 6, 8]
    assert len(warnings) == 1
    assert "not all was drawn within 0.2 s of the end" in warnings[0]


def test_a_recorded_training_is_shown_later(server, data, capsys):
    assert train(*words(data, "later", None), "--n_epochs", 1) == 0
    replay = ["--name", "later", "--checkpoints_dir", str(data), "--display_port", str(server.port)]
    for _ in range(2):
        assert run_command(visdom_replay.main, replay) == 0
    assert "10 windows sent" in capsys.readouterr().out
    assert_shows_all(server, data / "later")
    windows = server.windows("later")
    assert windows["later: image fused"]["title"] == "fused, 2 samples"
    assert "done: 4 samples, 1 epochs" in windows["later: about"]["content"]
    assert run_command(visdom_replay.main, [*replay, "--display_env", "other place"]) == 0
    assert set(server.windows("other place")) == set(windows)


def test_a_replay_without_server_or_run_is_one_line(data, capsys):
    assert train(*words(data, "later", None), "--n_epochs", 1) == 0
    capsys.readouterr()
    with closed_port() as port:
        words_of = ["--checkpoints_dir", str(data), "--display_port", str(port)]
        for name, said in (("later", "no server there"), ("never", "no training is recorded there")):
            assert run_command(visdom_replay.main, ["--name", name, *words_of]) == 2
            message = capsys.readouterr().err
            assert message.startswith("error: ")
            assert message.count("\n") == 1
            assert said in message


def test_all_watchers_together_change_nothing(data, monkeypatch, server):
    pytest.importorskip("tensorboard")
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    # On a busy machine W&B takes longer to start than so short a training would wait for it.
    monkeypatch.setitem(BackgroundLogger.__init__.__kwdefaults__, "patience", 240.0)
    for name in ("INIT_SECONDS", "FINISH_SECONDS"):
        monkeypatch.setattr(f"util.loggers.wandb.{name}", 120)
    loggers = "console,page,visdom,tensorboard,wandb"
    more = ["--n_epochs", 2, "--num_threads", 2, "--loggers"]  # workers are forked beside the watchers' threads
    assert train(*words(data, "watched", server.port), *more, loggers) == 0
    assert train(*words(data, "unwatched", None), *more, "none") == 0
    watched, unwatched = weights(data / "watched"), weights(data / "unwatched")
    assert all(torch.equal(watched[key], unwatched[key]) for key in unwatched)
    assert len(list((data / "watched" / "tensorboard").glob("events*"))) == 1
    assert len(list((data / "watched").glob("wandb/offline-run-*/run-*.wandb"))) == 1
    wandb.teardown()
