from __future__ import annotations

import copy

import pytest
import torch

from models import create_generator
from models.weights import load_weights, open_weights
from util.errors import UserError


def r2gan(**options):
    return create_generator("R2GAN_generator", **{"ngf": 2, "n_blocks": 1, **options})


def same(net, other):
    return all(torch.equal(a, b) for a, b in zip(net.state_dict().values(), other.state_dict().values(), strict=True))


PARTS = ("model_encoder", "model_decoder", "model1", "model2")
FORMS = ["plain", "parallel", "wrapped", "both", "in parts", "in parallel parts", "in parallel parts, flat"]


def within(state, part, prefix=""):
    """The state dict of one part, each name with a prefix."""
    return {
        prefix + name.removeprefix(f"{part}."): tensor for name, tensor in state.items() if name.startswith(f"{part}.")
    }


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
        lambda state: {"state_dict": state, "epoch": 7},
        lambda state: {"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}},
        lambda state: {part: within(state, part) for part in PARTS},
        lambda state: {part: within(state, part, "module.") for part in PARTS},
        lambda state: {f"{part}.{name}": t for part in PARTS for name, t in within(state, part, "module.").items()},
        lambda state: {name: tensor for name, tensor in state.items() if not name.startswith(("model1.", "model2."))},
        lambda state: {name: tensor for name, tensor in state.items() if not name.startswith("model_decoder.")},
        lambda state: {name: tensor for name, tensor in state.items() if "num_batches" not in name},
    ],
    ids=[*FORMS, "no aliases", "aliases alone", "no batch counts"],
)
def test_forms_that_are_accepted(wrap):
    net, other = r2gan(), r2gan()
    assert not same(net, other)
    given = wrap(net.state_dict())
    before = dict(given)
    load_weights(other, given, "file.pth")
    assert same(net, other)
    assert list(given) == list(before), "the caller's mapping is left alone"


def test_instance_norms_old_statistics_are_dropped_and_batch_norms_are_not():
    net = create_generator("resnet_6blocks", ngf=2, norm="instance")
    state = copy.deepcopy(net.state_dict())
    for place, channels in (("model.2", 2), ("model.10.conv_block.2", 8)):
        state[f"{place}.running_mean"] = torch.zeros(channels)
        state[f"{place}.running_var"] = torch.ones(channels)
        state[f"{place}.num_batches_tracked"] = torch.tensor(3)
    assert net.options_from_state(state)["norm"] == "instance"
    load_weights(net, state, "old.pth")
    with pytest.raises(UserError, match=r"unexpected \(model.2.running_mean"):
        load_weights(create_generator("resnet_6blocks", ngf=2, norm="none"), state, "old.pth")


def misfit(net, state):
    before = copy.deepcopy(net.state_dict())
    with pytest.raises(UserError) as caught:
        load_weights(net, state, "file.pth")
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items()), "all or nothing"
    message = str(caught.value)
    assert message.startswith("file.pth ")
    assert "\n" not in message
    assert len(message) < 700
    return message


def test_misfits_are_listed():
    state = r2gan().state_dict()
    del state["model_encoder.1.weight"]
    state["model_encoder.4.weight"] = torch.zeros(1, 2, 3)
    state["extra"] = torch.zeros(())
    message = misfit(r2gan(), state)
    assert "does not fit R2GANGenerator" in message
    assert "1 missing (model_encoder.1.weight)" in message
    assert "1 unexpected (extra)" in message
    assert "1 of another shape (model_encoder.4.weight is 1x2x3 instead of 4x2x3x3)" in message


def test_a_long_list_is_a_few_and_a_count():
    message = misfit(r2gan(), r2gan(ngf=4).state_dict())
    assert "model_encoder.1.weight is 4x3x7x7 instead of 2x3x7x7" in message
    assert "more)" in message


@pytest.mark.parametrize("written", [True, False])
def test_dropout_is_named_where_it_is_the_cause(written):
    message = misfit(r2gan(dropout=not written), r2gan(dropout=written).state_dict())
    assert f"the file was written {'with' if written else 'without'} dropout" in message
    assert "dropout" not in misfit(r2gan(dropout=written), r2gan(dropout=written, n_blocks=2).state_dict())


def test_separate_decoders_do_not_disappear_in_shared_ones():
    message = misfit(r2gan(decoders="shared"), r2gan(decoders="separate").state_dict())
    assert "model_decoder.0.weight and model1.0.weight differ" in message
    separate, shared = r2gan(decoders="separate"), r2gan(decoders="shared")
    load_weights(separate, shared.state_dict(), "file.pth")
    assert torch.equal(separate.model2[0].weight, shared.model_decoder[0].weight)


@pytest.mark.parametrize("state", [{}, {"state_dict": {}}, {"net": 3}, {"a": torch.zeros(1), "b": "text"}])
def test_what_is_no_state_dict(state):
    assert "holds no state dict" in misfit(r2gan(), state)


KINDS = {
    "sparse": lambda weight: weight.to_sparse(),
    "meta": lambda weight: weight.to("meta"),
    "quint8": lambda weight: torch.quantize_per_tensor(weight, 0.1, 0, torch.quint8),
    "complex64": lambda weight: weight.to(torch.complex64),
    "bits8": lambda weight: torch.zeros(weight.shape, dtype=torch.uint8).view(torch.bits8),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore")  # some are deprecated
def test_what_is_not_simply_real_numbers_is_named(kind, tmp_path):
    state = r2gan().state_dict()
    state["model_encoder.4.weight"] = KINDS[kind](state["model_encoder.4.weight"])
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(UserError, match=rf"a\.pth holds model_encoder.4.weight as .*{kind}.*: expected a plain tensor"):
        open_weights(tmp_path / "a.pth")


@pytest.mark.parametrize("key", [3, None, ("a", 1), b"module.a"])
def test_names_are_text(key):
    assert "holds no state dict" in misfit(r2gan(), {key: torch.zeros(1)})
    assert "holds no state dict" in misfit(r2gan(), {"state_dict": {**r2gan().state_dict(), key: torch.zeros(1)}})


def test_tensors_expanded_to_any_size_are_not_looked_through():
    state = r2gan().state_dict()
    for name in ("model_decoder.0.weight", "model1.0.weight"):
        state[name] = torch.full((1,), torch.nan).expand(2**32)
    assert "of another shape" in misfit(r2gan(), state)


def test_an_alias_of_another_shape_is_not_replaced():
    state = r2gan().state_dict()
    state["model1.0.weight"] = torch.zeros(3)
    assert "1 of another shape (model1.0.weight is 3 instead of" in misfit(r2gan(), state)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf, 1e39])  # the last is infinite in 32 bits
@pytest.mark.parametrize("name", ["model_encoder.4.weight", "model_encoder.2.running_var"])
def test_weights_are_finite(value, name):
    state = r2gan(norm="batch").state_dict()
    state[name] = state[name].double()
    state[name].flatten()[1] = value
    assert f"holds NaN or infinite values in {name}" in misfit(r2gan(norm="batch"), state)


def test_weights_of_half_the_precision_are_accepted():
    net, other = r2gan(), r2gan()
    load_weights(other, net.half().state_dict(), "file.pth")
    assert same(net.float(), other)
