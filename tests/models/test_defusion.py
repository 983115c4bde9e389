"""DeFusion's network: against the numbers of the public implementation, its files, its margins, its reach."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from models import create_generator
from models.generators.base import Normalisation
from models.weights import load_weights
from options.saved import travelling_options
from scripts import import_checkpoint
from tests.images import write_pairs
from tests.integration.commands import fuse
from tests.models.reference import filled_weights, layout, load_reference
from util.errors import UserError
from util.images.image_io import read_image

PARAMETERS = {"tester": 7_874_473, "trainer": 8_043_817}
TOLERANCE = {"rtol": 1e-4, "atol": 1e-5}


def build(seed=0, **options):
    """A network that passes an image on: torch's own start leaves a thousandth of it."""
    torch.manual_seed(seed)
    net = create_generator("DeFusion", **options).eval()
    for parameter in net.parameters():
        if parameter.ndim == 4:
            nn.init.xavier_normal_(parameter)
        else:
            nn.init.constant_(parameter, 0.5 if parameter.numel() == 3 else 0.0)
    return net


def images(batch=1, size=(16, 24), count=2, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand(batch, 3, *size, generator=generator) for _ in range(count)]


@pytest.fixture(scope="module")
def published():
    """A network with the reference's weights, as the released tester computes."""
    weights = filled_weights("defusion")
    net = create_generator("DeFusion", depth="tester", common_head="unique").eval()
    load_weights(net, weights, "defusion.json")
    return net


def test_gives_the_published_images(published):
    reference = load_reference("defusion")
    sources = [reference["input.a"], reference["input.b"]]
    with torch.no_grad():
        output = published(sources)
    (common,), (unique_a, unique_b) = output.features["common"], output.features["unique"]
    found = {"common": common, "unique_a": unique_a, "unique_b": unique_b, "fused": output.fused}
    for name, image in found.items():
        torch.testing.assert_close(image, reference[name], **TOLERANCE, msg=lambda text, name=name: f"{name}: {text}")
    torch.testing.assert_close(published.fuse(sources), reference["fused"], **TOLERANCE)


def test_gives_the_published_image_of_an_odd_size(published):
    reference = load_reference("defusion")
    fused = published.fuse([reference["odd.input.a"], reference["odd.input.b"]])
    torch.testing.assert_close(fused, reference["odd.fused"], **TOLERANCE)


def test_the_layout_is_the_published_one_with_every_name_of_every_tensor(published):
    own, shared = published.state_dict(keep_vars=True), layout("defusion")["aliases"]
    assert set(own) == {*filled_weights("defusion"), *shared}
    assert len(shared) == 292
    assert all(own[name] is own[other] for name, other in shared.items())


@pytest.mark.parametrize("depth", PARAMETERS)
def test_both_depths_have_the_published_number_of_parameters_and_are_told_from_weights(depth):
    with torch.device("meta"):
        net = create_generator("DeFusion", depth=depth)
    assert sum(parameter.numel() for parameter in net.parameters()) == PARAMETERS[depth]
    assert net.options_from_state(net.state_dict()) == {"depth": depth}
    assert net.options_from_state({"alien": torch.zeros(1)}) == {}


def test_forward_takes_apart_and_fuse_computes_no_image_but_the_fused_one():
    net, sources, calls = build(), images(2), []
    for head in (net.decoder_common_projection_layer, net.decoder_upper_projection_layer):
        head.register_forward_hook(lambda *call: calls.append(call[0]))
    output = net(sources)
    shown = [output.fused, *output.features["common"], *output.features["unique"]]
    assert [image.shape for image in shown] == [(2, 3, 16, 24)] * 4
    assert [len(output.features[kind]) for kind in ("common", "unique")] == [1, 2]
    assert output.reconstructions == ()
    assert len(calls) == 3
    net.fuse(sources)
    assert len(calls) == 3
    assert net.normalisation() == net.normalisation(grey=True) == Normalisation((0.0,), (1.0,))


def test_the_common_head_is_its_own_or_that_of_the_unique_images():
    own, released, sources = build(), build(common_head="unique"), images()
    (common,), (also_common,) = own(sources).features["common"], released(sources).features["common"]
    assert not torch.allclose(common, also_common, atol=1e-3)
    own.decoder_common_projection_layer = own.decoder_upper_projection_layer
    torch.testing.assert_close(own(sources).features["common"][0], also_common)
    resting = [name for name, parameter in released.named_parameters() if not parameter.requires_grad]
    assert resting == [f"decoder_common_projection_layer.0.{kind}" for kind in ("weight", "bias")]


@pytest.mark.parametrize("count", [1, 3])
def test_two_sources_and_no_other_number(count):
    with pytest.raises(UserError, match=f"{count} sources: DeFusion fuses two"):
        build().fuse(images(count=count))


@pytest.mark.parametrize("size", [(20, 31), (17, 40)])
def test_pad_continues_by_reflection_at_all_sides_and_crops(size):
    net, sources = build(pad=16), images(size=size)
    plain = build()
    padded = [functional.pad(source, (16, 16, 16, 16), mode="reflect") for source in sources]
    expected = plain.fuse(padded)[..., 16:-16, 16:-16]
    assert torch.equal(net.fuse(sources), expected)
    assert not torch.allclose(plain.fuse(sources), expected, atol=1e-3)
    assert torch.equal(net(sources).fused, plain(sources).fused), "training is not padded"


@torch.no_grad()
@pytest.mark.parametrize("options", [{}, {"pad": 16, "common_head": "unique"}])
def test_decompose_draws_the_images_of_forward_padded_and_cropped_as_in_fuse(options):
    net, sources = build(**options), images(batch=2, size=(17, 40))
    pad = net.pad
    features = net([functional.pad(source, (pad,) * 4, mode="reflect") for source in sources]).features
    parts = net.decompose(sources)
    assert list(parts) == ["common", "unique 1", "unique 2"]
    for part, expected in zip(parts.values(), (*features["common"], *features["unique"]), strict=True):
        assert torch.equal(part, expected[..., pad : pad + 17, pad : pad + 40])
    assert not torch.allclose(parts["unique 1"], parts["unique 2"], atol=1e-3)


@pytest.mark.parametrize("size", [(1, 1), (3, 16), (1, 40)])
def test_pad_goes_on_reflecting_where_an_image_is_narrower(size):
    sources = images(size=size)
    indices = [torch.from_numpy(np.pad(np.arange(side), 16, mode="reflect")) for side in size]
    continued = [source[..., indices[0][:, None], indices[1]] for source in sources]
    expected = build().fuse(continued)[..., 16 : 16 + size[0], 16 : 16 + size[1]]
    assert torch.equal(build(pad=16).fuse(sources), expected)


def test_its_convolutions_look_as_far_as_it_says():
    """With attention's weights, which are of the whole image, put aside, and every ReLU open.

    Of an image that falls to the right the maximum pool passes on what is farthest to the left.
    """
    net, side = create_generator("DeFusion").double().eval(), 400
    for name, parameter in net.named_parameters():
        nn.init.constant_(parameter, 0.0 if "fc" in name or name.endswith("bias") else 1 / parameter[0].numel())
    source = torch.linspace(2, 1, side).double().expand(1, 3, 1, side).requires_grad_()
    fused = net([source, source]).fused[0, 0, 0]
    farthest = 0
    for place in (side // 2, side // 2 + 1):  # the second is at the far end of its cell at every level
        (gradient,) = torch.autograd.grad(fused[place], source, retain_graph=True)
        farthest = max(farthest, place - gradient.sum((0, 1, 2)).nonzero().min().item())
    assert farthest == net.reach


def as_published(state):
    return {"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}, "epoch": 50}


def without_aliases(state):
    return {name: tensor for name, tensor in state.items() if "lower" not in name}


@pytest.mark.parametrize("depth", PARAMETERS)
@pytest.mark.parametrize("form", [as_published, without_aliases, lambda state: {"state_dict": state, "epoch": 3}])
def test_a_published_file_becomes_a_run_that_fuses(tmp_path, depth, form):
    state = build(depth=depth).state_dict()
    torch.save(form(state), tmp_path / "published.pth")
    words = ["--netG", "DeFusion", "--weights", tmp_path / "published.pth", "--name", "run"]
    assert import_checkpoint.main([str(word) for word in (*words, "--checkpoints_dir", tmp_path / "runs")]) == 0
    run = tmp_path / "runs" / "run"
    expected = {"depth": depth, "pad": 16, "common_head": "unique"}
    assert travelling_options(run / "options.json").items() >= expected.items()
    weights = torch.load(run / "latest_net_G.pth", weights_only=True)
    assert weights.keys() == state.keys()
    assert all(torch.equal(weights[name], tensor) for name, tensor in state.items())


def test_an_imported_run_fuses_and_saves_the_decomposition(tmp_path, capsys):
    torch.save(as_published(build().state_dict()), tmp_path / "published.pth")
    words = ["--netG", "DeFusion", "--weights", tmp_path / "published.pth", "--name", "run"]
    assert import_checkpoint.main([str(word) for word in (*words, "--checkpoints_dir", tmp_path)]) == 0
    write_pairs(tmp_path / "pairs" / "test", 1, 13, 21, with_target=False)
    words = ["--name", "run", "--checkpoints_dir", tmp_path, "--dataroot", tmp_path / "pairs", "--gpu_ids", "-1"]
    words += ["--dataset_mode", "aligned", "--num_threads", 0, "--metrics", "none"]
    assert fuse(*words, "--results_dir", tmp_path / "results", "--save_decomposition") == 0
    folder = tmp_path / "results" / "run" / "test_latest"
    assert (folder / "fused" / "p00.png").is_file()
    parts = sorted((folder / "decomposition").iterdir())
    assert [path.name for path in parts] == ["p00_common.png", "p00_unique_1.png", "p00_unique_2.png"]
    assert [read_image(path).shape for path in parts] == [(13, 21, 3)] * 3
    assert all(f'href="decomposition/{path.name}"' in (folder / "index.html").read_text() for path in parts)
    one_scene = ["--sources", parts[0], parts[1], "--out", tmp_path / "out.png", "--save_decomposition"]
    assert fuse("--name", "run", "--checkpoints_dir", tmp_path, "--gpu_ids", "-1", *one_scene) == 2
    assert "--save_decomposition fills the result folder of --dataroot" in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()


def test_second_names_that_differ_are_refused(tmp_path):
    state = {name: tensor.clone() for name, tensor in build().state_dict().items()}
    state["encoder_lower.0.bias"] += 1
    with pytest.raises(UserError, match=r"encoder_upper.0.bias and encoder_lower.0.bias differ"):
        load_weights(create_generator("DeFusion"), state, "file.pth")
