"""DeFusion's training: its loss against the public implementation's, the annealing, what a run saves."""

from __future__ import annotations

import pytest
import torch

from models.losses.defusion import anneal, defusion_terms
from options.commands import parse_train
from options.validate import validate_train
from tests.images import write_pairs, write_photographs
from tests.integration.commands import curve, train
from tests.models.reference import load_reference, part

MACHINE = ["--gpu_ids", "-1", "--crop_size", 16, "--batch_size", 2, "--num_threads", 0, "--loggers", "none"]
MACHINE += ["--n_epochs_decay", 0, "--print_freq", 2]
TERMS = ["G_common", "G_unique_1", "G_unique_2", "G_fused"]


@pytest.mark.parametrize("place", range(10))
def test_the_loss_is_the_published_one(place):
    reference = part(load_reference("losses"), "defusion.")
    given = part(reference, "input.")
    terms = defusion_terms(
        given["common"],
        (given["unique_a"], given["unique_b"]),
        given["fused"],
        target=given["target"],
        masks=(given["mask_a"], given["mask_b"]),
        step=int(reference["steps"][place]),
    )
    assert list(terms) == TERMS
    *expected, total = reference["losses"][place]
    torch.testing.assert_close(torch.stack(list(terms.values())), torch.stack(expected), rtol=1e-4, atol=1e-5)
    assert torch.isclose(len(given["target"]) * sum(terms.values()), total, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("step", "outside", "fused"),
    [
        (2999, 0, 0),
        (3000, 0.15 * 9 / 49, 0),
        (3000.5, 0.15 * (3000.5 / 7000) ** 2, 0),
        (40000, 0.15, 1),
        (40001, 0.015, 1),
        (16999, 0.15, 0),
        (17000, 0.15, 0.25),
        (10**6, 0.015, 1),
    ],
)
def test_the_weights_change_at_the_published_steps(step, outside, fused):
    assert anneal(step) == (pytest.approx(outside), pytest.approx(fused))


def test_a_part_is_asked_for_in_its_region_alone_at_first():
    generator = torch.Generator().manual_seed(0)
    common, one, other, fused, target = torch.rand(5, 2, 3, 8, 8, generator=generator).unbind(0)
    masks = (torch.rand(2, 2, 1, 8, 8, generator=generator) < 0.6).float().unbind(0)
    shared = masks[0] * masks[1]

    def terms(step, common, one):
        return defusion_terms(common, (one, other), fused, target=target, masks=masks, step=step)

    before = terms(0, common, one)
    elsewhere = terms(0, common + (1 - shared), one + (1 - masks[0] + shared))
    assert all(torch.equal(before[name], elsewhere[name]) for name in TERMS), "what is outside does not count"
    inside = terms(0, torch.where(shared > 0, target, common), one)
    assert inside["G_common"] == 0
    assert terms(7000, common + (1 - shared), one)["G_common"] > terms(7000, common, one)["G_common"]


@pytest.fixture
def words(tmp_path):
    """A training of two steps an epoch, each of which counts for 10000."""
    write_photographs(tmp_path / "data", 4)
    words = ["--dataroot", tmp_path / "data" / "images", "--checkpoints_dir", tmp_path, *MACHINE]
    words += ["--model", "defusion", "--dataset_mode", "decomposition", "--annealing", 1e-4]
    return [*words, "--init_type", "xavier", "--init_gain", 1, "--lr", 1e-3]


def losses(folder):
    return [record for record in curve(folder) if record["kind"] == "losses"]


def weights_of(folder):
    return torch.load(folder / "latest_net_G.pth", weights_only=True)


def test_its_steps_go_on_bit_for_bit(words, tmp_path):
    run = [*words, "--max_dataset_size", 2, "--annealing", 5e-5]  # an epoch is a step, and counts for 20000
    assert train(*run, "--n_epochs", 2, "--name", "whole") == 0
    first, second = losses(tmp_path / "whole")
    assert set(TERMS) <= set(first)
    assert first["G_fused"] == 0 < second["G_fused"]
    state = torch.load(tmp_path / "whole" / "latest_state.pth", weights_only=True)
    assert state["model"]["steps"] == 2
    whole = weights_of(tmp_path / "whole")

    assert train(*run, "--n_epochs", 1, "--name", "parts") == 0
    assert train("--name", "parts", "--checkpoints_dir", tmp_path, "--continue_train", "--n_epochs", 2) == 0
    assert losses(tmp_path / "parts") == [first, second]
    parts = weights_of(tmp_path / "parts")
    assert all(torch.equal(parts[name], whole[name]) for name in whole)


def test_a_batch_in_parts_is_one_step_with_the_same_gradient(words, tmp_path):
    run = [*words, "--n_epochs", 1, "--annealing", 5e-5, "--lr", 1e-6]
    assert train(*run, "--name", "one") == 0
    assert train(*run, "--name", "parts", "--accumulate", 2) == 0
    for one, parts in zip(losses(tmp_path / "one"), losses(tmp_path / "parts"), strict=True):
        assert [parts[name] for name in TERMS] == pytest.approx([one[name] for name in TERMS], rel=1e-3)
    assert torch.load(tmp_path / "parts" / "latest_state.pth", weights_only=True)["model"]["steps"] == 2


def test_every_head_begins_in_the_middle_and_every_weight_is_trained(words, tmp_path):
    assert train(*words, "--n_epochs", 1, "--annealing", 1e-9, "--name", "run") == 0
    state = torch.load(tmp_path / "run" / "latest_state.pth", weights_only=True)["model"]
    names = [name for name in state["networks"]["G"] if "lower" not in name]
    moments = state["optimizers"]["G"]["state"]
    assert len(moments) == len(names)
    assert all(moment["exp_avg"].abs().sum() > 0 for moment in moments.values())
    for head in ("decoder_common_projection_layer", "decoder_upper_projection_layer", "fusion_rule"):
        assert (state["networks"]["G"][f"{head}.0.bias"] - 0.5).abs().max() < 0.01


def test_validation_and_average_go_along(words, tmp_path):
    write_pairs(tmp_path / "val", 1)
    more = ["--val_dataroot", tmp_path / "val", "--ema", 0.9, "--pad", 16, "--n_epochs", 1]
    assert train(*words, *more, "--depth", "trainer", "--name", "run") == 0
    (record,) = [record for record in curve(tmp_path / "run") if record["kind"] == "validation"]
    assert {"PSNR", "PSNR_average"} <= set(record)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--netG", "IFCNN"], "--model defusion trains DeFusion only: add --netG DeFusion"),
        (["--dataset_mode", "aligned"], "--model defusion needs masks; add --dataset_mode decomposition"),
        (["--annealing", 0], "--annealing 0.0: expected a number above 0"),
        (["--annealing", "nan"], "--annealing nan"),
        (["--pad", -1], "--pad -1: expected a number from 0 to 1024"),
        (["--depth", "deep"], "--depth 'deep' is not one of: tester, trainer"),
        (["--num_sources", 3], "--num_sources 3: two masked copies are made of a photograph"),
        (["--preprocess", "scale_width"], "--preprocess scale_width: a random part of each photograph is resized"),
    ],
)
def test_bad_options_are_named(words, tmp_path, capsys, more, message):
    assert train(*words, *more, "--name", "run") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("start", [[], ["--init_type", "kaiming"]])
def test_a_start_that_hardly_learns_is_pointed_out(words, start):
    without = words[: words.index("--init_type")]
    notices = validate_train(*parse_train([str(word) for word in (*without, *start)]))
    assert "DeFusion hardly learns from such initial weights; better --init_type xavier --init_gain 1" in notices[-1]
    assert "options/recipes/defusion.yaml" in notices[-1]
    assert validate_train(*parse_train([str(word) for word in words])) == []


@pytest.mark.parametrize(("annealing", "is_said"), [(2 / 17000, True), (1 / 17000, False)])
def test_a_fused_image_that_is_never_trained_is_pointed_out(words, tmp_path, caplog, annealing, is_said):
    run = [*words, "--n_epochs", 2, "--max_dataset_size", 2, "--annealing", annealing]  # two steps
    assert train(*run, "--name", "run") == 0
    last = [record for record in curve(tmp_path / "run") if record["kind"] == "losses"][-1]
    assert (last["G_fused"] == 0) == is_said
    assert ("from step 2 on, but the training ends after 2 steps" in caplog.text) == is_said


def test_what_has_no_effect_is_said(words):
    given = [str(word) for word in (*words, "--load_size", 64)]
    assert "--load_size has no effect with --dataset_mode decomposition" in validate_train(*parse_train(given))[-1]


def test_another_procedure_trains_on_the_same_pairs(words, tmp_path):
    run = [*words[:4], *MACHINE, "--dataset_mode", "decomposition", "--ngf", 2, "--ndf", 2, "--n_epochs", 1]
    assert train(*run, "--name", "gan") == 0
    assert "G_L1" in losses(tmp_path / "gan")[-1]
