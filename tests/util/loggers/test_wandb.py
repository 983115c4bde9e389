"""Weights & Biases, always without a connection: what it would send later is in its file."""

import random

import numpy as np
import pytest
import torch

from options.watching import WatchingOptions
from util.errors import UserError
from util.loggers.events import LoggedRun, ResumePoint, TrainingEvent

wandb = pytest.importorskip("wandb")
from util.loggers.wandb import WandbLogger  # noqa: E402

EVENTS = [
    TrainingEvent("progress", 2, 1),
    TrainingEvent("losses", 2, 1, values={"G_L1": 0.4321}),
    TrainingEvent("validation", 2, 1, values={"PSNR": 20.5}),
    TrainingEvent("images", 2, 1, images={"fused": np.zeros((4, 5, 3), np.uint8)}),
    TrainingEvent("losses", 4, 1, values={"G_L1": 0.1234}),
    TrainingEvent("end", 4, 1, text="done"),
]


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("INIT_SECONDS", "FINISH_SECONDS"):  # a busy machine needs more
        monkeypatch.setattr(f"util.loggers.wandb.{name}", 120)
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    teardown()
    yield
    teardown()


def teardown():
    """W&B reads the environment once per process."""
    wandb.teardown()


def logged(folder, *, resumed):
    resume_at = ResumePoint(0, 1) if resumed else None
    options = WatchingOptions(wandb_project_name="project")
    return LoggedRun("name", folder, {"model": "pix2pix"}, resume_at=resume_at, options=options)


def run(folder, events, *, resumed):
    logger = WandbLogger(logged(folder, resumed=resumed))
    for event in events:
        logger.handle(event)
    wandb.teardown()  # as at the end of a process: only then is its file sure to be whole


def test_curves_and_images_are_recorded_in_the_run_folder(tmp_path):
    run(tmp_path, EVENTS, resumed=False)
    (file,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    content = file.read_bytes()
    for word in (b"losses/G_L1", b"0.4321", b"0.1234", b"validation/PSNR", b"20.5", b"samples", b"pix2pix"):
        assert word in content, word
    assert len(list(tmp_path.glob("wandb/offline-run-*/files/media/images/images/fused*.png"))) == 1


def test_a_run_that_goes_on_is_the_same_run_and_a_new_one_is_not(tmp_path):
    ids = []
    for resumed in (False, True, False):
        run(tmp_path, EVENTS[-1:], resumed=resumed)
        ids.append((tmp_path / "wandb_id.txt").read_text().strip())
    assert ids[0] == ids[1] != ids[2]
    used = {file.stem.removeprefix("run-") for file in tmp_path.glob("wandb/offline-run-*/run-*.wandb")}
    assert used == set(ids)


class Run:
    """Stands for a W&B resumed run after step 4, online."""

    def __init__(self):
        self.starting_step = self.step = 5
        self.logged = []

    def define_metric(self, *words, **options):
        pass

    def log(self, content, step):
        self.step = step
        self.logged.append((step, content["samples"]))


def test_a_validation_at_the_last_record_of_a_resumed_run_is_not_dropped(tmp_path, monkeypatch):
    found = Run()
    monkeypatch.setattr(wandb, "init", lambda **options: found)
    logger = WandbLogger(logged(tmp_path, resumed=True))
    for kind, samples in (("losses", 3), ("losses", 4), ("validation", 4), ("losses", 5), ("losses", 6)):
        logger.handle(TrainingEvent(kind, samples, 1, values={"x": 1.0}))
    assert found.logged == [(5, 4), (5, 5), (6, 6)]


def test_no_random_generator_is_touched(tmp_path):
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()
    run(tmp_path, EVENTS, resumed=False)
    after = torch.get_rng_state(), np.random.get_state(), random.getstate()
    assert torch.equal(before[0], after[0])
    assert str(before[1:]) == str(after[1:])


def test_without_an_account_it_says_so_and_asks_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    wandb.teardown()
    with pytest.raises(UserError, match="no W&B account is logged in"):
        run(tmp_path, EVENTS, resumed=False)
