import json

import numpy as np
import pytest

from util.images.image_io import write_image
from util.loggers.board import Board
from util.loggers.events import LoggedRun, ResumePoint, TrainingEvent
from util.loggers.metrics_file import FileLogger
from util.loggers.page import PageLogger
from util.loggers.recorded import fill_board


@pytest.fixture
def recorded(tmp_path):
    files, page = FileLogger(LoggedRun("run", tmp_path)), PageLogger(LoggedRun("run", tmp_path))
    for samples in (2, 4):
        events = [TrainingEvent("losses", samples, samples // 2, values={"G": float(samples), "D": float("nan")})]
        events += [TrainingEvent("validation", samples, samples // 2, values={"PSNR": 20.0 + samples})]
        events += [TrainingEvent("images", samples, 1, images={"fused": np.full((3, 4, 3), samples, np.uint8)})]
        for event in events:
            files.handle(event)
            page.handle(event)
    return tmp_path


def windows(folder, **options):
    board = Board("run", {})
    fill_board(board, folder, **options)
    return board.take_changes()


def test_curves_and_the_newest_images_come_from_disk(recorded):
    found = windows(recorded)
    assert [samples for samples, _ in found["losses"].rows] == [2, 4]
    assert np.isnan(found["losses"].rows[0][1]["D"])
    assert found["validation PSNR"].rows == [(2, {"PSNR": 22.0}), (4, {"PSNR": 24.0})]
    assert (found["image fused"].pixels == 4).all()
    assert found["about"].facts["last record"] == "epoch 2, 4 samples"
    assert found["about"].facts["state"] == "running"


def test_a_training_that_goes_on_shows_what_it_keeps(recorded):
    found = windows(recorded, keep=ResumePoint(2, 2).keeps)
    assert found["losses"].rows[-1][0] == 2
    assert found["validation PSNR"].rows == [(2, {"PSNR": 22.0})]
    assert (found["image fused"].pixels == 2).all()


def test_how_it_ended_is_said_as_far_as_it_is_known(recorded):
    assert windows(recorded, closed=True)["about"].facts["state"] == "as recorded, no end so far"
    PageLogger(LoggedRun("run", recorded, resume_at=ResumePoint(4, 2))).handle(
        TrainingEvent("end", 4, 2, text="done: 4")
    )
    assert windows(recorded, closed=True)["about"].facts["state"] == "done: 4"


def test_records_and_images_that_others_wrote_do_no_harm(recorded):
    write_image(recorded / "outside.png", np.zeros((3, 4, 3), np.uint8))
    with (recorded / "metrics.jsonl").open("a") as file:
        for values in ({"G": None}, {"G": [1]}, {"G": "text"}):
            file.write(json.dumps({"kind": "losses", "epoch": None, "samples": 6, **values}) + "\n")
        file.write(json.dumps({"kind": "unknown", "epoch": 1, "samples": 6, "G": 1.0}) + "\n")
    images = [["outside", "../outside.png"], ["gone", "images/gone.png"], ["odd"], 3]
    with (recorded / "web" / "records.html").open("a") as file:
        file.write("\n" + json.dumps({"kind": "images", "samples": 6, "epoch": 2, "images": images}))
    found = windows(recorded)
    assert [samples for samples, _ in found["losses"].rows] == [2, 4]
    assert not [name for name in found if name.startswith("image")]


def test_a_folder_without_records_is_an_empty_board(tmp_path):
    assert list(windows(tmp_path)) == ["about"]
