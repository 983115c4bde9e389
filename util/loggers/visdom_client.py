"""Visdom's own client, made safe to use beside a training, and how a board looks in it.

It is imported only where it is chosen. The official client waits for ever for a server that does not answer, prints
what went wrong, takes an error page for success, and goes through the proxies of the environment even to this machine.
Its `_handle_post` is the place that it offers for changing that.
"""

from __future__ import annotations

import html
import json
import re
from typing import Any

import cv2
import numpy as np
import requests
import visdom

from util.loggers.board import AVERAGE, About, Board, Chart, Shot, Window

TIMEOUT = 3.0  # seconds to connect, and seconds without an answer
LONGEST_SIDE = 768  # pixels of an image that is sent


class VisdomError(Exception):
    """The server does not do what it should; the message says what."""


class VisdomClient(visdom.Visdom):
    """Draws windows in one environment of a server, which has `timeout` seconds to answer.

    Every method raises `VisdomError` when the server does not do its part.
    """

    def __init__(self, server: str, port: int, env: str, timeout: float = TIMEOUT) -> None:
        # send=False: the constructor would talk to the server; use_incoming_socket=False: no second thread.
        self.environment = safe_env(env)
        super().__init__(server=server, port=port, env=self.environment, send=False, use_incoming_socket=False)
        self.send, self._timeout = True, timeout
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy for the internet knows nothing of a server on this machine

    def _handle_post(self, url: str, data: Any = None) -> str:
        try:
            response = self._session.post(url, data=data or {}, timeout=self._timeout)
        except requests.Timeout as error:
            raise VisdomError(f"no answer within {self._timeout:g} s") from error
        except requests.RequestException as error:
            raise VisdomError("no server there") from error
        if not response.ok:
            raise VisdomError(f"the server answered with status {response.status_code}")
        return str(response.text)

    def has_window(self, window: str) -> bool:
        """Whether the environment has this window."""
        return str(self._send({"win": window}, endpoint="win_exists")) == "true"

    def remove_windows(self, prefix: str) -> None:
        """Removes the windows whose names begin with `prefix`."""
        if self.environment in json.loads(self._send({}, endpoint="env_state")):
            for window in json.loads(self.get_window_data(win=None)):
                if window.startswith(prefix):
                    self.close(window)

    def replace_windows(self, prefix: str, board: Board) -> int:
        """Draws the whole board in the place of all windows of this prefix and returns how many there are."""
        board.touch_all()
        windows = board.take_changes()
        self.remove_windows(prefix)
        for name, content in windows.items():
            self.draw(f"{prefix}{name}", content)
        return len(windows)

    def draw(self, window: str, content: Window) -> None:
        """Draws a window, or draws it anew."""
        if isinstance(content, Chart):
            self._draw_chart(window, content)
        elif isinstance(content, Shot):
            title = f"{content.label}, {content.samples} samples"
            pixels = _at_most(content.pixels, LONGEST_SIDE)
            # No size of the window: the page would go back to it, from the user's own, with every new image.
            options = {"title": title, "width": None, "height": None}
            self.image(pixels.transpose(2, 0, 1), win=window, opts=options)
        else:
            self.text(about_html(content), win=window, opts={"title": content.title})

    def _draw_chart(self, window: str, chart: Chart) -> None:
        samples, values = chart.columns()
        names = chart.names()
        layout = {
            "title": None,  # the window's bar shows it
            "xaxis": {"title": {"text": "samples", "standoff": 4}},
            "yaxis": {"exponentformat": "e", "automargin": True},
            "margin": {"l": 50, "r": 15, "t": 25, "b": 40},
            "legend": {"orientation": "h", "y": -0.2},
            "showlegend": len(names) > 1,
        }
        options = {
            "title": chart.title,
            "legend": [plot_text(name) for name in names],
            "dash": np.array(["dot" if name.endswith(AVERAGE) else "solid" for name in names]),
            "markers": len(samples) == 1,  # a single point has no line
            "layoutopts": {"plotly": layout},
        }
        self.line(values, samples, win=window, opts=options)


def safe_env(name: str) -> str:
    """A name that an environment may have: it becomes part of addresses, scripts and file names of the server."""
    return re.sub(r"[^\w .=@()-]", "_", name).strip(" .") or "main"


def plot_text(text: str) -> str:
    """A text as plots show it: they take tags such as <b> and <a>, entities, and TeX between dollar signs."""
    return html.escape(text, quote=False).replace("$", "&#36;")


def about_html(about: About) -> str:
    """The facts as a table; Visdom shows a text as HTML."""
    cell = "<td style='padding-right:1em'>"
    facts = ((html.escape(str(name)), html.escape(str(value))) for name, value in about.facts.items())
    rows = "".join(f"<tr>{cell}{name}</td>{cell}{value}</td></tr>" for name, value in facts)
    return f"<table style='margin:6px;color:#333'>{rows}</table>"


def _at_most(pixels: np.ndarray, side: int) -> np.ndarray:
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(np.ascontiguousarray(pixels), size, interpolation=cv2.INTER_AREA)
