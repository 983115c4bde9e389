"""What holds for every registered generator."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from models import create_generator, list_generators
from models.weights import load_weights
from options.registry import GENERATORS
from util.errors import UserError

FAMILY = ["R2GAN_generator", "GSGIF_generator", "resnet_9blocks", "resnet_6blocks", "unet_256", "unet_128"]
TRAINED = [name for name in list_generators() if GENERATORS[name].options.has_weights]
VARIANTS = [
    *[(name, {}) for name in TRAINED],
    *[(name, {"norm": "instance"}) for name in FAMILY],
    ("R2GAN_generator", {"norm": "none", "decoders": "separate", "num_sources": 3}),
    ("GSGIF_generator", {"norm": "none", "fusion": "saliency", "skips": "features"}),
    ("GSGIF_generator", {"dropout": False, "fusion": "max", "skips": "features", "input_nc": 1, "output_nc": 2}),
    ("resnet_6blocks", {"norm": "none", "dropout": False, "num_sources": 3, "input_nc": 1, "output_nc": 2}),
    ("unet_128", {"norm": "none", "dropout": False, "num_sources": 3, "input_nc": 1, "output_nc": 2}),
]
UNBOUNDED = ("IFCNN", "DeFusionPlus", "GSGIF_generator", "BlendNet")  # a linear last layer, or a sum of bands
# What a training leaves as it is: IFCNN's conv1, tables of positions, and what published files of SMFNet and DeFusion++
# hold and no one computes with.
FROZEN = {
    "IFCNN": ("conv1.",),
    "SMFNet": (
        *(f"DIDF_Encoder.baseFeature.{layer}." for layer in ("norm", "conv_after_body", "reduce_channel")),
        *(
            f"GraphModel.graph.{layer}."
            for layer in ("graph.C_ca", "C_cat.2", "C_cat.3", "C_cat.4", "C_cat.5", "C_cls")
        ),
        "BaseFuseLayer.reduce_channel.",
    ),
    "DeFusionPlus": ("encoder.pos_embed", "decoder_pos_embed", "encoder.norm."),
}


def build(name, **options):
    torch.manual_seed(0)
    return create_generator(name, **{**small(name), **options})


def small(name):
    return {"ngf": 2} if name in FAMILY else {}


def images(count=2, batch=1, channels=3, size=(32, 32), seed=1):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(batch, channels, *size, generator=generator) * 2 - 1 for _ in range(count)]


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_training_reaches_every_parameter_with_finite_gradients(name, options):
    net = build(name, **options).train()
    side = max(net.size_divisor, 32)
    sources = images(options.get("num_sources", 2), 2, options.get("input_nc", net.channels), (side, side))
    output = net(sources)
    channels = options.get("output_nc", net.channels)
    assert output.fused.shape == (2, channels, side, side)
    assert name in UNBOUNDED or output.fused.abs().max() <= 1
    assert len(output.reconstructions) == (len(sources) if name in ("R2GAN_generator", "SMFNet") else 0)
    drawn = (output.fused, *output.reconstructions, *(maps for kind in output.features.values() for maps in kind))
    # Squares of a difference, since the sum of a normalised image need not depend on a weight.
    loss = sum((image - 0.3).square().mean() for image in drawn)
    loss.backward()
    for parameter_name, parameter in net.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, parameter_name
        assert parameter.requires_grad != parameter_name.startswith(FROZEN.get(name, ("none",))), parameter_name
        assert parameter.grad is None or torch.isfinite(parameter.grad).all(), parameter_name


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_feature_layers_are_those_that_images_do_not_depend_on(name, options):
    """A weight too few, and several processes wait for its gradient; a weight too many, and it is never trained."""
    net = build(name, **options).train()
    trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
    for layer in net.feature_layers():
        layer.requires_grad_(False)
    side = max(net.size_divisor, 32)
    output = net(images(options.get("num_sources", 2), 2, options.get("input_nc", net.channels), (side, side)))
    sum((image - 0.3).square().mean() for image in (output.fused, *output.reconstructions)).backward()
    assert all((parameter.grad is not None) == parameter.requires_grad for parameter in net.parameters())
    at_rest = sum(not parameter.requires_grad for parameter in trained)
    assert at_rest == {"DeFusion": 4, "DeFusionPlus": 57}.get(name, 0)


@pytest.mark.parametrize("size", [(37, 53), (1, 70), (1, 1), (64, 9)])
@pytest.mark.parametrize("name", list_generators())
def test_fuse_takes_any_size(name, size):
    net = build(name).eval()
    fused = net.fuse(images(channels=net.channels, size=size))
    assert fused.shape == (1, net.channels, *size)
    assert torch.isfinite(fused).all()
    assert not fused.requires_grad


@pytest.mark.parametrize("name", list_generators())
def test_fuse_is_forward_where_nothing_is_padded(name):
    net = build(name).eval()
    size = (net.size_divisor, 2 * net.size_divisor) if net.size_divisor > 4 else (16, 32)
    sources = images(channels=net.channels, size=size)
    torch.testing.assert_close(net.fuse(sources), net(sources).fused.detach())


@pytest.mark.parametrize("size", [(37, 53), (1, 9)])
@pytest.mark.parametrize("name", ["DeFusion", "DeFusionPlus"])
def test_decompose_draws_the_named_images_at_any_size(name, size):
    net = build(name).eval()
    parts = net.decompose(images(channels=net.channels, size=size))
    assert tuple(parts) == net.part_names == ("common", "unique 1", "unique 2")
    for part in parts.values():
        assert part.shape == (1, net.channels, *size)
        assert not part.requires_grad


@pytest.mark.parametrize(("name", "options"), VARIANTS[: len(TRAINED) + len(FAMILY)])
def test_fuse_does_not_depend_on_the_batch(name, options):
    net = build(name, **options).eval()
    sources = images(batch=3, channels=net.channels, size=(20, 28))
    together = net.fuse(sources)
    alone = torch.cat([net.fuse([source[item : item + 1] for source in sources]) for item in range(3)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(together[0], together[1], atol=1e-3), "the images differ, so must the results"


@pytest.mark.parametrize("name", TRAINED)
def test_state_dict_round_trip(name):
    net = build(name).eval()
    other = create_generator(name, **small(name)).eval()
    load_weights(other, net.state_dict(), "memory")
    sources = images(channels=net.channels)
    assert torch.equal(net.fuse(sources), other.fuse(sources))


@pytest.mark.parametrize("name", FAMILY)
def test_options_are_told_from_a_state_dict(name):
    for options in ({"norm": "batch", "dropout": True}, {"norm": "instance", "dropout": False, "output_nc": 1}):
        if name == "GSGIF_generator":
            options["skips"] = "features"  # its default adds up sources, and has their channels
        net = build(name, **options)
        told = net.options_from_state(net.state_dict())
        expected = {"ngf": 2, "output_nc": 3, **options}
        assert told.items() >= {key: expected[key] for key in told if key in expected}.items()
        assert {"ngf", "output_nc"} <= set(told)
        assert ("norm" in told) == (options["norm"] == "batch"), "instance norm and none look alike"
        rebuilt = create_generator(name, **{"norm": "instance", **told})
        load_weights(rebuilt, {"state_dict": {f"module.{k}": v for k, v in net.state_dict().items()}}, "memory")
        assert net.options_from_state({"alien": torch.zeros(1)}) == {}


@pytest.mark.parametrize("name", ["resnet_9blocks", "resnet_6blocks", "unet_256", "unet_128"])
def test_concatenating_generators_know_their_number_of_sources(name):
    net = build(name, num_sources=3).eval()
    assert net.fuse(images(3)).shape == (1, 3, 32, 32)
    with pytest.raises(UserError, match=r"2 sources.*num_sources 3"):
        net.fuse(images(2))


@pytest.mark.parametrize(
    "name",
    ["BlendNet", "R2GAN_generator", "GSGIF_generator", "resnet_6blocks", "unet_128", "IFCNN", "SMFNet", "DeFusionPlus"],
)
def test_compiles_as_one_graph(name):
    net = build(name, **({"dropout": False} if name in FAMILY else {})).eval()
    size = (net.size_divisor, net.size_divisor) if net.size_divisor > 4 else (16, 16)
    sources = images(channels=net.channels, size=size)
    compiled = torch.compile(net, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(sources).fused, net(sources).fused)
    torch.compiler.reset()


def calls_of(module):
    """Returns a list that grows by the batch size of every call of `module`."""
    calls = []
    module.register_forward_hook(lambda _, inputs, output: calls.append(inputs[0].shape[0]))
    return calls


@pytest.mark.parametrize("decoders", ["shared", "separate"])
def test_r2gan_fuses_with_one_encoder_batch_and_one_decoder_pass(decoders):
    net = build("R2GAN_generator", decoders=decoders).eval()
    encoder, main = calls_of(net.model_encoder), calls_of(net.model_decoder)
    auxiliary = calls_of(net.model1) if decoders == "separate" else []
    net.fuse(images(2))
    assert (encoder, main, auxiliary) == ([2], [1], [])
    encoder.clear()
    net.train()(images(2))
    assert encoder == [1, 1], "batch norm's statistics are those of one source at a time"


def test_r2gan_shared_decoder_takes_any_number_of_sources_in_any_order():
    net = build("R2GAN_generator").eval()
    sources = images(5)
    assert len(net(sources).reconstructions) == 5
    torch.testing.assert_close(net.fuse(sources), net.fuse(sources[::-1]), rtol=1e-4, atol=1e-5)
    one = net(sources[:1])
    torch.testing.assert_close(one.fused, one.reconstructions[0])
    with pytest.raises(UserError, match="at least one source"):
        net([])


def test_r2gan_separate_decoders_are_one_per_source():
    net = build("R2GAN_generator", decoders="separate", num_sources=3).eval()
    first, *others = net(images(1) * 3).reconstructions
    assert all(not torch.allclose(first, other, atol=1e-3) for other in others), "equal sources, other decoders"
    assert len(net(images(2)).reconstructions) == 2
    with pytest.raises(UserError, match=r"4 sources.*for 3"):
        net(images(4))
    with pytest.raises(UserError, match=r"4 sources.*for 3"):
        net.train()(images(4))


def test_r2gan_shared_decoders_stay_shared_in_a_copy():
    net = copy.deepcopy(build("R2GAN_generator"))
    assert net.model_decoder is net.model1 is net.model2
    separate = copy.deepcopy(build("R2GAN_generator", decoders="separate"))
    assert separate.model1 is not separate.model_decoder
    assert sum(p.numel() for p in separate.parameters()) > sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize("decoders", ["shared", "separate"])
@pytest.mark.parametrize("dropout", [True, False])
def test_r2gan_layout_is_the_published_one_and_is_told_from_it(dropout, decoders):
    net = build("R2GAN_generator", dropout=dropout, decoders=decoders, n_blocks=9, input_nc=1, output_nc=2)
    state = net.state_dict()
    conv, norm = ("6", "7") if dropout else ("5", "6")
    assert state[f"model_encoder.10.conv_block.{conv}.weight"].ndim == 4
    assert f"model_encoder.10.conv_block.{norm}.running_mean" in state
    expected = {"input_nc": 1, "output_nc": 2, "ngf": 2, "norm": "batch", "dropout": dropout, "n_blocks": 9}
    sources = {"num_sources": 2} if decoders == "separate" else {}
    assert net.options_from_state(state) == {**expected, "decoders": decoders, **sources}


def test_dropout_is_active_in_training_only():
    for name in FAMILY:
        net = build(name, norm="instance").train()
        sources = images(size=(net.size_divisor, net.size_divisor) if net.size_divisor > 4 else (16, 16))
        assert not torch.equal(net(sources).fused, net(sources).fused), name
        net.eval()
        assert torch.equal(net(sources).fused, net(sources).fused), name


@pytest.mark.parametrize(
    ("name", "options", "side"),
    [
        ("IFCNN", {}, 32),
        ("BlendNet", {"width": 2}, 1408),
        ("laplacian", {}, 320),
        ("atrous", {}, 160),
        ("R2GAN_generator", {"n_blocks": 1, "ngf": 1}, 64),
        ("R2GAN_generator", {"n_blocks": 6, "ngf": 1}, 160),
        ("GSGIF_generator", {"n_blocks": 1, "ngf": 1, "fusion": "saliency", "skips": "none"}, 64),
        ("GSGIF_generator", {"n_blocks": 1, "ngf": 1, "fusion": "saliency", "skips": "residual"}, 112),
        ("GSGIF_generator", {"n_blocks": 4, "ngf": 1, "fusion": "mean", "skips": "residual"}, 144),
        ("GSGIF_generator", {"n_blocks": 6, "ngf": 1, "fusion": "max", "skips": "features"}, 160),
        ("resnet_9blocks", {"ngf": 1}, 208),
        ("unet_128", {"ngf": 1}, 1024),
    ],
)
def test_a_network_looks_as_far_as_it_says_and_no_farther(name, options, side):
    """Where the gradient of pixels in the middle reaches; tiles of large images overlap accordingly."""
    net = build(name, **options).eval()
    if name == "BlendNet":  # its last layers begin at zero, and would show nothing of what is before them
        for parameter in net.heads.parameters():
            nn.init.normal_(parameter)
    farthest = 0
    for place in (side // 2 - 1, side // 2, side // 2 + 1, side // 2 + 2):
        source, other = images(2, 1, net.channels, (side, side))
        source.requires_grad_()
        net([source, other]).fused[0, 0, place, place].backward()
        rows, columns = source.grad[0].abs().sum(0).nonzero(as_tuple=True)
        farthest = max(farthest, *((part - place).abs().max().item() for part in (rows, columns)))
    assert 0.9 * net.reach - 2 <= farthest <= net.reach


def test_a_network_of_luma_takes_coloured_images_as_luma():
    coloured = torch.rand(2, 3, 5, 6)
    luma = create_generator("SMFNet").take(coloured)
    assert torch.allclose(luma[:, 0], 0.299 * coloured[:, 0] + 0.587 * coloured[:, 1] + 0.114 * coloured[:, 2])
    assert create_generator("SMFNet").take(luma) is luma
    assert create_generator("IFCNN").take(coloured) is coloured
    assert torch.equal(create_generator("IFCNN").take(luma), luma.repeat(1, 3, 1, 1))
