"""SMFNet: the network against the numbers of the public implementation, its files, its stretch, its colours."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from models import create_generator
from models.generators.base import Normalisation
from models.init import init_weights
from models.layers import transposed_attention
from models.weights import load_weights
from scripts import import_checkpoint
from tests.images import scene
from tests.integration.commands import fuse
from tests.models.reference import at_stored_places, filled_weights, load_reference
from util.errors import UserError
from util.images.image_io import read_image, write_image

ROOT = Path(__file__).resolve().parents[2]
PARAMETERS = {  # of each part: all, and those that are in published files without a use
    "DIDF_Encoder": (1_886_768, 27_104),
    "DIDF_Decoder": (50_520, 0),
    "GraphModel": (964_994, 463_424),
    "BaseFuseLayer": (35_528, 8_192),
    "DetailFuseLayer": (211_008, 0),
}
STORED = [
    "vis_stem",
    *(f"{modality}_{kind}" for modality in ("ir", "vis") for kind in ("base", "detail", "reconstructed")),
    *("graph_ir", "graph_vis", "graph_fused", "base_fused", "detail_fused", "fused"),
]
# The fused details reach 35, and each coupling layer divides by down to e⁻². The reference itself, in 32 bits, is up to
# 1.1 tolerances of 1e-5 + 1e-4 · |x| from the result in 64 bits, ours up to 1.7.
TOLERANCE = {"detail_fused": 1e-4}


def build(seed=0, **options):
    """A network whose every part has a say: γ begins at 0."""
    torch.manual_seed(seed)
    net = create_generator("SMFNet", **options).eval()
    for passing in (net.GraphModel.graph.graph.graph_rgb, net.GraphModel.graph.graph.graph_dep):
        torch.nn.init.constant_(passing.gamma, 0.5)
    return net


def images(batch=1, size=(12, 16), count=2):
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(batch, 1, *size, generator=generator) for _ in range(count)]


@pytest.fixture(scope="module")
def computed():
    """What our network makes of the reference's pair, by the reference's names."""
    reference = load_reference("smfnet")
    net = create_generator("SMFNet").eval()
    load_weights(net, filled_weights("smfnet"), "smfnet.json")
    found, stems = {}, []
    net.DIDF_Encoder.encoder_level1.register_forward_hook(lambda *call: stems.append(call[-1]))
    net.GraphModel.register_forward_hook(lambda *call: found.update(graph_fused=call[-1][2]))
    for name, layer in (("base_fused", net.BaseFuseLayer), ("detail_fused", net.DetailFuseLayer)):
        layer.register_forward_hook(lambda *call, name=name: found.update({name: call[-1]}))
    with torch.no_grad():
        output = net([reference["input.ir"], reference["input.vis"]])
    for place, modality in enumerate(("ir", "vis")):
        found[f"{modality}_stem"] = stems[place]
        found[f"{modality}_reconstructed"] = output.reconstructions[place]
        found[f"graph_{modality}"] = output.features["graph"][place]
        for kind in ("base", "detail"):
            found[f"{modality}_{kind}"] = output.features[kind][place]
    return found | {"fused": output.fused, "again": net.fuse([reference["input.ir"], reference["input.vis"]])}


@pytest.mark.parametrize("name", STORED)
def test_gives_the_published_values(computed, name):
    reference = load_reference("smfnet")
    assert {*STORED, "input.ir", "input.vis"} == set(reference)
    expected = reference[name]
    found = at_stored_places(computed[name], expected)  # every eighth map where the whole reference is not there
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=TOLERANCE.get(name, 1e-5))


def test_fuses_as_published(computed):
    torch.testing.assert_close(computed["again"], load_reference("smfnet")["fused"], rtol=1e-4, atol=1e-5)


def test_every_part_has_the_published_number_of_parameters():
    with torch.device("meta"):
        net = create_generator("SMFNet")
    found = {
        name: (
            sum(parameter.numel() for parameter in part.parameters()),
            sum(parameter.numel() for parameter in part.parameters() if not parameter.requires_grad),
        )
        for name, part in net.named_children()
    }
    assert found == PARAMETERS
    assert sum(count for count, _ in found.values()) == 3_148_818


def test_what_is_frozen_is_what_nothing_depends_on():
    net = build()
    before = net.fuse(images())
    for parameter in net.parameters():
        if not parameter.requires_grad:
            torch.nn.init.constant_(parameter, float("nan"))
    assert torch.equal(net.fuse(images()), before)


def test_the_layout_is_the_published_one():
    names = set(create_generator("SMFNet").state_dict())
    assert {name.split(".")[0] for name in names} == set(PARAMETERS)
    assert {name.replace(".module.", ".", 1) for name in filled_weights("smfnet")} == names


def as_published(state):
    """The five dictionaries of a published file."""
    return {
        part: {f"module.{name.removeprefix(f'{part}.')}": t for name, t in state.items() if name.startswith(f"{part}.")}
        for part in PARAMETERS
    }


def as_listed(state):
    """One dictionary with the full names of the published ones."""
    return {name.replace(".", ".module.", 1): tensor for name, tensor in state.items()}


def import_run(folder, published, *more):
    """Imports a file as the run `run`; returns the run's folder."""
    torch.save(published, folder / "published.pth")
    words = ["--netG", "SMFNet", "--weights", folder / "published.pth", "--name", "run", *more]
    assert import_checkpoint.main([str(word) for word in (*words, "--checkpoints_dir", folder / "checkpoints")]) == 0
    return folder / "checkpoints" / "run"


@pytest.mark.parametrize("given", [[], ["--stretch", "none"]])
@pytest.mark.parametrize("form", [as_published, as_listed, dict])
def test_a_published_file_becomes_a_run(tmp_path, form, given):
    state = build().state_dict()
    run = import_run(tmp_path, form(state), *given)
    options = json.loads((run / "options.json").read_text())
    assert options["generator"] == {"stretch": given[1] if given else "minmax"}
    weights = torch.load(run / "latest_net_G.pth", weights_only=True)
    assert weights.keys() == state.keys()
    assert all(torch.equal(weights[name], tensor) for name, tensor in state.items())


def test_a_run_becomes_a_published_file_by_the_code_in_the_documentation(tmp_path, monkeypatch):
    published = as_published(build().state_dict())
    import_run(tmp_path, published)
    code = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "smfnet.md").read_text(encoding="utf-8"), re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    exec(code.replace("NAME", "run"), {})
    written = torch.load(tmp_path / "SMFNet.pth", weights_only=True)
    assert written.keys() == published.keys()
    for part, weights in published.items():
        assert written[part].keys() == weights.keys()
        assert all(torch.equal(written[part][name], tensor) for name, tensor in weights.items())


def test_a_part_that_is_missing_is_named(tmp_path):
    published = as_published(build().state_dict())
    del published["BaseFuseLayer"]
    with pytest.raises(UserError, match=r"15 missing \(BaseFuseLayer.norm1.body.weight, "):
        import_run(tmp_path, published)


@pytest.mark.parametrize("count", [1, 3])
def test_two_sources_and_no_other_number(count):
    with pytest.raises(UserError, match=f"{count} sources: SMFNet fuses two, infrared and visible"):
        build().fuse(images(count=count))


def test_forward_gives_what_training_compares_and_fuse_does_not_compute_it():
    net, sources, calls = build(), images(2), []
    net.DIDF_Decoder.register_forward_hook(lambda *call: calls.append(call[-1]))
    output = net(sources)
    assert [image.shape for image in (output.fused, *output.reconstructions)] == [(2, 1, 12, 16)] * 3
    assert set(output.features) == {"base", "detail", "graph"}
    for pair in output.features.values():
        assert [maps.shape for maps in pair] == [(2, 64, 12, 16)] * 2
    for place, rebuilt in enumerate(output.reconstructions):
        own = sum(pair[place] for pair in output.features.values())
        torch.testing.assert_close(net.DIDF_Decoder(own), rebuilt)
    assert net.normalisation() == net.normalisation(grey=True) == Normalisation((0.0,), (1.0,))
    calls.clear()
    net.fuse(sources)
    assert len(calls) == 1


def test_the_order_of_the_sources_counts():
    sources = images()
    assert not torch.allclose(build().fuse(sources), build().fuse(sources[::-1]), atol=1e-5)


def test_stretch_takes_each_image_to_the_whole_range_and_training_does_not():
    plain, stretching, sources = build(), build(stretch="minmax"), images(3, (1, 9))  # a side that is padded
    fused, stretched = plain.fuse(sources), stretching.fuse(sources)
    for image, one in zip(fused, stretched, strict=True):
        torch.testing.assert_close(one, (image - image.min()) / (image.max() - image.min()))
        assert (one.min(), one.max()) == (0, 1)
    sources = images()
    assert torch.equal(stretching(sources).fused, plain(sources).fused)


def test_stretch_leaves_an_image_without_contrast():
    net = build(stretch="minmax")
    torch.nn.init.zeros_(net.DIDF_Decoder.output[-1].weight)
    assert (net.fuse(images()) == 0.5).all()


def test_gradients_begin_as_sobels_whatever_initialises_the_network_and_are_trained():
    net = create_generator("SMFNet")
    init_weights(net, "normal", 0.02)
    for block in (net.DIDF_Encoder.GRDB_module, net.DetailFuseLayer.GRDB):
        gradient = block.GRDB.sobelconv
        ramp = torch.arange(5.0).expand(1, 64, 5, 5)
        inner = (0, slice(None), slice(1, -1), slice(1, -1))
        assert (gradient.convx(ramp)[inner].abs() == 8).all()
        assert (gradient.convy(ramp)[inner] == 0).all()
        assert (gradient(ramp.mT)[inner] == 8).all()
        assert gradient.convx.weight.requires_grad


def test_messages_are_weighted_by_turns_over_the_others_side_by_side():
    """As the release lays it out: channel k of the 2 · 64 takes weight k mod 2."""
    torch.manual_seed(0)
    passing = create_generator("SMFNet").GraphModel.graph.graph.graph_rgb
    torch.nn.init.constant_(passing.gamma, 0.3)
    nodes = [torch.randn(2, 64, 3, 5) for _ in range(3)]
    updated = passing(nodes)
    for place, node in enumerate(nodes):
        beside = torch.cat([other for number, other in enumerate(nodes) if number != place], dim=1)
        difference = torch.cat([node, node], dim=1) - beside
        weights = functional.conv2d(difference, passing.C_wgt.weight, groups=2).sigmoid()
        weighted = beside * torch.stack([weights[:, k % 2] for k in range(128)], dim=1)
        expected = node + 0.3 * passing.ConvGRU(weighted[:, :64] + weighted[:, 64:], node)
        torch.testing.assert_close(updated[place], expected)


def test_its_convolutions_look_as_far_as_it_says(monkeypatch):
    """With attention's weights, which are of the whole image, put aside."""
    monkeypatch.setattr(transposed_attention, "attend", lambda query, key, value, temperature: value)
    net, side = build(), 60
    sources = [source.requires_grad_() for source in images(size=(side, side))]
    net(sources).fused[0, 0, side // 2, side // 2].backward()
    rows, columns = (sources[0].grad[0, 0].abs() + sources[1].grad[0, 0].abs()).nonzero(as_tuple=True)
    assert max((part - side // 2).abs().max().item() for part in (rows, columns)) == net.reach


def test_colours_are_those_of_the_visible_image(tmp_path):
    run = import_run(tmp_path, as_published(build().state_dict()), "--stretch", "none")
    visible = (scene(1, 24, 30) // 3 + 80).astype(np.uint8)  # no colour leaves the cube when its luma changes
    infrared = scene(2, 24, 30).mean(axis=-1).astype(np.uint8)
    write_image(tmp_path / "vi.png", visible)
    write_image(tmp_path / "ir.png", infrared)
    words = ["--sources", tmp_path / "ir.png", tmp_path / "vi.png", "--out", tmp_path / "fused.png"]
    assert fuse(*words, "--name", "run", "--checkpoints_dir", run.parent, "--gpu_ids", "-1") == 0
    fused = read_image(tmp_path / "fused.png")
    assert fused.shape == (24, 30, 3)
    assert np.abs(fused.astype(int) - visible).max() > 10, "its luma is another"

    def chroma(image):
        image = image.astype(float)
        return image[..., 0] - image[..., 2], image[..., 0] - image[..., 1]

    for ours, theirs in zip(chroma(fused), chroma(visible), strict=True):
        assert np.abs(ours - theirs).max() <= 1
