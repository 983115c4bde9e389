"""What a person sees: the dashboard of a training in a real browser."""

import numpy as np
import pytest

pytest.importorskip("visdom")

from scripts.visdom_offline import find_missing, find_static
from tests.browser import By, WebDriverWait, headless_chromium, needs_chromium
from tests.images import write_pairs
from tests.integration.commands import SMALL, train
from tests.visdom_server import VisdomServer
from util.errors import UserError
from util.loggers.board import Board
from util.loggers.events import TrainingEvent
from util.loggers.visdom_client import VisdomClient


def without_page():
    try:
        return bool(find_missing(find_static()))
    except UserError:
        return True


pytestmark = [
    needs_chromium,
    pytest.mark.skipif(without_page(), reason="visdom's page assets are missing: run scripts/visdom_offline.py"),
]
NASTY = "<b>x</b> & <img src=x onerror='window.hurt=1'> <a href=\"javascript:alert(1)\">$\\alpha$</a>"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = VisdomServer(tmp_path_factory.mktemp("visdom"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with headless_chromium(tmp_path_factory.mktemp("profile"), width=1500, height=1200) as driver:
        yield driver


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A busy machine's server needs more than a training gives it."""
    monkeypatch.setattr("util.loggers.visdom.PATIENCE", 60.0)
    monkeypatch.setattr(VisdomClient.__init__, "__defaults__", (60.0,))


def titles(browser):
    return {found.text for found in browser.find_elements(By.CSS_SELECTOR, ".window .bar div.pull-right")}


def wait(browser, condition):
    return WebDriverWait(browser, 30).until(condition)


def test_losses_validation_images_and_state_are_seen(browser, server, tmp_path):
    write_pairs(tmp_path / "data", 4)
    write_pairs(tmp_path / "val", 1)
    words = ["--dataroot", tmp_path / "data", "--val_dataroot", tmp_path / "val", "--checkpoints_dir", tmp_path]
    words += ["--name", "seen", *SMALL, "--loggers", "visdom", "--display_id", 1, "--display_port", server.port]
    assert train(*words, "--print_freq", 2, "--n_epochs", 3, "--n_epochs_decay", 0) == 0
    browser.get(f"http://127.0.0.1:{server.port}/env/seen")
    images = {f"{name}, 2 samples" for name in ("source_1", "source_2", "fused", "target")}
    charts = {"losses", "learning rate", "samples per second", "validation PSNR", "validation SSIM"}
    wait(browser, lambda driver: titles(driver) >= {"seen"} | images | charts)
    wait(browser, lambda driver: len(driver.find_elements(By.CSS_SELECTOR, ".scatterlayer .trace")) == 12)
    legend = {found.text for found in browser.find_elements(By.CSS_SELECTOR, ".legendtext")}
    assert {"G_L1", "D_real", "PSNR", "PSNR_average"} <= legend
    images = browser.find_elements(By.CSS_SELECTOR, "img.content-image")
    assert len(images) == 6
    assert all(image.size["width"] > 100 and image.get_property("naturalWidth") == 32 for image in images)
    assert "done: 12 samples, 3 epochs" in browser.find_element(By.CSS_SELECTOR, ".content-text").text


def test_texts_are_shown_as_they_are_and_run_nothing(browser, server):
    board = Board(NASTY, {NASTY: NASTY})
    for samples in (1, 2):
        board.add(TrainingEvent("losses", samples, 1, values={NASTY: 1.0, "D": float("nan")}))
    board.add(TrainingEvent("validation", 2, 1, values={NASTY: 1.0}))
    board.add(TrainingEvent("images", 2, 1, images={NASTY: np.zeros((8, 8, 3), np.uint8)}))
    client = VisdomClient("http://127.0.0.1", server.port, NASTY)
    assert client.replace_windows(f"{NASTY}: ", board) == 4
    browser.get(f"http://127.0.0.1:{server.port}/env/{client.environment}")
    wait(browser, lambda driver: titles(driver) >= {NASTY, "losses", f"{NASTY}, 2 samples", f"validation {NASTY}"})
    wait(browser, lambda driver: driver.find_elements(By.CSS_SELECTOR, ".legendtext"))
    assert [found.text for found in browser.find_elements(By.CSS_SELECTOR, ".legendtext")] == [NASTY, "D"]
    assert NASTY in browser.find_element(By.CSS_SELECTOR, ".content-text").text
    assert browser.execute_script("return window.hurt") is None
    assert not browser.find_elements(By.CSS_SELECTOR, ".content-text img, .legend a, .legend b, .content-text a")
