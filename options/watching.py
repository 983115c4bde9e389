"""Options of the loggers of a training: terminal, page and dashboards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from options.fields import Options, option
from util.errors import UserError
from util.suggest import check_choice

# The value of --loggers → "module:function" that starts it, imported when it is chosen; see `util.loggers.events`.
LOGGERS: Mapping[str, str] = MappingProxyType(
    {name: f"util.loggers.{name}:start" for name in ("console", "page", "visdom", "tensorboard", "wandb")}
)


@dataclass(frozen=True)
class WatchingOptions(Options):
    """Loggers of a training; metrics.jsonl and loss_log.txt are always written."""

    loggers: str = option(
        "console,page,visdom", f"where losses and images are shown: a list of {', '.join(LOGGERS)}; or none"
    )
    html: bool = option(True, "write the training page web/index.html (--no_html leaves it out of --loggers)")
    display_id: int = option(1, "0 or less leaves Visdom out of --loggers")
    display_server: str = option("http://localhost", "address of the Visdom server")
    display_port: int = option(8097, "port of the Visdom server", at_least=1, at_most=65535)
    display_env: str = option("", "Visdom's environment for this run; by default the run's --name")
    use_wandb: bool = option(False, "add wandb to --loggers")
    wandb_project_name: str = option("image-fusion", "the project on Weights & Biases that the run belongs to")

    def check(self, config: Any) -> None:  # noqa: ARG002
        """Every logger is one of `LOGGERS`, and the server's address is one."""
        for name in self.chosen():
            check_choice(f"--loggers {self.loggers}:", name, LOGGERS)
        if "visdom" in self.chosen():
            check_address(self.display_server)

    def chosen(self) -> tuple[str, ...]:
        """The names of the loggers, after the options that add or leave out one."""
        names = [name.strip() for name in self.loggers.split(",") if name.strip() not in ("", "none")]
        left_out = {"visdom"} if self.display_id <= 0 else set()
        left_out |= set() if self.html else {"page"}
        names += ["wandb"] if self.use_wandb else []
        return tuple(dict.fromkeys(name for name in names if name not in left_out))


def check_address(server: str) -> None:
    """Says what is wrong with the value of --display_server.

    Raises:
        UserError: it is no address, or has more in it than a host.
    """
    if any(mark.isspace() for mark in server):  # which urlsplit would partly pass over
        raise UserError(f"--display_server {server}: is no address (it has white space in it)")
    try:
        address = urlsplit(server if "://" in server else f"http://{server}")
        port = address.port
    except ValueError as error:
        raise UserError(f"--display_server {server}: is no address ({error})") from error
    if address.scheme not in ("http", "https") or not address.hostname:
        raise UserError(f"--display_server {server}: is no address such as http://localhost")
    if address.username is not None or address.password is not None:  # not repeated: it is a password
        raise UserError("--display_server: an address with a name or a password in it is not supported")
    if port is not None:
        raise UserError(f"--display_server {server}: the port goes to --display_port")
    if address.path not in ("", "/") or "?" in server or "#" in server:
        raise UserError(f"--display_server {server}: has more in it than a host, such as http://localhost")
