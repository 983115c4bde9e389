"""IFCNN: the network against arithmetic by hand and the authors' images, and its two stages of training."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from urllib.error import URLError

import cv2
import numpy as np
import pytest
import torch
import torchvision
from torch.nn import functional

from models import create_generator
from models.generators.base import IMAGENET, CutsOffLevels
from models.losses.perceptual import PerceptualLoss, read_backbone, read_conv1
from models.weights import load_weights, open_weights
from options.commands import parse_train
from options.validate import validate_train
from tests.data.helpers import shared
from tests.images import write_pairs
from tests.integration.commands import curve, train
from util.errors import UserError
from util.images.image_io import read_image

SMALL = ["--model", "ifcnn", "--netG", "IFCNN", "--gpu_ids", "-1", "--crop_size", 32, "--batch_size", 2]
SMALL += ["--num_threads", 0, "--print_freq", 2, "--loggers", "none", "--n_epochs_decay", 0]


def images(count=2, size=(20, 24), batch=1):
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(batch, 3, *size, generator=generator) for _ in range(count)]


def by_hand(state, sources, rule):
    """The network as the paper draws it, in evaluation mode, out of functions alone."""

    def block(maps, name):
        maps = functional.conv2d(functional.pad(maps, (1, 1, 1, 1), "replicate"), state[f"{name}.conv.weight"])
        statistics = (state[f"{name}.bn.{key}"] for key in ("running_mean", "running_var", "weight", "bias"))
        return functional.batch_norm(maps, *statistics).relu()

    conv1 = state["conv1.weight"]
    maps = [block(functional.conv2d(functional.pad(x, (3, 3, 3, 3), "replicate"), conv1), "conv2") for x in sources]
    stacked = torch.stack(maps)
    fused = {"max": stacked.amax(0), "sum": stacked.sum(0), "mean": stacked.mean(0)}[rule]
    return functional.conv2d(block(fused, "conv3"), state["conv4.weight"], state["conv4.bias"])


@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("rule", ["max", "sum", "mean"])
def test_fuses_as_drawn_whatever_the_number_of_sources(rule, count):
    torch.manual_seed(0)
    net = create_generator("IFCNN", fusion=rule)
    sources = images(count)
    net.train()(sources)  # so that the running statistics are not those of the start
    net.eval()
    torch.testing.assert_close(net.fuse(sources), by_hand(net.state_dict(), sources, rule))
    torch.testing.assert_close(net.fuse(sources[::-1]), net.fuse(sources))


def test_the_layout_is_the_published_one():
    blocks = [f"{name}.{key}" for name in ("conv2", "conv3") for key in ("conv.weight", "bn.weight", "bn.bias")]
    net = create_generator("IFCNN")
    assert {name for name, _ in net.named_parameters()} == {"conv1.weight", *blocks, "conv4.weight", "conv4.bias"}
    with pytest.raises(UserError, match="at least one source"):
        net([])


@pytest.mark.parametrize(("ifcnn_norm", "coloured", "grey"), [("auto", 1, 0), ("imagenet", 1, 1), ("none", 0, 0)])
def test_the_input_range(ifcnn_norm, coloured, grey):
    net, image = create_generator("IFCNN", ifcnn_norm=ifcnn_norm), images(1)[0]
    expected = [
        image,
        (image - torch.tensor(IMAGENET.mean)[:, None, None]) / torch.tensor(IMAGENET.std)[:, None, None],
    ]
    torch.testing.assert_close(net.normalisation().apply(image), expected[coloured])
    torch.testing.assert_close(net.normalisation(grey=True).apply(image), expected[grey])


def test_fixed_batch_norm_takes_and_keeps_its_statistics():
    torch.manual_seed(0)
    net = create_generator("IFCNN", fixed_bn=True)
    sources, before = images(batch=2), net.conv2.bn.running_mean.clone()
    trained = net.train()(sources).fused
    assert torch.equal(net.conv2.bn.running_mean, before)
    torch.testing.assert_close(trained, net.eval()(sources).fused)
    assert not torch.allclose(trained, create_like(net).train()(sources).fused, atol=1e-3), (
        "else it would prove nothing"
    )


def create_like(net):
    other = create_generator("IFCNN")
    load_weights(other, net.state_dict(), "memory")
    return other


@pytest.mark.parametrize("name", ["Camp", "Navi"])
def test_the_published_images_are_reproduced_to_one_grey_level(name):
    net = create_generator("IFCNN").eval()
    file = shared("data", "weights", "ifcnn", "IFCNN-MAX.pth")
    load_weights(net, open_weights(file), str(file))
    sources = [read_image(shared("data", "tno14", role, f"{name}.png")) for role in ("ir", "vi")]
    tensors = [torch.from_numpy(source.reshape(*source.shape[:2], -1)[..., :1]).repeat(1, 1, 3) for source in sources]
    normalisation = net.normalisation(grey=True)
    fused = net.fuse([normalisation.apply(source.permute(2, 0, 1)[None] / 255) for source in tensors])
    levels = (normalisation.undo(fused).clamp(0, 1)[0] * 255).byte()  # cut off, see `CutsOffLevels`
    grey = cv2.cvtColor(levels.permute(1, 2, 0).contiguous().numpy(), cv2.COLOR_RGB2GRAY)
    published = read_image(shared("data", "published", "ifcnn", "Code_results", f"IFCNN-MAX-IV-{name}.png"))
    assert isinstance(net, CutsOffLevels)
    assert np.abs(grey.astype(int) - published.reshape(*grey.shape, -1)[..., 0]).max() <= 1


@pytest.fixture(scope="module")
def resnet(tmp_path_factory):
    """A file of a ResNet-18 with random weights."""
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("backbone") / "resnet18.pth"
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), path)
    return path


def test_perceptual_loss_is_the_distance_after_the_last_convolution(resnet):
    loss = PerceptualLoss("resnet18", *read_backbone("resnet18", str(resnet)))
    fused, target = images(size=(40, 48))
    network = torchvision.models.resnet18(weights=None)
    network.load_state_dict(torch.load(resnet, weights_only=True))
    found = {}
    network.layer4.register_forward_hook(lambda _, __, output: found.update(features=output))
    network.eval()
    expected = []
    for image in (fused, target):
        network(IMAGENET.apply(image))
        expected.append(found["features"])
    torch.testing.assert_close(loss(fused, target), functional.mse_loss(*expected))
    fused.requires_grad_(True)
    loss(fused, target.requires_grad_(True)).backward()
    assert fused.grad.abs().sum() > 0
    assert target.grad is None
    assert not any(parameter.requires_grad for parameter in loss.parameters())


def test_a_missing_backbone_names_the_file_to_get(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", raise_unreachable)
    with pytest.raises(UserError) as caught:
        read_backbone("resnet101")
    message = str(caught.value)
    assert "put resnet101-63fe2227.pth into" in message
    assert str(tmp_path / "checkpoints") in message
    assert "--backbone_weights" in message
    assert "\n" not in message


def raise_unreachable(*arguments, **options):
    raise URLError("no route to host")


def test_a_download_is_checked_and_then_found_again(monkeypatch, tmp_path, resnet):
    calls = []

    def download(url, path, hash_prefix, progress):
        calls.append((url, hash_prefix))
        Path(path).write_bytes(resnet.read_bytes())

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    weights, source = read_backbone("resnet18")
    assert read_backbone("resnet18")[1] == source
    ((url, prefix),) = calls
    assert url.endswith(f"-{prefix}.pth")
    assert torch.equal(read_conv1(weights, source), torch.load(resnet, weights_only=True)["conv1.weight"])


def test_conv1_of_another_shape_is_refused():
    for weights in ({}, {"conv1.weight": torch.zeros(64, 3, 3, 3)}):
        with pytest.raises(UserError, match=r"file.pth holds no conv1.weight of 64x3x7x7"):
            read_conv1(weights, "file.pth")


def test_conv1_that_is_not_finite_is_refused():
    with pytest.raises(UserError, match=r"file.pth holds NaN or infinite values in conv1.weight"):
        read_conv1({"conv1.weight": torch.full((64, 3, 7, 7), torch.nan)}, "file.pth")


@pytest.fixture
def words(tmp_path):
    write_pairs(tmp_path / "data", 4)
    return ["--dataroot", tmp_path / "data", "--checkpoints_dir", tmp_path, *SMALL]


def weights_of(folder, label="latest"):
    return torch.load(folder / f"{label}_net_G.pth", weights_only=True)


def test_both_stages_train_everything_but_conv1_and_go_on_bit_for_bit(words, tmp_path, resnet):
    words += ["--backbone", "resnet18", "--backbone_weights", resnet, "--perceptual_from", 2, "--ema", 0.9]
    words += ["--save_epoch_freq", 1]
    assert train(*words, "--n_epochs", 3, "--name", "whole") == 0
    records = [record for record in curve(tmp_path / "whole") if record["kind"] == "losses"]
    assert ["G_perceptual" in record for record in records] == [False, False, True, True, True, True]
    conv1 = torch.load(resnet, weights_only=True)["conv1.weight"]
    after_one, last = weights_of(tmp_path / "whole", "1"), weights_of(tmp_path / "whole")
    assert torch.equal(last["conv1.weight"], conv1), "frozen, whatever --init_type drew and --ema averages"
    assert not any(torch.equal(after_one[name], last[name]) for name in last if name != "conv1.weight")
    state = torch.load(tmp_path / "whole" / "latest_state.pth", weights_only=True)
    assert torch.equal(state["model"]["networks"]["G"]["conv1.weight"], conv1)
    assert len(state["model"]["optimizers"]["G"]["param_groups"][0]["params"]) == len(last) - 7  # conv1, 6 of two norms

    assert train(*words, "--n_epochs", 2, "--name", "parts") == 0
    assert train("--name", "parts", "--checkpoints_dir", tmp_path, "--continue_train", "--n_epochs", 3) == 0
    parts = weights_of(tmp_path / "parts")
    assert all(torch.equal(parts[name], last[name]) for name in last)


def test_stage_one_alone_needs_no_backbone_when_conv1_is_learned_or_given(words, tmp_path, resnet, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", raise_unreachable)
    words += ["--n_epochs", 1]
    resnet = Path(shutil.copy(resnet, tmp_path))
    alone = [*words, "--perceptual_from", 0]
    assert train(*words, "--perceptual_from", 1, "--train_conv1", "--name", "run") == 2, "stage II needs features"
    assert train(*alone, "--name", "run") == 2, "stage I needs conv1"
    assert not (tmp_path / "run").exists(), "and says so before anything is written"
    assert train(*alone, "--train_conv1", "--name", "learned") == 0
    assert train(*alone, "--conv1_weights", resnet, "--name", "given") == 0
    assert train(*words, "--train_conv1", "--name", "never") == 0, "stage II would begin after the last epoch"
    conv1 = torch.load(resnet, weights_only=True)["conv1.weight"]
    resnet.unlink()
    assert train(*alone, "--n_epochs", 2, "--name", "given", "--continue_train") == 0, "conv1 is part of the run by now"
    assert torch.equal(weights_of(tmp_path / "given")["conv1.weight"], conv1)
    learned = torch.load(tmp_path / "learned" / "latest_state.pth", weights_only=True)["model"]["optimizers"]["G"]
    assert len(learned["state"]) == 9, "Adam moves conv1, too"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--netG", "R2GAN_generator"], "--model ifcnn trains IFCNN only: add --netG IFCNN"),
        (["--perceptual_from", -1], "--perceptual_from -1: expected a number of 0 or more"),
        (["--lambda_perceptual", "nan"], "--lambda_perceptual nan"),
        (["--conv1_weights", "nowhere.pth"], "--conv1_weights nowhere.pth: no such file"),
        (["--fusion", "mix"], "--fusion 'mix' is not one of: max, sum, mean"),
    ],
)
def test_bad_options_are_named(words, tmp_path, capsys, more, message):
    assert train(*words, *more, "--name", "run") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_stage_that_never_begins_and_a_conv1_that_nobody_sets_are_said(words, tmp_path):
    def notices(*more):
        return validate_train(*parse_train([str(word) for word in (*words, "--ifcnn_norm", "imagenet", *more)]))

    assert notices("--n_epochs", 101) == []
    assert "stage II begins after the last epoch, 100" in notices("--n_epochs", 100)[0]
    assert "conv1 stays at its random start; add --train_conv1" in notices("--model", "pix2pix")[0]
    assert notices("--model", "pix2pix", "--train_conv1") == []
    assert "--ifcnn_norm imagenet fuses them as trained" in notices("--n_epochs", 101, "--ifcnn_norm", "auto")[0]
    alone = ("--perceptual_from", 0, "--train_conv1")
    assert notices(*alone) == []
    assert "--backbone has no effect" in notices(*alone, "--backbone", "resnet50")[0]


def test_any_discriminator_around_it(words, tmp_path):
    """The GAN procedure takes it like any generator; its options have no norm to hand to the discriminator."""
    run = [*words, "--model", "pix2pix", "--train_conv1", "--n_epochs", 1, "--ndf", 4, "--name", "gan"]
    assert train(*run) == 0
    assert {"G_L1", "G_GAN", "D_real", "D_fake"} <= set(curve(tmp_path / "gan")[-1])
    options = json.loads((tmp_path / "gan" / "options.json").read_text())
    assert options["generator"] == {"fusion": "max", "ifcnn_norm": "auto", "train_conv1": True, "fixed_bn": False}
