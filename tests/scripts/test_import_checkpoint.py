"""Published files become runs that test.py can use."""

import json
from pathlib import Path

import pytest
import torch

from engine.checkpoint import CheckpointFolder
from models import create_generator
from options.saved import travelling_options
from scripts import import_checkpoint
from tests.data.helpers import shared
from tests.images import write_pairs
from tests.integration.commands import fuse
from util.errors import run_command


@pytest.fixture
def run(tmp_path, capsys):
    """The command with `tmp_path`/checkpoints, and what it said."""

    def call(*words):
        place = ["--checkpoints_dir", tmp_path / "checkpoints"]
        status = run_command(import_checkpoint.main, [str(word) for word in (*words, *place)])
        return status, *capsys.readouterr()

    return call


def save(path, state):
    torch.save(state, path)
    return path


def ifcnn(seed=0):
    torch.manual_seed(seed)
    return create_generator("IFCNN")


def r2gan(**options):
    return create_generator("R2GAN_generator", **{"ngf": 2, "n_blocks": 1, "dropout": False, **options})


@pytest.mark.parametrize(
    ("file", "rule"), [("IFCNN-MAX", "max"), ("ifcnn_sum", "sum"), ("mean-1", "mean"), ("x", "max")]
)
@pytest.mark.parametrize("form", ["bare", "wrapped"])
def test_a_published_file_becomes_a_run(run, tmp_path, file, rule, form):
    net = ifcnn()
    state = (
        net.state_dict() if form == "bare" else {"state_dict": {f"module.{k}": v for k, v in net.state_dict().items()}}
    )
    weights = save(tmp_path / f"{file}.pth", state)
    status, out, err = run("--netG", "IFCNN", "--weights", weights, "--name", "run")
    assert (status, err) == (0, "")
    folder = tmp_path / "checkpoints" / "run"
    assert sorted(path.name for path in folder.iterdir()) == ["latest_net_G.pth", "options.json"]
    assert travelling_options(folder / "options.json").items() >= {"netG": "IFCNN", "fusion": rule}.items()
    written = torch.load(folder / "latest_net_G.pth", weights_only=True)
    assert all(torch.equal(written[name], tensor) for name, tensor in net.state_dict().items())
    assert f"fuse with: python test.py --name run --checkpoints_dir {folder.parent} --dataroot DIR" in out
    assert "83,587 parameters" in out
    assert [path.name for path in folder.parent.iterdir()] == ["run"]


def test_the_command_that_it_names_fuses(run, tmp_path):
    weights = save(tmp_path / "IFCNN-SUM.pth", ifcnn().state_dict())
    assert run("--netG", "IFCNN", "--weights", weights, "--name", "run")[0] == 0
    write_pairs(tmp_path / "pairs" / "test", 1, with_target=False)
    words = ["--name", "run", "--checkpoints_dir", tmp_path / "checkpoints", "--dataroot", tmp_path / "pairs"]
    words += ["--dataset_mode", "aligned", "--gpu_ids", "-1", "--num_threads", 0, "--metrics", "none"]
    assert fuse(*words, "--results_dir", tmp_path / "results") == 0
    assert (tmp_path / "results" / "run" / "test_latest" / "fused" / "p00.png").is_file()


def test_what_the_weights_tell_and_what_is_given_is_written_down(run, tmp_path):
    weights = save(tmp_path / "w.pth", r2gan(norm="instance").state_dict())
    command = ["--netG", "R2GAN_generator", "--weights", weights, "--name", "run"]
    status, _, err = run(*command)
    assert status == 2
    assert "tells no norm" in err
    assert not (tmp_path / "checkpoints").exists()
    assert run(*command, "--norm", "instance", "--num_sources", 3)[0] == 0
    content = json.loads((tmp_path / "checkpoints" / "run" / "options.json").read_text())
    assert content["generator"].items() >= {"ngf": 2, "n_blocks": 1, "dropout": False, "norm": "instance"}.items()
    assert content["data"] == {"num_sources": 3}
    given = ["--netG", "IFCNN", "--weights", save(tmp_path / "IFCNN-MAX.pth", ifcnn().state_dict())]
    assert run(*given, "--fusion", "mean", "--name", "other")[0] == 0
    assert travelling_options(tmp_path / "checkpoints" / "other" / "options.json")["fusion"] == "mean", (
        "what is said wins"
    )


def test_separate_decoders_keep_their_number(run, tmp_path):
    weights = save(tmp_path / "w.pth", r2gan(decoders="separate", num_sources=3).state_dict())
    assert run("--netG", "R2GAN_generator", "--weights", weights, "--name", "run")[0] == 0
    options = travelling_options(tmp_path / "checkpoints" / "run" / "options.json")
    assert (options["decoders"], options["num_sources"]) == ("separate", 3)


def without(state, name):
    return {key: value for key, value in state.items() if key != name}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: without(state, "conv4.bias"), "does not fit IFCNNGenerator: 1 missing (conv4.bias)"),
        (lambda state: state | {"extra": torch.zeros(2)}, "1 unexpected (extra)"),
        (
            lambda state: state | {"conv1.weight": torch.zeros(64, 3, 3, 3)},
            "conv1.weight is 64x3x3x3 instead of 64x3x7x7",
        ),
        (lambda state: {"epoch": 3}, "holds no state dict"),
        (lambda state: [1, 2], "holds a list, expected a dictionary of weights"),
        (lambda state: {"conv1.weight": Path("x")}, "cannot be opened safely as weights"),
    ],
)
def test_a_file_that_does_not_fit_is_one_line_and_leaves_nothing(run, tmp_path, change, message):
    weights = save(tmp_path / "w.pth", change(dict(ifcnn().state_dict())))
    status, out, err = run("--netG", "IFCNN", "--weights", weights, "--name", "run")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert str(weights) in err
    assert not (tmp_path / "checkpoints").exists()


def test_a_tensor_of_fewer_dimensions_is_named(run, tmp_path):
    """Options are told by shapes, too, which are read before the weights are loaded."""
    weights = save(tmp_path / "w.pth", r2gan().state_dict() | {"model_encoder.1.weight": torch.zeros(3)})
    words = ["--netG", "R2GAN_generator", "--ngf", 2, "--norm", "none", "--weights", weights, "--name", "run"]
    status, _, err = run(*words)
    assert (status, err.count("\n")) == (2, 1)
    assert "model_encoder.1.weight is 3 instead of" in err


def test_a_run_is_replaced_on_request_alone_and_another_folder_never(run, tmp_path):
    first, second = (save(tmp_path / f"{seed}.pth", ifcnn(seed).state_dict()) for seed in (1, 2))
    command = ["--netG", "IFCNN", "--name", "run", "--weights"]
    assert run(*command, first)[0] == 0
    written = tmp_path / "checkpoints" / "run" / "latest_net_G.pth"
    before = written.read_bytes()
    status, _, err = run(*command, second)
    assert status == 2
    assert "exists: choose another --name, or add --overwrite" in err
    assert written.read_bytes() == before
    training = CheckpointFolder(written.parent)
    training.lock()
    assert "in use by another training" in run(*command, second, "--overwrite")[2]
    training.unlock()
    assert run(*command, second, "--overwrite")[0] == 0
    assert written.read_bytes() != before
    (tmp_path / "checkpoints" / "photos").mkdir()
    (tmp_path / "checkpoints" / "photos" / "cat.png").touch()
    status, _, err = run("--netG", "IFCNN", "--name", "photos", "--weights", first, "--overwrite")
    assert status == 2
    assert "is not the folder of a run and is left alone" in err
    assert (tmp_path / "checkpoints" / "photos" / "cat.png").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--netG", "IFCNN", "--name", "run"], "--weights is missing"),
        (["--weights", "w.pth", "--name", "run"], "--netG is missing"),
        (["--netG", "IFCNN", "--weights", "w.pth"], "--name is missing"),
        (["--netG", "IFCNN", "--weights", "w.pth", "--name", "../run"], "expected the name of a folder"),
        (["--netG", "IFCNN", "--weights", "nowhere.pth", "--name", "run"], "--weights nowhere.pth: no such file"),
        (["--netG", "IFCN", "--weights", "w.pth", "--name", "run"], "did you mean IFCNN"),
    ],
)
def test_bad_options_are_named(run, words, message):
    status, _, err = run(*words)
    assert (status, err.count("\n")) == (2, 1)
    assert message in err


@pytest.mark.parametrize("rule", ["max", "sum", "mean"])
def test_the_published_files_are_imported(run, tmp_path, rule):
    weights = shared("data", "weights", "ifcnn", f"IFCNN-{rule.upper()}.pth")
    assert run("--netG", "IFCNN", "--weights", weights, "--name", rule)[0] == 0
    options = travelling_options(tmp_path / "checkpoints" / rule / "options.json")
    assert (options["fusion"], options["ifcnn_norm"]) == (rule, "auto")
    written = torch.load(tmp_path / "checkpoints" / rule / "latest_net_G.pth", weights_only=True)
    published = torch.load(weights, map_location="cpu", weights_only=True)
    assert all(torch.equal(written[name], tensor) for name, tensor in published.items())
