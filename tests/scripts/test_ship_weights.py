"""A run becomes weights that ship, and test.py finds them by name."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from engine import load_fuser
from engine.checkpoint import CheckpointFolder
from models import create_generator
from options import run as run_options
from scripts import ship_weights
from tests.images import scene
from tests.integration.commands import fuse
from util.errors import run_command
from util.images.image_io import read_image, write_image


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    for module in (run_options, ship_weights):
        monkeypatch.setattr(module, "SHIPPED", tmp_path / "weights")
    return tmp_path / "weights"


def make_run(folder, name):
    torch.manual_seed(1)
    network = create_generator("BlendNet", width=4)
    for head in network.heads.parameters():
        torch.nn.init.normal_(head, std=0.3)
    checkpoints = CheckpointFolder(folder / name)
    checkpoints.folder.mkdir(parents=True)
    checkpoints.save_networks("latest", {"G": network.state_dict()})
    content = {"selection": {"netG": "BlendNet"}, "generator": {"width": 4}, "data": {"num_sources": 2}}
    checkpoints.options_file.write_text(json.dumps(content | {"run": {"name": name}}))


@pytest.mark.parametrize("half", [True, False])
def test_shipped_weights_fuse_like_the_run(shipped, tmp_path, capsys, half):
    make_run(tmp_path / "checkpoints", "mine")
    words = ["--name", "mine", "--to", "ours", "--checkpoints_dir", str(tmp_path / "checkpoints")]
    assert run_command(ship_weights.main, [*words, *([] if half else ["--no_half"])]) == 0
    assert sorted(path.name for path in (shipped / "ours").iterdir()) == ["latest_net_G.safetensors", "options.json"]
    assert "run" not in json.loads((shipped / "ours" / "options.json").read_text())
    images = [scene(1), scene(2)]
    of_run = load_fuser(tmp_path / "checkpoints" / "mine")(images)
    of_shipped = load_fuser("ours", checkpoints_dir=str(tmp_path / "none"))(images)
    assert np.abs(of_run.astype(int) - of_shipped.astype(int)).max() <= (1 if half else 0)
    assert ("16 bit weights" in capsys.readouterr().out) == half


def test_a_run_has_precedence_over_shipped_weights_of_its_name(shipped, tmp_path):
    make_run(tmp_path / "checkpoints", "mine")
    place = ["--checkpoints_dir", str(tmp_path / "checkpoints")]
    assert run_command(ship_weights.main, ["--name", "mine", "--to", "mine", *place]) == 0
    assert run_options.RunOptions(name="mine", checkpoints_dir=place[1]).networks_folder.parent.name == "checkpoints"
    assert run_options.RunOptions(name="mine").networks_folder == shipped / "mine"


def test_test_py_uses_the_general_network_where_none_is_named(shipped, tmp_path, capsys):
    make_run(tmp_path / "checkpoints", "mine")
    place = ["--checkpoints_dir", str(tmp_path / "checkpoints")]
    assert run_command(ship_weights.main, ["--name", "mine", "--to", "general", *place]) == 0
    for number in (1, 2):
        write_image(tmp_path / f"{number}.png", scene(number))
    files = [tmp_path / "1.png", tmp_path / "2.png"]
    assert fuse("--sources", *files, "--out", tmp_path / "fused.png", *place) == 0
    assert f"no --name: fusing with the general network, {shipped / 'general'}" in capsys.readouterr().err
    assert np.array_equal(read_image(tmp_path / "fused.png"), load_fuser()([scene(1), scene(2)]))


def test_a_method_without_weights_needs_no_name(shipped, tmp_path):
    write_image(tmp_path / "data" / "a" / "x.png", np.full((20, 30), 100, np.uint8))
    write_image(tmp_path / "data" / "b" / "x.png", np.full((20, 30), 200, np.uint8))
    results = ["--results_dir", tmp_path / "results", "--metrics", "none"]
    assert fuse("--dataroot", tmp_path / "data", "--netG", "average", *results) == 0
    (fused,) = (tmp_path / "results" / "average" / "test_latest" / "fused").iterdir()
    assert (read_image(fused) == 150).all()
    assert (load_fuser("average")([scene(1), scene(1)]) == scene(1)).all()


def test_another_network_without_a_name_is_refused(shipped, tmp_path, capsys):
    (tmp_path / "data").mkdir()
    place = ["--checkpoints_dir", tmp_path / "checkpoints", "--dataroot", tmp_path / "data"]
    assert fuse("--netG", "IFCNN", *place) == 2
    assert "--name is missing" in capsys.readouterr().err


def test_methods_without_weights_are_not_trained(tmp_path, capsys):
    from tests.integration.commands import train  # noqa: PLC0415

    (tmp_path / "data").mkdir()
    assert train("--netG", "laplacian", "--dataroot", tmp_path / "data") == 2
    assert "--netG laplacian has no weights to train" in capsys.readouterr().err
