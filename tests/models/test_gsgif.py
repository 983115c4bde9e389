"""GSGIF-GAN's generator: a rule over a set, features to compare, memory that does not grow with the sources."""

from __future__ import annotations

import copy
import itertools
import math
import weakref

import pytest
import torch
from torch import nn

from models import create_generator
from models.layers.source_fusion import BANDS, LEAST_ACTIVITY, TEMPERATURE, RunningBlend, RunningFusion
from models.weights import load_weights
from options.networks import GSGIF_FUSIONS
from util.errors import UserError

SKIPS = ("none", "features", "residual")
CHOICES = list(itertools.product(GSGIF_FUSIONS, SKIPS))


def build(**options):
    torch.manual_seed(0)
    net = create_generator("GSGIF_generator", **{"ngf": 4, "n_blocks": 2, "norm": "instance", **options})
    if net.skips == "residual":  # as they begin, the sources' weights are all but equal
        for conv in net.selector:
            nn.init.normal_(conv.weight)
    return net


def images(count, batch=2, size=(16, 24), dtype=torch.float32, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(batch, 3, *size, generator=generator, dtype=dtype) * 2 - 1 for _ in range(count)]


def fuse_maps(rule, maps):
    fusion = RunningFusion(rule)
    for of_source in maps:
        fusion.add(of_source)
    return fusion.result()


def assert_same(one, two):
    """Up to rounding: half the digits more than enough for a wrong order, whose effect is in the first."""
    tolerance = 1e-11 if one.dtype == torch.float64 else 1e-4
    torch.testing.assert_close(one, two, rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(("fusion", "skips"), CHOICES)
def test_the_order_of_the_sources_does_not_matter(fusion, skips, count, dtype):
    net = build(fusion=fusion, skips=skips).eval().to(dtype)
    sources, (target,) = images(count, dtype=dtype), images(1, dtype=dtype, seed=2)
    output = net(sources, target)
    for shift in range(1, count):
        other = net(sources[shift:][::-1] + sources[:shift], target)
        assert_same(other.fused, output.fused)
        for stage, (fused, _) in output.features.items():
            assert_same(other.features[stage][0], fused)
    assert_same(net.fuse(sources[::-1]), output.fused.detach())
    for place in range(count):
        changed = [-source if number == place else source for number, source in enumerate(sources)]
        assert (net.fuse(changed) - output.fused).abs().max() > 1e-3, "every source matters"


def test_mean_and_max_are_what_they_are_called():
    maps = [torch.randn(2, 3, 4, 5) for _ in range(4)]
    torch.testing.assert_close(fuse_maps("mean", maps), torch.stack(maps).mean(0))
    assert torch.equal(fuse_maps("max", maps), torch.stack(maps).amax(0))
    assert torch.equal(fuse_maps("max", [-torch.ones(1, 1, 2, 2)]), -torch.ones(1, 1, 2, 2))


def test_saliency_is_a_softmax_over_the_sources():
    maps = torch.randn(4, 2, 3, 6, 7)
    edges = nn.functional.pad(maps.abs().mean(2), (1, 1, 1, 1))
    activity = edges.unfold(2, 3, 1).unfold(3, 3, 1).mean((-2, -1)) + LEAST_ACTIVITY
    weights = (activity.log() / TEMPERATURE).softmax(0)
    torch.testing.assert_close(fuse_maps("saliency", maps), (weights.unsqueeze(2) * maps).sum(0))
    torch.testing.assert_close(fuse_maps("saliency", 50 * maps), 50 * fuse_maps("saliency", maps), rtol=1e-3, atol=1e-3)
    assert torch.equal(fuse_maps("saliency", torch.zeros(3, 1, 2, 4, 4)), torch.zeros(1, 2, 4, 4))


@pytest.mark.parametrize(("fusion", "skips"), CHOICES)
def test_equal_sources_count_as_one(fusion, skips):
    net = build(fusion=fusion, skips=skips).eval()
    (source,) = images(1)
    torch.testing.assert_close(net.fuse([source] * 3), net.fuse([source]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("fusion", GSGIF_FUSIONS)
def test_residual_corrects_a_blend_of_the_sources(fusion):
    net = build(fusion=fusion, skips="residual").eval()
    nn.init.zeros_(net.decoder[2][1].weight)
    nn.init.zeros_(net.decoder[2][1].bias)
    sources = images(3)
    even = blend(sources, torch.zeros(3, 2, BANDS, 16, 24))
    assert (net.fuse(sources) - even).abs().max() > 0.1, "the logits count"
    torch.testing.assert_close(net.fuse(sources[:1]), sources[0])
    for conv in net.selector:
        nn.init.zeros_(conv.weight)
    torch.testing.assert_close(net.fuse(sources), even)


def blend(sources, logits):
    running = RunningBlend()
    for source, of_source in zip(sources, logits, strict=True):
        running.add(source, of_source)
    return running.result()


def test_the_level_of_a_blend_is_the_mean():
    """Whatever the logits: no patchwork of dark infrared and bright visible light."""
    flat = [torch.full((1, 1, 96, 96), level) for level in (-1.0, 0.5)]
    torch.testing.assert_close(blend(flat, 50 * torch.randn(2, 1, BANDS, 96, 96)), torch.full((1, 1, 96, 96), -0.25))


def test_a_blend_takes_each_band_where_its_contrast_is():
    """Fine texture of one source and, at the same place, a broad spot of the other; neither dims the other much."""
    rows, columns = torch.meshgrid(torch.arange(96.0) - 48, torch.arange(96.0) - 48, indexing="ij")
    spot = 0.8 * torch.exp(-(rows**2 + columns**2) / (2 * 8**2)).expand(1, 1, 96, 96)
    texture = 0.2 * (rows + columns).remainder(2).mul(2).sub(1).expand(1, 1, 96, 96)
    blended = blend([spot, texture], torch.zeros(2, 1, BANDS, 96, 96))
    coarse = nn.functional.avg_pool2d(blended, 2, 1)
    assert coarse[..., 47, 47] > 0.5 * (0.8 + 0.4)
    assert (blended[..., 1:, 1:] - coarse)[..., 40:56, 40:56].std() > 0.9 * 0.2


def test_logits_weigh_a_band_but_contrast_has_the_last_word():
    columns = torch.arange(96.0).remainder(2).mul(2).sub(1).expand(1, 1, 96, 96)
    one, two = 0.2 * columns, 0.2 * columns.mT
    logits = torch.zeros(2, 1, BANDS, 96, 96)

    def share(of, sources):
        return ((blend(sources, logits) * of).mean() / of.square().mean()).item()

    assert share(one, [one, two]) == pytest.approx(0.5, abs=0.01)
    logits[0, :, 0] = 1000
    logits[1, :, 0] = -1000
    assert share(one, [one, two]) == pytest.approx(1 / (1 + math.exp(-2)), abs=0.01)
    assert share(one, [one, 4 * two]) < 0.4, "contrast four times as high, weight sixteen times"
    logits[:, :, 0] = 0
    logits[0, :, 1:] = 1000
    assert share(one, [one, two]) == pytest.approx(0.5, abs=0.01), "other bands than its own do not matter"


def test_a_blend_of_one_kind_is_what_it_was():
    (source,) = images(1, size=(5, 7))
    torch.testing.assert_close(blend([source] * 3, torch.randn(3, 2, BANDS, 5, 7)), source)


def test_features_joins_the_fused_maps_of_the_first_stages():
    net = build(skips="features", fusion="max").eval()
    sources = images(3)
    whole, half, _, code = (maps[0] for maps in net(sources, sources[0]).features.values())
    drawn = net.decoder[1](torch.cat([net.decoder[0](code), half], dim=1))
    torch.testing.assert_close(net(sources).fused, net.decoder[2](torch.cat([drawn, whole], dim=1)))


def test_features_are_those_of_the_stages():
    net = build(fusion="mean").eval()
    sources, (target,) = images(2), images(1, seed=2)
    output = net(sources, target, encode_fused=True)
    assert [maps[0].shape[1:] for maps in output.features.values()] == [(4, 16, 24), (8, 8, 12), (16, 4, 6), (16, 4, 6)]
    encoded = [[*sources], target, output.fused]
    for layers, (fused, of_target, of_fused) in zip(net.encoder, output.features.values(), strict=True):
        encoded = [[layers(maps) for maps in encoded[0]], layers(encoded[1]), layers(encoded[2])]
        torch.testing.assert_close(fused, torch.stack(encoded[0]).mean(0))
        assert torch.equal(of_target, encoded[1])
        assert torch.equal(of_fused, encoded[2])
        assert (fused.requires_grad, of_target.requires_grad, of_fused.requires_grad) == (True, False, True)
    assert net(sources).features == {}


def test_what_is_compared_does_not_count_in_the_running_statistics():
    nets = [build(norm="batch", dropout=False).train() for _ in range(2)]
    sources, (target,) = images(3), images(1, seed=2)
    nets[0](sources)
    output = nets[1](sources, 3 * target, encode_fused=True)
    for (name, alone), compared in zip(nets[0].state_dict().items(), nets[1].state_dict().values(), strict=True):
        assert torch.equal(alone, compared), name
    assert output.features["0"][1].mean((0, 2, 3)).std() < 0.1, "normalised by its own batch: ReLU of N(0, 1)"


def test_the_target_is_encoded_without_dropout_and_the_sources_with_it():
    net = build(dropout=True).train()
    sources, (target,) = images(2), images(1, seed=2)
    one, two = (net(sources, target, encode_fused=True).features["3"] for _ in range(2))
    assert torch.equal(one[1], two[1])
    assert not torch.equal(one[0], two[0])
    assert all(layer.training for layer in net.modules())


@pytest.mark.parametrize("skips", SKIPS)
def test_fusing_keeps_the_maps_of_one_source_at_a_time(skips):
    net = build(skips=skips, fusion="saliency").eval()
    maps, alive = [], []

    def note(*call):
        maps.append(weakref.ref(call[-1]))
        alive.append(sum(reference() is not None for reference in maps))

    net.encoder[0].register_forward_hook(note)
    net.fuse(images(6, batch=1, size=(17, 23)))
    assert len(maps) == 6
    assert max(alive) <= 2


@pytest.mark.parametrize("size", [(8, 8), (9, 31), (1, 5)])
@pytest.mark.parametrize("skips", SKIPS)
def test_odd_sizes(skips, size):
    fused = build(skips=skips).eval().fuse(images(3, size=size))
    assert fused.shape == (2, 3, *size)
    assert torch.isfinite(fused).all()


@pytest.mark.parametrize("skips", SKIPS)
def test_options_are_told_from_the_weights(skips):
    net = build(skips=skips, norm="batch", dropout=False)
    told = net.options_from_state(net.state_dict())
    layers = {"input_nc": 3, "output_nc": 3, "ngf": 4, "norm": "batch", "dropout": False, "n_blocks": 2}
    assert told == {**layers, "skips": skips}
    load_weights(create_generator("GSGIF_generator", **told), net.state_dict(), "memory")
    for other in set(SKIPS) - {skips}:
        with pytest.raises(UserError, match="memory does not fit GSGIFGenerator"):
            load_weights(build(skips=other, norm="batch", dropout=False), net.state_dict(), "memory")
    assert create_generator("R2GAN_generator", ngf=2).options_from_state(net.state_dict()) == {}


def test_training_compiles_and_gives_the_same():
    plain = build(norm="batch", dropout=False).train()
    compiled = copy.deepcopy(plain)
    compiled.compile(backend="eager")
    sources, (target,) = images(2), images(1, seed=2)
    for _ in range(2):
        one, two = (net(sources, target, encode_fused=True) for net in (plain, compiled))
        torch.testing.assert_close(one.fused, two.fused)
        torch.testing.assert_close(dict(one.features), dict(two.features))
    torch.testing.assert_close(plain.state_dict(), compiled.state_dict())
    torch.compiler.reset()


def test_no_source_is_refused():
    with pytest.raises(UserError, match="at least one source"):
        build()([])
