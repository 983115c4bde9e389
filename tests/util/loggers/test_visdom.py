import random
import threading
import time

import numpy as np
import pytest
import torch

from util.loggers import visdom as module
from util.loggers.board import Board
from util.loggers.events import TrainingEvent
from util.loggers.visdom import VisdomLogger


class Server:
    """Stands for the client and the server behind it: what is drawn, and how the server feels."""

    def __init__(self):
        self.windows, self.down, self.calls, self.removed = {}, False, 0, []

    def _answer(self):
        self.calls += 1
        if self.down:
            raise RuntimeError("no server there")

    def remove_windows(self, prefix):
        self._answer()
        self.removed.append(prefix)

    def has_window(self, window):
        self._answer()
        return window in self.windows

    def draw(self, window, content):
        self._answer()
        self.windows[window] = content


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(module, "RETURN_SECONDS", 0.02)
    monkeypatch.setattr(module, "PATIENCE", 60.0)  # a busy machine may not run a thread for seconds
    monkeypatch.setattr(module, "LARGEST_SHARE", 1.0)  # nor shall a draw that took long delay the next by minutes


def logger_of(server, **changes):
    options = {"prefix": "run: ", "where": "http://here:1", "advice": "Do this.", "fresh": False} | changes
    return VisdomLogger(Board("run", {}), server, **options)


def losses(samples):
    return TrainingEvent("losses", samples, 1, values={"G": float(samples)})


END = TrainingEvent("end", 9, 1, text="done")


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def drawn(server):
    return [samples for samples, _ in server.windows["run: losses"].rows]


def test_everything_is_drawn_when_the_end_returns(caplog):
    server = Server()
    logger = logger_of(server)
    for samples in (2, 4):
        logger.handle(TrainingEvent("progress", samples, 1))
        logger.handle(losses(samples))
    logger.handle(END)
    assert drawn(server) == [2, 4]
    assert server.windows["run: about"].facts["state"] == "done"
    assert server.removed == []
    assert caplog.messages == []


def test_a_fresh_run_removes_the_windows_of_the_one_before():
    server = Server()
    logger_of(server, fresh=True).handle(END)
    assert server.removed == ["run: "]


def test_a_server_that_is_not_there_is_said_once_and_its_windows_are_whole_when_it_comes(caplog):
    caplog.set_level("INFO")
    server = Server()
    server.down = True
    logger = logger_of(server)
    wait_for(lambda: server.calls > 3)
    logger.handle(losses(2))
    assert len(caplog.messages) == 1
    assert "http://here:1: no server there" in caplog.messages[0]
    assert "Do this." in caplog.messages[0]
    server.down = False
    wait_for(lambda: "run: losses" in server.windows)
    logger.handle(losses(4))
    logger.handle(END)
    assert drawn(server) == [2, 4]
    assert len(caplog.messages) == 2
    assert "shows the whole training" in caplog.messages[1]


def test_one_failure_is_no_news_and_three_in_a_row_are(caplog):
    server = Server()
    logger = logger_of(server)
    wait_for(lambda: server.windows)
    draw, fails = server.draw, iter([True, True])

    def falter(window, content):
        if next(fails, False):
            raise RuntimeError("slow")
        draw(window, content)

    server.draw = falter
    logger.handle(losses(2))
    wait_for(lambda: "run: losses" in server.windows)
    assert caplog.messages == []
    server.down = True
    logger.handle(losses(4))
    wait_for(lambda: caplog.messages)
    logger.handle(END)
    assert len(caplog.messages) == 1


def test_a_server_that_dies_just_before_the_end_is_still_said(caplog):
    server = Server()
    logger = logger_of(server)
    wait_for(lambda: server.windows)
    server.down = True
    logger.handle(END)
    assert len(caplog.messages) == 1


def test_a_restarted_server_gets_every_window_again():
    server = Server()
    logger = logger_of(server)
    logger.handle(losses(2))
    wait_for(lambda: "run: losses" in server.windows)
    server.windows = {}
    logger.handle(TrainingEvent("validation", 2, 1, values={"PSNR": 20.0}))
    wait_for(lambda: "run: validation PSNR" in server.windows)
    assert drawn(server) == [2]
    logger.handle(END)


def test_a_client_that_hangs_delays_nothing_and_the_end_is_bounded_and_said(monkeypatch, caplog):
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    server, forever = Server(), threading.Event()
    server.has_window = lambda window: forever.wait()
    logger = logger_of(server)

    def tell():
        for samples in range(1000):
            logger.handle(losses(samples))
        logger.handle(END)

    training = threading.Thread(target=tell, daemon=True)
    training.start()
    training.join(60)
    assert not training.is_alive(), "it waits for a server that never answers"
    assert len(caplog.messages) == 1
    assert "not all was drawn within 0.2 s of the end" in caplog.messages[0]
    assert caplog.messages[0].endswith("Do this.")
    forever.set()


def test_a_mistake_of_our_own_does_not_reach_the_training(caplog):
    logger = logger_of(Server())
    for _ in range(2):
        logger.handle(TrainingEvent("losses", 2, 1, values=None))
    logger.handle(END)
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "left out" in warning


def test_no_random_generator_is_touched():
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()
    logger = logger_of(Server())
    logger.handle(losses(2))
    logger.handle(END)
    after = torch.get_rng_state(), np.random.get_state(), random.getstate()
    assert torch.equal(before[0], after[0])
    assert str(before[1:]) == str(after[1:])
