"""Runs the real train.py and test.py: in this process where that is enough, which saves seconds of imports."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import test as test_command
import train as train_command
from util.errors import run_command

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["--gpu_ids", "-1", "--ngf", "4", "--ndf", "4", "--crop_size", "32", "--batch_size", "2", "--num_threads", "0"]
SMALL += ["--display_id", "0"]


def train(*words) -> int:
    return run_command(train_command.main, [str(word) for word in words])


def fuse(*words) -> int:
    return run_command(test_command.main, [str(word) for word in words])


def in_a_shell(*words, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **options)


def curve(folder) -> list[dict]:
    """The records of a run without what depends on the clock."""
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in record.items() if name != "samples_per_s"} for record in records]


def children_of(pid) -> list[int]:
    """The living children of a process in the order of their RANK, if they have one."""
    if not Path("/proc/self/stat").is_file():
        pytest.skip("the processes of this system are not listed in /proc")
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # it is gone
            continue
        if int(parent) == pid and state != "Z":
            rank = next((word for word in environment if word.startswith(b"RANK=")), b"")
            found.append((rank, int(folder.name)))
    return [number for _, number in sorted(found)]


def is_alive(pid) -> bool:
    """Whether a process runs; one that nobody has asked for its status yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Ending(subprocess.Popen):
    """A process that a failed test does not wait for."""

    def __exit__(self, *details):
        self.kill()
        super().__exit__(*details)
