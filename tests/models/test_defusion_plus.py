"""DeFusion++'s network and loss: against the numbers of the public implementation; positions, masks, chance, files."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from models import create_generator
from models.generators.base import Normalisation
from models.layers.vision_transformer import DropPath, resized_positions, sincos_positions
from models.losses.defusion_plus import defusion_plus_terms
from models.weights import load_weights
from options.saved import travelling_options
from scripts import import_checkpoint
from tests.images import write_pairs
from tests.integration.commands import fuse
from tests.models.reference import at_stored_places, filled_weights, load_reference, part
from util.errors import UserError

PARAMETERS = 13_496_448
TABLES = {"encoder.pos_embed", "decoder_pos_embed"}
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}


def build(**options):
    torch.manual_seed(0)
    return create_generator("DeFusionPlus", **options).eval()


def images(batch=1, size=(32, 48), count=2):
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(batch, 3, *size, generator=generator) for _ in range(count)]


def calls_of(module):
    """Returns a list that takes up the input of every call of `module`."""
    calls = []
    module.register_forward_hook(lambda _, inputs, output: calls.append(inputs[0]))
    return calls


@torch.no_grad()
@pytest.mark.parametrize("order", ["ab", "ba"])
def test_gives_the_published_images_in_both_orders(order):
    reference, weights, net = (
        load_reference("defusion_plus"),
        filled_weights("defusion_plus"),
        build(common_order=order),
    )
    assert {*net.state_dict()} - {*weights} == TABLES
    load_weights(net, {**net.state_dict(), **weights}, "defusion_plus.json")
    grids = [reference["input.a.grid"], reference["input.b.grid"]]
    sources = [functional.interpolate(grid, size=(224, 224), mode="bicubic").clamp(0, 1) for grid in grids]
    output = net(sources)
    (common,), (unique_a, unique_b) = output.features["common"], output.features["unique"]
    found = {"common": common, "unique_a": unique_a, "unique_b": unique_b, "fused": output.fused}
    for name, image in found.items():
        expected = reference[f"order_{order}.{name}"]
        # Without the whole reference every seventh row and column: every place within the patches of 16 pixels.
        values = at_stored_places(image, expected)
        torch.testing.assert_close(values, expected, **TOLERANCE, msg=lambda text, name=name: f"{name}: {text}")
    torch.testing.assert_close(net.fuse(sources), output.fused)


def test_has_the_published_number_of_parameters():
    with torch.device("meta"):
        net = create_generator("DeFusionPlus")
    assert sum(parameter.numel() for parameter in net.parameters()) == PARAMETERS


def test_the_loss_is_the_published_one():
    reference = load_reference("losses")
    given = part(reference, "defusion.input.")
    terms = defusion_plus_terms(
        given["common"],
        (given["unique_a"], given["unique_b"]),
        reference["defusion_plus.input.reconstruction"],
        given["fused"],
        target=given["target"],
        masks=(given["mask_a"], given["mask_b"]),
    )
    assert list(terms) == ["G_common", "G_unique_1", "G_unique_2", "G_rebuilt", "G_fused", "G_SSIM"]
    common, one, other, rebuilt, l1, ssim = (len(given["target"]) * term for term in terms.values())
    found = torch.stack([common, one, other, rebuilt, l1 + ssim, common + one + other + rebuilt + l1 + ssim])
    torch.testing.assert_close(found, reference["defusion_plus.losses"], rtol=1e-4, atol=1e-5)


def test_positions_are_waves_of_the_column_and_of_the_row():
    table = sincos_positions(8, 3, 4)
    assert table.shape == (1, 13, 8)
    assert torch.equal(table[0, 0], torch.zeros(8))
    row, column = 2, 3
    expected = [wave(place * rate) for place in (column, row) for wave in (math.sin, math.cos) for rate in (1, 0.01)]
    torch.testing.assert_close(table[0, 1 + 4 * row + column], torch.tensor(expected))


def test_positions_are_stretched_over_other_grids():
    table = sincos_positions(192, 14, 14)
    assert resized_positions(table, 14, 14, 14) is table
    grid = resized_positions(table, 14, 28, 7)
    assert torch.equal(grid[:, 0], table[:, 0])
    of_column, of_row = grid[0, 1:].unflatten(0, (28, 7)).split(96, dim=-1)
    slow = 10000 ** (-24 / 48)  # the 25th of 48 rates
    rows, columns = (torch.arange(28) + 0.5) / 2 - 0.5, (torch.arange(7) + 0.5) * 2 - 0.5
    inner = slice(4, -4)  # the table ends, and with it what it can be stretched from
    torch.testing.assert_close(of_row[inner, 3, 24], (slow * rows).sin()[inner], rtol=0, atol=1e-3)
    torch.testing.assert_close(of_column[14, 1:-1, 24], (slow * columns).sin()[1:-1], rtol=0, atol=1e-3)
    torch.testing.assert_close(of_column[3], of_column[20])


def test_forward_draws_all_images_and_fuse_the_fused_one_alone():
    net, sources = build(), images(2)
    others = [net.decoder_common_blocks[2], net.decoder_unique_blocks[2], net.mim_decoder_pred]
    calls = [calls_of(head) for head in others]
    output = net(sources)
    shown = [output.fused, *(image for kind in output.features.values() for image in kind)]
    assert [image.shape for image in shown] == [(2, 3, 32, 48)] * 5
    assert {kind: len(found) for kind, found in output.features.items()} == {"common": 1, "unique": 2, "rebuilt": 1}
    assert [len(of_head) for of_head in calls] == [1, 2, 1]
    torch.testing.assert_close(net.fuse(sources), output.fused.detach())
    assert [len(of_head) for of_head in calls] == [1, 2, 1]
    assert net.normalisation() == net.normalisation(grey=True) == Normalisation((0.0,), (1.0,))


def test_every_patch_stands_where_it_was():
    """With a head that only passes on a token's first three channels, as the colour of its whole patch."""
    net, head = build(), nn.Linear(192, 768)
    nn.init.zeros_(head.bias)
    with torch.no_grad():
        head.weight.copy_(torch.eye(3, 192).repeat(256, 1))
    net.decoder_fuse_blocks[2] = head
    tokens = calls_of(head)
    fused = net(images()).fused
    of_patches = fused.unfold(2, 16, 16).unfold(3, 16, 16)  # (1, 3, 2, 3, 16, 16)
    expected = tokens[0][:, 1:, :3].transpose(1, 2).unflatten(2, (2, 3))
    torch.testing.assert_close(of_patches, expected[..., None, None].expand(of_patches.shape))


@torch.no_grad()
def test_a_quarter_of_the_tokens_is_seen_by_masked_modelling():
    net, sources = build(), images(2, (64, 64))
    blocks = net.recon_blocks_mim_encoder, net.decoder_fuse_blocks[1], net.mim_decoder_blocks
    encoded, fused, tokens = (calls_of(block) for block in blocks)
    net(sources)
    assert [found.shape[1] for found in encoded] == [5, 17], "the class token and four of sixteen patches, or all"
    assert len(fused) == 1
    positions = resized_positions(net.decoder_pos_embed, 14, 4, 4)
    masked = torch.isclose(tokens[0] - positions, net.mask_token, atol=1e-6).all(-1)
    assert masked.sum(1).tolist() == [12, 12]
    assert not masked[:, 0].any()
    assert not torch.equal(masked[0], masked[1]), "each image has its own mask"


@torch.no_grad()
def test_tokens_that_are_not_masked_stay_in_their_places(monkeypatch):
    monkeypatch.setattr("models.generators.defusion_plus.VISIBLE", 1.0)
    net = build()
    fused, tokens = (calls_of(block) for block in (net.decoder_fuse_blocks[1], net.mim_decoder_blocks))
    net(images(2, (48, 64)))
    positions = resized_positions(net.decoder_pos_embed, 14, 3, 4)
    torch.testing.assert_close(tokens[0] - positions, fused[0], rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_masked_modelling_sees_nothing_of_masked_tokens():
    """The tokens of all parts are changed where the mask is, behind the cross-attention."""
    net, sources, seen = build(), images(size=(64, 64)), []
    net.mim_decoder_blocks.register_forward_hook(lambda _, inputs, output: seen.append(inputs[0]))

    def rebuilt():
        torch.manual_seed(3)
        return net(sources).features["rebuilt"][0]

    before = rebuilt()
    positions = resized_positions(net.decoder_pos_embed, 14, 4, 4)
    masked = torch.isclose(seen[0] - positions, net.mask_token, atol=1e-6).all(-1)[..., None]
    for block in (net.decoder_common_blocks[0], net.decode_common_skipconn, net.decoder_unique_residual):
        block.register_forward_hook(lambda _, inputs, output: torch.where(masked, output + 1, output))
    assert torch.equal(rebuilt(), before)
    for block in (net.decoder_common_blocks[0], net.decoder_unique_residual):
        block.register_forward_hook(lambda _, inputs, output: torch.where(masked, output, output + 1))
    assert not torch.allclose(rebuilt(), before, atol=1e-3)


@torch.no_grad()
def test_chance_decides_on_the_order_in_training_alone():
    sources, net, other = images(size=(16, 16)), build(), build(common_order="ba")
    both = [found(sources).features["common"][0] for found in (net, other)]
    assert not torch.allclose(*both, atol=1e-3)
    torch.testing.assert_close(other(sources[::-1]).features["common"][0], both[0])
    for module in net.train().modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        elif isinstance(module, nn.MultiheadAttention):
            module.dropout = 0.0
    drawn = [net(sources).features["common"][0] for _ in range(12)]
    drawn = [[torch.allclose(found, known, atol=1e-5) for known in both] for found in drawn]
    assert all(sum(found) == 1 for found in drawn)
    assert 1 <= sum(first for first, _ in drawn) <= 11


def test_paths_are_dropped_for_whole_samples_and_more_often_the_deeper():
    net = build()
    rates = [block.drop_path.p for block in net.encoder.blocks]
    assert rates == pytest.approx([0.1 * number / 11 for number in range(12)])
    drop, tokens = DropPath(0.25), torch.ones(400, 3, 2)
    torch.manual_seed(0)
    dropped = drop(tokens)
    of_sample = dropped[:, :1, :1]
    assert torch.equal(dropped, of_sample.expand_as(dropped))
    assert sorted(of_sample.unique().tolist()) == pytest.approx([0, 4 / 3])
    assert 60 < (of_sample == 0).sum() < 140
    assert torch.equal(drop.eval()(tokens), tokens)


def test_pad_continues_by_reflection_at_all_sides_and_crops():
    plain, net, sources = build(), build(pad=16), images(size=(20, 31))
    padded = [functional.pad(source, (16, 16, 16, 16), mode="reflect") for source in sources]
    expected = plain.fuse(padded)[..., 16:-16, 16:-16]
    assert torch.equal(net.fuse(sources), expected)
    assert not torch.allclose(plain.fuse(sources), expected, atol=1e-3)


@torch.no_grad()
def test_decompose_draws_the_images_of_forward_padded_and_cropped_and_rebuilds_nothing():
    net, sources = build(pad=16), images(size=(32, 48))
    rebuilt = calls_of(net.mim_decoder_pred)
    parts = net.decompose(sources)
    assert not rebuilt
    features = net([functional.pad(source, (16,) * 4, mode="reflect") for source in sources]).features
    assert list(parts) == ["common", "unique 1", "unique 2"]
    for drawn, expected in zip(parts.values(), (*features["common"], *features["unique"]), strict=True):
        assert torch.equal(drawn, expected[..., 16:-16, 16:-16])


@pytest.mark.parametrize("count", [1, 3])
def test_two_sources_and_no_other_number(count):
    with pytest.raises(UserError, match=f"{count} sources: DeFusionPlus fuses two"):
        build().fuse(images(count=count))


def test_a_published_file_becomes_a_run_that_fuses(tmp_path):
    state = build().state_dict()
    published = {"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}, "epoch": 50}
    torch.save(published, tmp_path / "a.pth")
    words = ["--netG", "DeFusionPlus", "--weights", tmp_path / "a.pth", "--name", "run", "--checkpoints_dir", tmp_path]
    assert import_checkpoint.main([str(word) for word in words]) == 0
    assert travelling_options(tmp_path / "run" / "options.json").items() >= {"pad": 16, "common_order": "ab"}.items()
    weights = torch.load(tmp_path / "run" / "latest_net_G.pth", weights_only=True)
    assert weights.keys() == state.keys()
    assert all(torch.equal(weights[name], tensor) for name, tensor in state.items())

    write_pairs(tmp_path / "pairs" / "test", 1, 13, 21, with_target=False)
    words = ["--name", "run", "--checkpoints_dir", tmp_path, "--dataroot", tmp_path / "pairs", "--gpu_ids", "-1"]
    words += [
        "--dataset_mode",
        "aligned",
        "--num_threads",
        0,
        "--metrics",
        "none",
        "--results_dir",
        tmp_path / "results",
    ]
    assert fuse(*words) == 0
    assert (tmp_path / "results" / "run" / "test_latest" / "fused" / "p00.png").is_file()
