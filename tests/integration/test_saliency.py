"""Training on photographs alone, going on, and on several machines: what --saliency may become."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from engine.training.begin_training import _check_same_options
from options.commands import parse_train
from options.saved import to_json
from tests.images import write_photographs
from tests.integration.commands import SMALL, train
from util.errors import UserError


def words(root, *more):
    common = ["--dataset_mode", "saliency", "--dataroot", root / "data", "--checkpoints_dir", root, "--loggers", "none"]
    return [*common, *SMALL, "--n_epochs_decay", 0, *more]


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The current folder, with photographs and grey maps, which are named as an operator is."""
    write_photographs(tmp_path / "data", 4)
    (tmp_path / "data" / "maps").rename(tmp_path / "spectral")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_another_saliency_is_refused_and_another_spelling_is_not(root, capsys):
    for name, began, now, path in (
        ("operator", "spectral", "fine", "./spectral"),
        ("maps", "./spectral", "spectral", root / "spectral"),
    ):
        assert train(*words(root, "--name", name, "--n_epochs", 1, "--saliency", began)) == 0
        goes_on = words(root, "--name", name, "--n_epochs", 2, "--continue_train")
        assert train(*goes_on, "--saliency", now) == 2
        assert f"--saliency {began} (now {now})" in capsys.readouterr().err
        assert train(*goes_on, "--saliency", path) == (2 if name == "operator" else 0)


@pytest.mark.parametrize(
    ("theirs", "ours", "same"),
    [
        ("spectral", "fine", False),
        ("./maps", "fine", False),
        ("spectral", "./spectral", False),
        ("spectral", "spectral", True),
        ("a/maps", "b/maps", True),
    ],
)
def test_machines_may_have_their_maps_anywhere(tmp_path, theirs, ours, same):
    configs = [parse_train(list(map(str, words(tmp_path, "--saliency", value))))[0] for value in (theirs, ours)]
    runtime = SimpleNamespace(gather=lambda text: [to_json(configs[0]), text])
    if same:
        _check_same_options(configs[1], runtime)
        return
    with pytest.raises(UserError, match="--saliency is not the same in all processes"):
        _check_same_options(configs[1], runtime)


@pytest.mark.parametrize("value", ["spectrl", "no/maps", ""])
def test_what_is_neither_an_operator_nor_there_is_named(root, capsys, value):
    assert train(*words(root, "--name", "run", f"--saliency={value}")) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"error: --saliency '{value}' is not one of: spectral, fine, gradient")
    assert message.count("\n") == 1
    assert not (root / "run").exists()
