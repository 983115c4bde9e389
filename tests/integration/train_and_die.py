"""Like train.py, but killed inside a save: train_and_die.py N K ARGS… writes K bytes of its N-th file and dies."""

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import train
from util.errors import run_command

write_bytes = Path.write_bytes


def main(nth, size, argv):
    files = 0

    def write_a_part(path, content):
        nonlocal files
        files += path.suffix == ".tmp" and ".pth." in path.name
        if files < nth:
            return write_bytes(path, content)
        with path.open("wb") as file:
            file.write(content[:size])
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    Path.write_bytes = write_a_part
    return run_command(train.main, argv)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
