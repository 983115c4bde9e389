import re
import sys

import pytest

from engine.training import loggers as module
from engine.training.loggers import build_loggers, check_loggers, run_facts
from options.commands import parse_train
from options.saved import to_dict
from util.errors import UserError
from util.loggers import visdom
from util.loggers.background import BackgroundLogger
from util.loggers.console import ConsoleLogger
from util.loggers.events import TrainingEvent
from util.loggers.guarded import GuardedLogger
from util.loggers.metrics_file import FileLogger
from util.loggers.page import PageLogger
from util.loggers.visdom import VisdomLogger


def config(*words):
    return parse_train(["--dataroot", "x", "--name", "run", "--display_port", "1", *words])[0]


@pytest.mark.parametrize("package", ["tensorboard", "wandb"])
def test_a_package_that_is_not_installed_is_said_before_anything_is_written(monkeypatch, package):
    for name in (f"torch.utils.{package}", package):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, f"util.loggers.{package}", raising=False)
    chosen = config("--loggers", f"console,{package}")
    with pytest.raises(UserError, match=f"--loggers {package}: .* pip install {package}"):
        check_loggers(chosen.watching)
    check_loggers(config("--loggers", "console").watching)


@pytest.mark.parametrize("package", ["tensorboard", "wandb"])
def test_a_broken_package_is_said_before_anything_is_written(monkeypatch, package):
    def fail(name):
        raise AttributeError(f"{name} is\nbroken")

    monkeypatch.setattr(module, "resolve_name", fail)
    with pytest.raises(UserError, match=rf"--loggers {package}: .* cannot be imported \(.* is\\nbroken\)"):
        check_loggers(config("--loggers", package).watching)


def test_a_broken_visdom_is_left_out(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(visdom, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "util.loggers.visdom_client", None)
    (files,) = build_loggers(config("--loggers", "visdom"), tmp_path, {}, total_samples=4, resume_at=None)
    assert isinstance(files, FileLogger)
    assert "cannot be imported" in caplog.text


@pytest.mark.parametrize("watcher", ["console", "page"])
def test_a_console_or_a_page_that_fails_is_said_once_and_ends_nothing(tmp_path, monkeypatch, caplog, watcher):
    def fail(self, event):
        raise OSError("no space left")

    _, shown = build_loggers(config("--loggers", watcher), tmp_path, {}, total_samples=4, resume_at=None)
    assert isinstance(shown, GuardedLogger)
    monkeypatch.setattr({"console": ConsoleLogger, "page": PageLogger}[watcher], "handle", fail)
    for kind in ("losses", "end"):
        shown.handle(TrainingEvent(kind, 2, 1, values={"G": 1.0}))
    assert len(caplog.messages) == 1
    assert "failed (no space left), is left out" in caplog.messages[0]


def test_an_address_with_a_password_is_refused_and_not_repeated():
    with pytest.raises(UserError, match="password") as raised:
        config("--display_server", "http://me:secret@here").watching.check(None)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://localhost:8097", "--display_port"),
        ("http://[::1", "no address"),
        ("ftp://x", "no address"),
        ("", "no a"),
        ("http://here/path", "more in it than a host"),
        ("http://here?query", "more in it than a host"),
        ("http://here#fragment", "more in it than a host"),
        ("http://he re", "white space"),
        ("http://here\n", "white space"),
    ],
)
def test_an_address_that_cannot_be_one_is_said_before_anything_is_written(address, said):
    with pytest.raises(UserError, match=f"--display_server {re.escape(address)}: .*{said}"):
        config("--display_server", address).watching.check(None)
    config("--display_server", address, "--display_id", "0").watching.check(None)
    config("--display_server", "somewhere.example").watching.check(None)


def test_visdom_which_is_the_default_is_left_out_when_it_is_not_installed(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(visdom, "find_spec", lambda name: None)
    (files,) = build_loggers(config("--loggers", "visdom"), tmp_path, {}, total_samples=4, resume_at=None)
    assert isinstance(files, FileLogger)
    assert "--display_id 0" in caplog.text


def test_the_records_on_disk_come_first_whatever_is_chosen(tmp_path):
    words = ["--loggers", "tensorboard,visdom", "--checkpoints_dir", str(tmp_path)]
    loggers = build_loggers(config(*words), tmp_path / "run", {}, total_samples=4, resume_at=None)
    assert [type(logger) for logger in loggers] == [FileLogger, BackgroundLogger, VisdomLogger]
    for logger in loggers:
        logger.handle(TrainingEvent("end", 0, 1, text="done"))
    assert list((tmp_path / "run" / "tensorboard").glob("events*"))


def test_the_warning_about_a_missing_server_says_what_to_do(tmp_path, caplog):
    words = ["--loggers", "visdom", "--checkpoints_dir", str(tmp_path)]
    for logger in build_loggers(config(*words), tmp_path / "run", {}, total_samples=4, resume_at=None):
        logger.handle(TrainingEvent("end", 0, 1, text="done"))
    (message,) = caplog.messages
    assert "http://localhost:1: no server there" in message
    assert f"python scripts/visdom_replay.py --name run --checkpoints_dir {tmp_path}" in message
    assert "python -m visdom.server -bind_local" in message


@pytest.mark.parametrize(
    ("words", "discriminator"),
    [([], "pixel"), (["--netD", "basic"], "basic"), (["--lambda_GAN", "0"], "none"), (["--model", "ifcnn"], "none")],
)
def test_a_page_names_the_discriminator_that_is_trained(words, discriminator):
    options = to_dict(config("--n_epochs", "3", "--n_epochs_decay", "2", *words))
    facts = run_facts(options)
    assert facts["discriminator"] == discriminator
    assert (facts["data"], facts["epochs"]) == ("x", "5")
    assert run_facts({"selection": options["selection"]}).keys() == {"model", "generator", "discriminator"}
