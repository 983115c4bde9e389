"""What train.py saves under checkpoints/NAME/, and how it is opened again.

Order of a save: `latest_state.pth` (self-sufficient: networks, optimisers, schedules, counters, random states), then
the plain state dicts `latest_net_*.pth` and `<epoch>_net_*.pth` in the published key layout of each network.
"""

from __future__ import annotations

import io
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from options.run import OPTIONS_FILE
from util.errors import UserError
from util.files import write_bytes
from util.safe_load import load_file

STATE_FILE = "latest_state.pth"
log = logging.getLogger(__name__)


class CheckpointFolder:
    """The folder of one run, `checkpoints/NAME`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = FileLock(folder / ".lock", blocking=False)

    @property
    def options_file(self) -> Path:
        """The options that travel with the networks."""
        return self.folder / OPTIONS_FILE

    def lock(self) -> None:
        """Locks the folder, made where it is missing, for this process until `unlock` or the process's end.

        Raises:
            UserError: another process trains into it, or it cannot be made.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout as error:
            raise UserError(
                f"{self.folder} is in use by another training: wait for its end, or choose another --name"
            ) from error
        except NotImplementedError:
            log.warning("%s: this file system knows no locks; make sure that only one training uses it.", self.folder)
        except OSError as error:
            raise UserError(f"{self.folder}: cannot be written to ({error.strerror or error})") from error

    def unlock(self) -> None:
        """Releases the lock."""
        self._lock.release()

    def has_state(self) -> bool:
        """Whether a training can be continued from here."""
        return (self.folder / STATE_FILE).is_file()

    def is_used(self) -> bool:
        """Whether the folder holds what a new training would destroy: a state, networks, published weights."""
        return self.has_state() or any(self.folder.glob("*_net_*.pth"))

    def remove_leftovers(self) -> None:
        """Removes the half-written files of a process that was killed in the middle of a save."""
        for path in self.folder.glob(".*.tmp"):
            path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Removes what an earlier training left: its networks and state would be taken for those of the new one."""
        for path in [*self.folder.glob("*_net_*.pth"), self.folder / STATE_FILE]:
            path.unlink(missing_ok=True)
        shutil.rmtree(self.folder / "web", ignore_errors=True)

    def save_state(self, state: Mapping[str, Any]) -> None:
        """Saves everything that is needed to resume.

        Raises:
            UserError: the file cannot be written; the state saved before is still there.
        """
        _save(self.folder / STATE_FILE, dict(state))

    def load_state(self) -> dict[str, Any]:
        """Reads the last saved state.

        Raises:
            UserError: there is none, or it cannot be read.
        """
        path = self.folder / STATE_FILE
        if not path.is_file():
            raise UserError(f"--continue_train: there is no {path}; start without it")
        return dict(load_file(path))

    def save_networks(self, label: str, networks: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Saves state dicts as `<label>_net_<name>.pth`, the label being latest, best or an epoch.

        Raises:
            UserError: a file cannot be written; the one that stood there before is still there.
        """
        for name, weights in networks.items():
            _save(self.folder / f"{label}_net_{name}.pth", dict(weights))

    def network_file(self, label: str, name: str = "G") -> Path:
        """The file of a network, saved as latest, best or by the number of an epoch.

        Raises:
            UserError: there is no such file; the ones that are there are named.
        """
        suffixes = [f"_net_{name}{extension}" for extension in (".pth", ".safetensors")]  # a run's, then what ships
        files = [self.folder / f"{label}{suffix}" for suffix in suffixes]
        for path in files:
            if path.is_file():
                return path
        saved = {path.name.removesuffix(suffix) for suffix in suffixes for path in self.folder.glob(f"*{suffix}")}
        hint = f"--epoch can be: {', '.join(sorted(saved))}" if saved else f"{self.folder} holds no trained network"
        raise UserError(f"{files[0]}: no such file; {hint}")


def _save(path: Path, content: dict[str, Any]) -> None:
    # Through memory: torch's own file writer says of a full disk no more than that it is at an unexpected position.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_bytes(path, buffer.getbuffer())
