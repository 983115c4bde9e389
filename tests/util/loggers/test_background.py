import logging
import threading

import pytest

from util.loggers.background import MOST_IMAGES, QUEUE_LENGTH, BackgroundLogger
from util.loggers.events import TrainingEvent

PATIENCE = 60.0  # a busy machine may not run a thread for seconds


class Listener:
    def __init__(self, fails_at=None):
        self.heard, self.fails_at = [], fails_at

    def handle(self, event):
        if event.samples == self.fails_at:
            raise OSError("no space left\non device")
        self.heard.append((event.kind, event.samples))


def tell(logger, count=3):
    for samples in range(1, count + 1):
        logger.handle(TrainingEvent("progress", samples, 1))
        logger.handle(TrainingEvent("losses", samples, 1, values={"G": 1.0}))
    logger.handle(TrainingEvent("end", count, 1, text="done"))


def test_a_listener_hears_everything_but_progress_before_the_end_returns(caplog):
    listener = Listener()
    tell(BackgroundLogger("X", lambda: listener, advice="-", patience=PATIENCE))
    assert listener.heard == [("losses", 1), ("losses", 2), ("losses", 3), ("end", 3)]
    assert caplog.messages == []


@pytest.mark.parametrize("fails_at", [1, 3])
def test_a_listener_that_fails_is_named_once_and_left_out(caplog, fails_at):
    listener = Listener(fails_at)
    tell(BackgroundLogger("X", lambda: listener, advice="Do this.", patience=PATIENCE))
    assert listener.heard == [("losses", samples) for samples in range(1, fails_at)]
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert caplog.messages[0].startswith("X failed (no space left\\non device)")
    assert caplog.messages[0].endswith("Do this.")


def test_a_listener_that_cannot_be_made_is_left_out(caplog):
    def make():
        raise RuntimeError

    tell(BackgroundLogger("X", make, advice="Do this.", patience=PATIENCE))
    assert len(caplog.messages) == 1
    assert "RuntimeError" in caplog.messages[0]


@pytest.mark.parametrize("events", [3, 20_000])
def test_a_listener_that_hangs_neither_delays_nor_ends_anything(caplog, events):
    """It never comes to the end; with many events its queue is full before."""
    forever = threading.Event()
    logger = BackgroundLogger("X", forever.wait, advice="Do this.", patience=0.2)
    training = threading.Thread(target=tell, args=(logger, events), daemon=True)
    training.start()
    training.join(PATIENCE)
    assert not training.is_alive(), "it waits for a listener that never comes back"
    assert len(caplog.messages) == 1
    assert ("does not keep up" if events > QUEUE_LENGTH else "was not done") in caplog.messages[0]
    forever.set()


def test_a_slow_start_costs_images_but_no_values(caplog):
    listener, ready = Listener(), threading.Event()
    logger = BackgroundLogger("X", lambda: ready.wait() and listener, advice="-", patience=PATIENCE)
    for samples in range(1, 501):
        logger.handle(TrainingEvent("losses", samples, 1, values={"G": 1.0}))
        logger.handle(TrainingEvent("images", samples, 1))
    ready.set()
    logger.handle(TrainingEvent("end", 500, 1, text="done"))
    heard = {kind: [samples for of, samples in listener.heard if of == kind] for kind in ("losses", "images", "end")}
    assert heard == {"losses": list(range(1, 501)), "images": list(range(1, MOST_IMAGES + 1)), "end": [500]}
    assert caplog.messages == []


def test_its_thread_cannot_keep_the_process_alive():
    forever = threading.Event()
    BackgroundLogger("hanging", forever.wait, advice="-")
    assert [thread.daemon for thread in threading.enumerate() if thread.name == "hanging logger"] == [True]
    forever.set()
