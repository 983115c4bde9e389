import json
import random
import time

import numpy as np
import pytest
import torch

from util.loggers.events import LoggedRun, ResumePoint, TrainingEvent
from util.loggers.metrics_file import FileLogger, read_records

pytest.importorskip("tensorboard")
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from util.loggers.tensorboard import TensorBoardLogger

IMAGE = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)


def events(first, last):
    """Two steps are an epoch; after it comes its validation, at the same number of samples."""
    for samples in range(first, last + 1):
        epoch = (samples + 1) // 2
        yield TrainingEvent("progress", samples, epoch)
        yield TrainingEvent("losses", samples, epoch, values={"G_L1": float(samples), "lr": 0.5})
        if samples % 2 == 0:
            yield TrainingEvent("validation", samples, epoch, values={"PSNR": 20.0, "PSNR_average": 19.0})


def end(samples=4):
    return TrainingEvent("end", samples, 1, text="done")


def points(folder, tag):
    seen = EventAccumulator(str(folder / "tensorboard")).Reload()
    return [(event.step, event.value) for event in seen.Scalars(tag)]


def test_curves_and_images_over_samples(tmp_path):
    logger = TensorBoardLogger(LoggedRun("run", tmp_path, {"model": "pix2pix"}))
    for event in [*events(1, 4), TrainingEvent("images", 4, 2, images={"fused": IMAGE}), end()]:
        logger.handle(event)
    assert points(tmp_path, "losses/G_L1") == [(1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0)]
    assert points(tmp_path, "pace/lr")[0] == (1, 0.5)
    assert points(tmp_path, "validation/PSNR") == [(2, 20.0), (4, 20.0)]
    assert points(tmp_path, "validation/PSNR_average") == [(2, 19.0), (4, 19.0)]
    seen = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(image.step, image.width, image.height) for image in seen.Images("images/fused")] == [(4, 5, 4)]
    assert "facts/text_summary" in seen.Tags()["tensors"]


def test_a_run_that_starts_anew_leaves_nothing_of_the_one_before(tmp_path):
    for last in (4, 1):
        logger = TensorBoardLogger(LoggedRun("run", tmp_path))
        for event in [*events(1, last), end()]:
            logger.handle(event)
    assert points(tmp_path, "losses/G_L1") == [(1, 1.0)]


@pytest.mark.parametrize(
    "resume_at",
    [ResumePoint(2, 1), ResumePoint(2, 2), ResumePoint(3, 2)],
    ids=["before validation", "after it", "later"],
)
def test_a_run_that_goes_on_neither_loses_nor_doubles_a_point(tmp_path, resume_at):
    """Killed after 4 samples, it goes on from a state saved before; only some of the records after it are repeated."""
    run = LoggedRun("run", tmp_path)
    files, board = FileLogger(run), TensorBoardLogger(run)
    for event in [*events(1, 4), end()]:
        files.handle(event)
        board.handle(event)
    time.sleep(1)  # files of one process and second are read in the order of their numbers as text: 10 before 9
    run = LoggedRun("run", tmp_path, resume_at=resume_at)
    files = FileLogger(run)
    board = TensorBoardLogger(run, read_records(tmp_path / "metrics.jsonl"))
    repeated = list(events(resume_at.samples + 1, 6))
    if resume_at == ResumePoint(2, 1):
        repeated.insert(0, TrainingEvent("validation", 2, 1, values={"PSNR": 20.0, "PSNR_average": 19.0}))
    for event in [*repeated, end()]:
        files.handle(event)
        board.handle(event)
    assert points(tmp_path, "losses/G_L1") == [(samples, float(samples)) for samples in range(1, 7)]
    assert points(tmp_path, "validation/PSNR") == [(2, 20.0), (4, 20.0), (6, 20.0)]


def test_no_random_generator_is_touched(tmp_path):
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()
    logger = TensorBoardLogger(LoggedRun("run", tmp_path))
    for event in [*events(1, 2), TrainingEvent("images", 2, 1, images={"fused": IMAGE}), end()]:
        logger.handle(event)
    after = torch.get_rng_state(), np.random.get_state(), random.getstate()
    assert torch.equal(before[0], after[0])
    assert str(before[1:]) == str(after[1:])


def test_values_that_are_not_finite_are_recorded_as_such(tmp_path):
    FileLogger(LoggedRun("run", tmp_path)).handle(TrainingEvent("losses", 2, 1, values={"G": float("inf")}))
    assert json.loads((tmp_path / "metrics.jsonl").read_text())["G"] == "inf"
    run = LoggedRun("run", tmp_path, resume_at=ResumePoint(2, 1))
    logger = TensorBoardLogger(run, read_records(tmp_path / "metrics.jsonl"))
    logger.handle(end())
    assert points(tmp_path, "losses/G") == [(2, float("inf"))]
