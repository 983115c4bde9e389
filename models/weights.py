"""Loads state dicts into networks and reports what does not fit."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.instancenorm import _InstanceNorm

from models.layers.resnet import has_dropout_layout
from util.errors import UserError
from util.safe_load import load_file

SHOWN = 3
_NUMBERS = (
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
)
_PARALLEL = re.compile(r"^(\w+\.)??module\.")


def open_weights(path: Path) -> dict[str, Tensor]:
    """Opens a file with a state dict safely, tensors and plain values only, and returns it unwrapped and on the CPU.

    Raises:
        UserError: the file cannot be read, is broken, holds code, or holds no state dict.
    """
    return checked_state(load_file(path), str(path))


def plain_state(state: Mapping[str, Any]) -> dict[str, Any]:
    """Unwraps a state dict.

    Removes a wrapper {"state_dict": …}; merges one state dict for each part of a network, {"part": {…}, …}, to names
    `part.name`; and removes the prefix `module.` of data parallelism, of the whole network or of every part.

    Example:
        >>> plain_state({"state_dict": {"module.conv.bias": 1}})
        {'conv.bias': 1}
    """
    inner = state.get("state_dict")
    plain = dict(inner) if isinstance(inner, Mapping) else dict(state)
    if all(isinstance(part, Mapping) for part in plain.values()):
        plain = {f"{part}.{name}": tensor for part, of_part in plain.items() for name, tensor in of_part.items()}
    if all(isinstance(name, str) and _PARALLEL.match(name) for name in plain):
        plain = {_PARALLEL.sub(r"\1", name): tensor for name, tensor in plain.items()}
    return plain


def checked_state(state: Mapping[str, Any], source: str) -> dict[str, Tensor]:
    """Returns the unwrapped state dict of a file's content.

    Raises:
        UserError: it is no state dict, or a tensor is not of plain real numbers (complex, quantised, sparse, without
            content); the message names `source` and the tensor.
    """
    plain = plain_state(state)
    if not plain or not all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in plain.items()):
        raise UserError(f"{source} holds no state dict: names with a tensor each were expected")
    for name, tensor in plain.items():
        if tensor.dtype not in _NUMBERS or tensor.layout != torch.strided or tensor.device.type != "cpu":
            kind = f"{tensor.dtype}, {tensor.layout}, {tensor.device}".replace("torch.", "")
            raise UserError(f"{source} holds {name} as {kind}: expected a plain tensor of real numbers")
    return plain


def load_weights(net: nn.Module, state: Mapping[str, Any], source: str) -> None:
    """Loads a state dict into `net`, all weights or, if it does not fit, none.

    Besides an exact fit it accepts: wrappers that `plain_state` removes; the unused running statistics of instance norm
    in the family's old files; files from before batch norm counted its batches; and missing aliases of a tensor that
    the network has under several names.

    Args:
        net: the network, changed in place.
        state: the state dict or its wrapper.
        source: where it comes from, for the message.

    Raises:
        UserError: the weights do not fit, in one line with missing and unexpected names and differing shapes; or they
            are not finite, in one line with their names.
    """
    given = checked_state(state, source)
    own = net.state_dict(keep_vars=True)
    _drop_instance_statistics(net, given)
    aliases = _aliases(own)
    for names in aliases:
        present = [given[name] for name in names if name in given]
        given |= {name: present[0] for name in names if present and name not in given}
    for name, tensor in own.items():
        if name.endswith("num_batches_tracked"):
            given.setdefault(name, tensor)
    misfit = _describe_misfit(own, given)
    if misfit:
        raise UserError(f"{source} does not fit {type(net).__name__}: {misfit}")
    # Only after the shapes were compared: a small file can hold tensors that are expanded to any size.
    broken = [name for name, tensor in own.items() if not _is_finite(given[name].to(tensor.dtype))]
    if broken:
        raise UserError(f"{source} holds NaN or infinite values in {_few(broken)}")
    _check_aliases(aliases, given, source)
    net.load_state_dict(given)


def _drop_instance_statistics(net: nn.Module, given: dict[str, Any]) -> None:
    for name, module in net.named_modules(remove_duplicate=False):
        if isinstance(module, _InstanceNorm) and not module.track_running_stats:
            for statistic in ("running_mean", "running_var", "num_batches_tracked"):
                given.pop(f"{name}.{statistic}", None)


def _aliases(own: Mapping[str, Tensor]) -> list[list[str]]:
    """The names of each tensor of a network."""
    groups: defaultdict[int, list[str]] = defaultdict(list)
    for name, tensor in own.items():
        groups[id(tensor)].append(name)
    return list(groups.values())


def _check_aliases(aliases: Sequence[Sequence[str]], given: Mapping[str, Tensor], source: str) -> None:
    """Checks that all names of a tensor have the same value; torch would silently use the last one."""
    for first, *others in aliases:
        for name in others:
            if not torch.equal(given[name], given[first]):
                raise UserError(
                    f"{source} does not fit: {first} and {name} differ, but are one tensor in this network "
                    "(the file has separate decoders, the network shared ones?)"
                )


def _is_finite(tensor: Tensor) -> bool:
    """Whether all values are finite, without a copy; with a NaN, both extremes are NaN."""
    return not tensor.is_floating_point() or not tensor.numel() or all(map(torch.isfinite, tensor.aminmax()))


def _describe_misfit(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    missing = [name for name in own if name not in given]
    unexpected = [name for name in given if name not in own]
    shapes = [
        f"{name} is {_shape(given[name])} instead of {_shape(own[name])}"
        for name in own
        if name in given and given[name].shape != own[name].shape
    ]
    parts = [
        f"{len(found)} {what} ({_few(found)})"
        for what, found in (("missing", missing), ("unexpected", unexpected), ("of another shape", shapes))
        if found
    ]
    here, there = has_dropout_layout(own), has_dropout_layout(given)
    if parts and None not in (here, there) and here != there:
        parts.append(
            f"the file was written {'with' if there else 'without'} dropout, the network is built "
            f"{'with' if here else 'without'} it"
        )
    return "; ".join(parts)


def _few(found: Sequence[str]) -> str:
    more = f", … {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(found[:SHOWN]) + more


def _shape(tensor: Tensor) -> str:
    return "x".join(str(side) for side in tensor.shape) or "a scalar"
