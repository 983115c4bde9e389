import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

from tests.visdom_server import closed_port
from util.loggers.board import Board
from util.loggers.events import TrainingEvent

pytest.importorskip("visdom")
from util.loggers.visdom_client import VisdomClient, VisdomError, about_html, plot_text, safe_env

NASTY = "<b>x</b> & <a href='javascript:alert(1)'>\"$a$\""


class Recorder(BaseHTTPRequestHandler):
    """Takes everything for granted and keeps it."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, json.loads(body, parse_constant=pytest.fail)))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(b"true")

    def log_message(self, *words):
        pass


@pytest.fixture
def server():
    with HTTPServer(("127.0.0.1", 0), Recorder) as server:
        server.got, server.status = [], 200
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def client_of(server):
    return VisdomClient("http://127.0.0.1", server.server_port, "env", timeout=60)


def windows_of(*events):
    board = Board(NASTY, {NASTY: NASTY})
    for event in events:
        board.add(event)
    return board.take_changes()


def test_a_chart_is_json_without_nan_and_markup(server):
    event = TrainingEvent("losses", 2, 1, values={NASTY: float("nan"), "G": float("inf"), "D": -1.0})
    client_of(server).draw("w", windows_of(event)["losses"])
    ((path, message),) = server.got
    assert (path, message["eid"], message["win"]) == ("/events", "env", "w")
    assert [trace["y"] for trace in message["data"]] == [[None], [None], [-1.0]]
    assert message["data"][0]["name"] == plot_text(NASTY)
    assert message["opts"]["title"] == "losses"
    assert "title" not in message["layout"], "the window's bar shows it"


def test_an_image_shows_its_label_and_samples_and_is_not_sent_larger_than_needed(server):
    image = np.arange(40 * 2000 * 3, dtype=np.uint8).reshape(40, 2000, 3)
    client_of(server).draw("w", windows_of(TrainingEvent("images", 7, 1, images={NASTY: image}))[f"image {NASTY}"])
    ((_, message),) = server.got
    assert message["opts"]["title"] == f"{NASTY}, 7 samples", "a title is text to the page"
    source = message["data"][0]["content"]["src"]
    assert source.startswith("data:image/png;base64,")
    assert len(source) < image.nbytes


def test_texts_for_visdom_hold_no_markup():
    board = Board(NASTY, {NASTY: NASTY})
    text = about_html(board.take_changes()["about"])
    assert "<b>" not in text
    assert "<a" not in text
    assert "&lt;b&gt;x&lt;/b&gt;" in text
    assert plot_text(NASTY).startswith("&lt;b&gt;x&lt;/b&gt; &amp; &lt;a")
    assert "$" not in plot_text(NASTY)


@pytest.mark.parametrize(
    ("name", "env"),
    [
        ("PMF_R2GAN", "PMF_R2GAN"),
        ("größe 2", "größe 2"),
        ("a/b\\c'#?%<x>", "a_b_c_____x_"),
        ("..", "main"),
        ("", "main"),
    ],
)
def test_an_environment_has_a_name_that_its_server_can_bear(name, env):
    assert safe_env(name) == env


def test_no_server_is_an_error_that_says_so_and_prints_nothing(capfd, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with closed_port() as port:
        client = VisdomClient("http://127.0.0.1", port, "env", timeout=60)
        for call in (lambda: client.has_window("w"), lambda: client.draw("w", windows_of()["about"])):
            with pytest.raises(VisdomError, match="no server there"):
                call()
    assert capfd.readouterr() == ("", "")


def test_an_error_page_is_no_success(server):
    server.status = 500
    with pytest.raises(VisdomError, match="status 500"):
        client_of(server).draw("w", windows_of()["about"])


def test_a_server_that_never_answers_is_not_waited_for_for_ever():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = VisdomClient("http://127.0.0.1", silent.getsockname()[1], "env", timeout=0.2)
        with pytest.raises(VisdomError, match=r"no answer within 0\.2 s"):
            client.has_window("w")


def test_a_proxy_of_the_environment_is_not_used(server, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert client_of(server).has_window("w")
