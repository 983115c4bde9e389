"""DeFusion++'s training in both stages: its terms, its teachers, what a run saves and goes on with."""

from __future__ import annotations

from argparse import Namespace
from unittest import mock

import pytest
import torch
from torch import nn
from torch.nn import functional

from engine.runtime import Runtime
from engine.training.begin_training import _validation_set
from models import create_generator
from models.defusion_plus_model import DeFusionPlusModel
from models.generators.base import IMAGENET
from models.losses import teacher
from options.commands import parse_train
from options.models import DeFusionPlusTrainingOptions
from options.training import TrainingOptions
from options.validate import validate_train
from tests.images import write_pairs, write_photographs, write_sources
from tests.integration.commands import curve, train
from tests.teachers import teacher_weights, write_teacher
from util.errors import UserError

MACHINE = ["--gpu_ids", "-1", "--crop_size", 16, "--batch_size", 2, "--num_threads", 0, "--loggers", "none"]
MACHINE += ["--n_epochs_decay", 0, "--print_freq", 2, "--init_type", "xavier", "--init_gain", 1, "--lr", 1e-3]
TERMS = ["G_common", "G_unique_1", "G_unique_2", "G_rebuilt", "G_fused", "G_SSIM"]
OF_TEACHERS = ["G_teacher_ir", "G_teacher_vis", "G_orders"]


@pytest.fixture
def shallow(monkeypatch):
    """Teachers of a single block."""
    monkeypatch.setattr(teacher, "DEPTH", 1)


@pytest.fixture
def first(tmp_path):
    write_photographs(tmp_path / "photos", 4)
    words = ["--model", "defusion_plus", "--dataset_mode", "decomposition", "--dataroot", tmp_path / "photos/images"]
    return [*words, "--checkpoints_dir", tmp_path, *MACHINE]


@pytest.fixture
def second(tmp_path, shallow):
    write_photographs(tmp_path / "photos", 3)
    write_sources(tmp_path / "pairs", 4)
    words = ["--model", "defusion_plus", "--stage", 2, "--dataset_mode", "pairs_and_photos"]
    words += ["--dataroot", tmp_path / "pairs", "--photos", tmp_path / "photos/images"]
    for seed, name in enumerate(("teacher_ir", "teacher_vis")):
        words += [f"--{name}", write_teacher(tmp_path / f"{name}.pth", seed, depth=1)]
    return [*words, "--checkpoints_dir", tmp_path, *MACHINE]


def losses(folder):
    return [record for record in curve(folder) if record["kind"] == "losses"]


def state_of(folder):
    return torch.load(folder / "latest_state.pth", weights_only=True)["model"]


def weights_of(folder):
    return torch.load(folder / "latest_net_G.pth", weights_only=True)


def stage_2(tmp_path, **machine):
    files = [str(write_teacher(tmp_path / f"{seed}.pth", seed, depth=1)) for seed in range(2)]
    torch.manual_seed(0)
    netG, runtime = create_generator("DeFusionPlus"), Runtime(gpu_ids="-1", **machine)
    options = DeFusionPlusTrainingOptions(stage=2, teacher_ir=files[0], teacher_vis=files[1])
    model = DeFusionPlusModel(runtime, netG, None, TrainingOptions(), options)
    generator = torch.Generator().manual_seed(1)
    sources, pair = torch.rand(2, 2, 2, 3, 16, 32, generator=generator)
    masks = torch.ones(2, 2, 1, 16, 32)
    model.set_input({"sources": sources, "target": sources[:, 0], "masks": masks, "pair": pair})
    return model, pair.unbind(1)


@pytest.mark.parametrize("stage", ["first", "second"])
def test_a_stage_goes_on_bit_for_bit(stage, tmp_path, request):
    run = [*request.getfixturevalue(stage), "--lr_policy", "multistep", "--lr_milestones", 1, "--max_dataset_size", 2]
    assert train(*run, "--n_epochs", 2, "--name", "whole") == 0
    records = losses(tmp_path / "whole")
    assert [name for name in records[0] if name[:2] == "G_"] == TERMS + (OF_TEACHERS if stage == "second" else [])
    assert [record["lr"] for record in records] == pytest.approx([1e-3, 1e-4])
    whole = state_of(tmp_path / "whole")["networks"]["G"]

    assert train(*run, "--n_epochs", 1, "--name", "parts") == 0
    assert train("--name", "parts", "--checkpoints_dir", tmp_path, "--continue_train", "--n_epochs", 2) == 0
    assert losses(tmp_path / "parts") == records
    parts = state_of(tmp_path / "parts")["networks"]["G"]
    assert whole.keys() == parts.keys()
    assert all(torch.equal(parts[name], whole[name]) for name in whole)


@pytest.mark.parametrize("stage", ["first", "second"])
def test_every_weight_is_trained_and_no_teacher_is_saved(stage, tmp_path, request):
    more = ["--crop_size", 32, "--n_epochs", 1, "--name", "run"]  # of a single patch nothing would be masked
    assert train(*request.getfixturevalue(stage), *more) == 0
    state = state_of(tmp_path / "run")
    with torch.device("meta"):
        generator = create_generator("DeFusionPlus")
    own, trained = weights_of(tmp_path / "run"), sum(weight.requires_grad for weight in generator.parameters())
    assert own.keys() == generator.state_dict().keys(), "test.py finds the plain generator"
    moments = state["optimizers"]["G"]["state"]
    assert len(moments) == trained + (12 if stage == "second" else 0)
    resting = [number for number, moment in moments.items() if not moment["exp_avg"].any()]
    assert not resting
    assert list(state["networks"]) == ["G"]
    if stage == "second":
        of_student = {name.removeprefix("generator.") for name in state["networks"]["G"] if name[:4] == "gene"}
        assert of_student == own.keys()
        assert len(state["networks"]["G"]) == len(own) + 12


def test_the_second_stage_begins_with_the_first_ones_weights(first, second, tmp_path):
    assert train(*first, "--n_epochs", 1, "--name", "first") == 0
    weights = tmp_path / "first" / "latest_net_G.pth"
    more = ["--first_stage_weights", weights, "--lr", 1e-9, "--n_epochs", 1, "--name", "second"]
    assert train(*second, *more) == 0
    before, after = weights_of(tmp_path / "first"), weights_of(tmp_path / "second")
    assert all(torch.allclose(before[name], after[name], atol=1e-7) for name in before)
    weights.unlink()
    again = ["--name", "second", "--checkpoints_dir", tmp_path, "--continue_train", "--n_epochs", 2]
    assert train(*again) == 0, "what was taken from the file is part of the run"


def test_the_second_stages_terms(shallow, tmp_path):
    model, pair = stage_2(tmp_path)
    model.netG.eval()
    model.forward()
    loss = model._loss_G()
    assert list(model.losses) == TERMS + OF_TEACHERS
    torch.testing.assert_close(loss.detach(), sum(model.losses.values()))
    student = model.networks["G"]
    order = {}
    for name in ("ab", "ba"):
        model.generator.common_order = name
        order[name] = model.generator.tokens(pair)
    common = order["ab"].common
    torch.testing.assert_close(order["ba"].common, order["ab"].reverse)
    assert not torch.allclose(common, order["ab"].reverse, atol=1e-3)
    torch.testing.assert_close(model.losses["G_orders"], (common - order["ba"].common).abs().mean().detach())
    for number, name in enumerate(OF_TEACHERS[:2]):
        layers, unique = student.foretelling[number], order["ab"].unique[number]
        given = functional.layer_norm(unique, (192,)) + functional.layer_norm(common, (192,))
        wanted = teacher.read_teacher(str(tmp_path / f"{number}.pth"), name[2:])(pair[number])
        expected = (given @ layers.linear.weight.T + layers.linear.bias - wanted).square().mean()
        torch.testing.assert_close(model.losses[name], expected.detach())


def test_masks_are_continued_as_the_images_are(shallow, tmp_path):
    model, _ = stage_2(tmp_path)
    target, masks = torch.rand(2, 3, 19, 30), (torch.rand(2, 2, 1, 19, 30) < 0.5).float()
    sources = masks * target[:, None]
    model.set_input({"sources": sources, "target": target, "masks": masks, "pair": sources})
    assert model.target.shape == (2, 3, 32, 32)
    for source, mask in zip(model.sources, model.masks, strict=True):
        assert torch.equal(source, mask * model.target)
    model.forward()
    assert model._loss_G().isfinite()


@pytest.mark.parametrize(
    ("precision", "dtype"), [("bf16", torch.bfloat16), ("32", torch.float32), ("64", torch.float64)]
)
def test_teachers_compute_in_the_chosen_precision(shallow, tmp_path, precision, dtype):
    model, _ = stage_2(tmp_path, precision=precision)
    seen = []
    for each in model.teachers:
        each.blocks[0].mlp.fc1.register_forward_hook(lambda layer, given, result: seen.append(result.dtype))
    model.forward()
    assert model._loss_G().dtype == torch.float32
    assert seen == [dtype, dtype]


def test_all_that_the_second_stage_trains_is_compiled(shallow, tmp_path):
    with mock.patch.object(nn.Module, "compile", autospec=True) as compile_network:
        model, _ = stage_2(tmp_path, compile_networks=True)
    compile_network.assert_called_once_with(model.networks["G"])


def test_tokens_are_those_that_the_images_are_drawn_from():
    torch.manual_seed(0)
    net, pair = create_generator("DeFusionPlus").eval(), torch.rand(2, 1, 3, 32, 16).unbind(0)
    with torch.no_grad():
        tokens, features = net.tokens(pair), net(pair).features
        for found, parts, (_, block, head) in (
            (features["common"], (tokens.common,), net.decoder_common_blocks),
            (features["unique"], tokens.unique, net.decoder_unique_blocks),
        ):
            for image, part in zip(found, parts, strict=True):
                top_left = head(block(part))[0, 1].view(16, 16, 3).permute(2, 0, 1)
                torch.testing.assert_close(image[0, :, :16, :16], top_left)


def test_a_teacher_has_no_gradient_and_draws_no_random_number(shallow, tmp_path):
    torch.manual_seed(5)
    expected = torch.rand(1)
    file = write_teacher(tmp_path / "a.pth", 0, depth=1)
    torch.manual_seed(5)
    network = teacher.read_teacher(str(file), "teacher_ir")
    assert torch.equal(torch.rand(1), expected)
    assert not any(weight.requires_grad for weight in network.parameters())
    assert not network(torch.rand(1, 3, 16, 16, requires_grad=True)).requires_grad


def test_a_teacher_computes_what_a_vision_transformer_does(shallow, tmp_path):
    weights = teacher_weights(3, depth=1)
    torch.save(weights, tmp_path / "bare.pth")
    network = teacher.read_teacher(str(tmp_path / "bare.pth"), "teacher_vis").double()
    weights = {name: tensor.double() for name, tensor in weights.items()}
    image = torch.rand(1, 3, 224, 224, dtype=torch.float64)

    def linear(name, tokens):
        return tokens @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    def norm(name, tokens):
        return functional.layer_norm(tokens, (768,), weights[f"{name}.weight"], weights[f"{name}.bias"], 1e-6)

    squares = IMAGENET.apply(image).unfold(2, 16, 16).unfold(3, 16, 16).permute(0, 2, 3, 1, 4, 5).reshape(196, 768)
    embedded = squares @ weights["patch_embed.proj.weight"].reshape(768, 768).T + weights["patch_embed.proj.bias"]
    tokens = torch.cat((weights["cls_token"][0], embedded)) + weights["pos_embed"][0]
    q, k, v = linear("blocks.0.attn.qkv", norm("blocks.0.norm1", tokens)).view(197, 3, 12, 64).permute(1, 2, 0, 3)
    attended = (q @ k.transpose(1, 2) / 8).softmax(-1) @ v
    tokens = tokens + linear("blocks.0.attn.proj", attended.transpose(0, 1).reshape(197, 768))
    inner = functional.gelu(linear("blocks.0.mlp.fc1", norm("blocks.0.norm2", tokens)))
    expected = norm("norm", tokens + linear("blocks.0.mlp.fc2", inner))
    torch.testing.assert_close(network(image)[0], expected)


def test_a_whole_masked_autoencoder_is_read_as_well(tmp_path):
    state = teacher_weights(0) | {"mask_token": torch.zeros(1, 1, 512), "decoder_norm.weight": torch.ones(512)}
    torch.save({"model": state}, tmp_path / "a.pth")
    network = teacher.read_teacher(str(tmp_path / "a.pth"), "teacher_ir")
    assert len(network.blocks) == 12
    assert torch.equal(network.blocks[11].mlp.fc2.weight, state["blocks.11.mlp.fc2.weight"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("norm.bias"), r"--teacher_ir .*a\.pth does not fit Teacher: 1 missing \(norm.bias\)"),
        (lambda state: state.update({"blocks.1.norm1.bias": torch.zeros(768)}), "1 unexpected"),
        (lambda state: state.update(cls_token=torch.zeros(1, 1, 1024)), "1 of another shape .*; expected the encoder"),
        (lambda state: state.update(epoch=3), "--teacher_ir .* holds no state dict"),
        (lambda state: state.update({3: torch.zeros(1)}), "--teacher_ir .* holds no state dict"),
        (
            lambda state: state.update(args=Namespace()),
            r"--teacher_ir .*a\.pth: cannot be opened .*\[.model.\] alone",
        ),
    ],
)
def test_a_file_of_something_else_is_named(shallow, tmp_path, change, message):
    state = teacher_weights(0, depth=1)
    change(state)
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(UserError, match=message):
        teacher.read_teacher(str(tmp_path / "a.pth"), "teacher_ir")


def test_validation_and_average_go_along(first, second, tmp_path):
    write_pairs(tmp_path / "val", 1)
    more = ["--n_epochs", 1, "--ema", 0.9, "--max_dataset_size", 2]
    assert train(*first, *more, "--val_dataroot", tmp_path / "val", "--name", "one") == 0
    (record,) = [record for record in curve(tmp_path / "one") if record["kind"] == "validation"]
    assert {"PSNR", "PSNR_average"} <= set(record)
    assert train(*second, *more, "--val_dataroot", tmp_path / "pairs", "--name", "two") == 0
    (record,) = [record for record in curve(tmp_path / "two") if record["kind"] == "validation"]
    assert "Qabf" in record


@pytest.mark.parametrize(
    ("stage", "change", "message"),
    [
        ("first", ["--netG", "DeFusion"], "--model defusion_plus trains DeFusionPlus only: add --netG DeFusionPlus"),
        ("first", ["--stage", 3], "--stage 3: expected a number from 1 to 2"),
        ("first", ["--stage", 2], "stage 2 of --model defusion_plus needs --dataset_mode pairs_and_photos"),
        ("first", ["--crop_size", 40], "--crop_size 40: DeFusionPlus needs a multiple of 16"),
        ("second", ["--dataset_mode", "sources"], "stage 2 of --model defusion_plus needs --dataset_mode pairs"),
        ("second", ["--teacher_ir", ""], "--teacher_ir is missing"),
        ("second", ["--teacher_vis", "/no/where.pth"], "--teacher_vis /no/where.pth: no such file"),
        ("second", ["--first_stage_weights", "/no/where.pth"], "--first_stage_weights /no/where.pth: no such file"),
        ("second", ["--photos", ""], "--photos is missing"),
        ("second", ["--photos", "/no/where"], "no such folder: /no/where (given by --photos)"),
        ("second", ["--preprocess", "scale_width"], "--preprocess scale_width"),
        ("second", ["--num_sources", 3], "--num_sources 3"),
    ],
)
def test_bad_options_are_named(stage, change, message, capsys, request):
    words = request.getfixturevalue(stage)
    if "--dataset_mode" in change:
        words = words[: words.index("--photos")] + words[words.index("--photos") + 2 :]
    assert train(*words, *change, "--name", "run") == 2
    assert message in capsys.readouterr().err
    assert not (words[words.index("--checkpoints_dir") + 1] / "run").exists()


def test_validation_reads_pairs_as_the_training_does(second, tmp_path):
    """Role folders or stacked panels: the training's --layout says which."""
    root = tmp_path / "ambiguous"
    write_sources(root, 1)
    write_pairs(root, 1, with_target=False)
    config, _ = parse_train([str(word) for word in (*second, "--layout", "stacked", "--val_dataroot", root)])
    assert _validation_set(config, root).inspection.found.layout == "stacked"


def test_what_has_no_effect_is_said(first):
    given = [str(word) for word in (*first, "--teacher_ir", "a.pth")]
    assert "--teacher_ir has no effect with --stage 1" in validate_train(*parse_train(given))[-1]
