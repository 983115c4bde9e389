"""A real Visdom server for tests, in a process of its own on a free port, and what it holds."""

import contextlib
import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

# main() starts the server without the download that `python -m visdom.server` begins with.
START = "from visdom.server.run_server import main; main()"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def closed_port():
    """A port where nobody listens, and nobody else can begin to."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


class VisdomServer:
    """Starts at once; `start` again after `stop` is a server that has forgotten everything, at the same address."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.port, self._folder, self._starts = port or free_port(), folder, 0
        self.start()

    def start(self) -> None:
        self._starts += 1
        environments = self._folder / f"environments_{self._starts}"
        environments.mkdir()
        words = ["-port", self.port, "-bind_local", "-env_path", environments, "-logging_level", "ERROR"]
        command = [sys.executable, "-c", START, *map(str, words)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 180
        while self._ask("env_state") is None:
            assert time.monotonic() < deadline
            assert self._process.poll() is None, "the server ended"
            time.sleep(0.05)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def environments(self):
        return self._ask("env_state") or []

    def windows(self, env):
        """Name → content of the windows of an environment, as a page gets them."""
        return self._ask("win_data", eid=env, win=None) or {}

    def curves(self, env, window):
        """Curve → its points, of one window."""
        found = self.windows(env)
        assert window in found, f"{window} is not among {list(found)}"
        traces = found[window]["content"]["data"]
        return {trace["name"]: list(zip(trace["x"], trace["y"], strict=True)) for trace in traces}

    def _ask(self, endpoint, **message):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/{endpoint}", json.dumps(message).encode())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=20) as answer:
                return json.loads(answer.read())
        except OSError:
            return None
