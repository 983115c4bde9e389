"""Options of the loggers of a training: terminal, page and dashboards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from options.fields import Options, option
from util.suggest import check_choice

LOGGERS = ("console", "page", "visdom", "tensorboard", "wandb")


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
        """Every logger is one of `LOGGERS`."""
        for name in self.chosen():
            check_choice(f"--loggers {self.loggers}:", name, LOGGERS)

    def chosen(self) -> tuple[str, ...]:
        """The names of the loggers, after the options that add or leave out one."""
        names = [name.strip() for name in self.loggers.split(",") if name.strip() not in ("", "none")]
        left_out = {"visdom"} if self.display_id <= 0 else set()
        left_out |= set() if self.html else {"page"}
        names += ["wandb"] if self.use_wandb else []
        return tuple(dict.fromkeys(name for name in names if name not in left_out))
