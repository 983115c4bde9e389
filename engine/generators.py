"""Generators from their options, and from files of weights."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Collection, Mapping
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from models.create import create_generator, get_generator_class
from models.generators.base import Generator
from models.published import options_of_published
from models.weights import load_weights, open_weights
from options.networks import GeneratorOptions
from util.errors import UserError

log = logging.getLogger(__name__)


class LoadedGenerator(NamedTuple):
    """A generator with trained weights.

    Attributes:
        network: in training mode, on the CPU.
        options: those it was built with.
        num_sources: how many it was built for, where it was built for a number.
    """

    network: Generator
    options: GeneratorOptions
    num_sources: int | None


def make_generator(name: str, options: GeneratorOptions, num_sources: int | None = None) -> Generator:
    """A generator with torch's own initial weights, for `num_sources` sources where it does not fuse any number."""
    arguments = dataclasses.asdict(options)
    if num_sources is not None and "num_sources" in signature(get_generator_class(name)).parameters:
        arguments["num_sources"] = num_sources
    return create_generator(name, **arguments)


def load_generator(
    name: str, options: GeneratorOptions, file: Path, known: Collection[str] | None = None
) -> LoadedGenerator:
    """Builds the generator that a file of weights belongs to and loads them.

    Args:
        name: of the generator.
        options: its options, as far as they are known.
        file: a state dict, in any of the forms that `models.weights.plain_state` undoes.
        known: the names of the options that are known; what the weights tell of the others replaces their values. None
            where all are known.

    Raises:
        UserError: the weights cannot be read, do not fit, or do not tell enough.
    """
    weights = open_weights(file)
    told = _told_by_weights(name, weights)
    if known is not None:
        options = _read_off_weights(options, known, told, file)
        assumed = {k: v for k, v in dataclasses.asdict(options).items() if k not in {*told, *known}}
        if assumed:
            words = ", ".join(f"--{name} {value}" for name, value in assumed.items())
            log.info("no options.json beside the weights, which do not tell everything: assumed %s", words)
    # Decoders of its own for N sources are part of a network, whatever the number of sources to fuse now.
    network = make_generator(name, options, told.get("num_sources"))
    load_weights(network, weights, str(file))
    return LoadedGenerator(network, options, told.get("num_sources"))


def _told_by_weights(name: str, weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """The options of a generator that can be told from a state dict, see `Generator.options_from_state`."""
    try:
        return dict(get_generator_class(name).options_from_state(weights))
    except IndexError:  # a tensor has fewer dimensions than the network's, which loading it then says
        return {}


def _read_off_weights(
    options: GeneratorOptions, known: Collection[str], told: Mapping[str, Any], file: Path
) -> GeneratorOptions:
    """Replaces options that are not known by what the weights tell."""
    names = {entry.name for entry in dataclasses.fields(options)}
    if told and "norm" in names - {*told} - {*known}:
        raise UserError(f"{file} tells no norm, which has no weights: say --norm instance or --norm none")
    for name in ("input_nc", "output_nc"):
        if told.get(name, 3) != 3:
            raise UserError(f"{file} is of a network with {name} {told[name]}; images are fused as RGB, expected 3")
    changes: dict[str, Any] = {name: told[name] for name in names & set(told) if name not in known}
    return dataclasses.replace(options, **changes)


def with_published(
    name: str, options: GeneratorOptions, known: Collection[str], file: Path
) -> tuple[GeneratorOptions, frozenset[str]]:
    """Completes options of a published file by those that its authors tested with.

    Args:
        name: of the generator.
        options: its options.
        known: the names of those that the user stated, which stay.
        file: the published file.

    Returns:
        The options, and the names of those that are known now.
    """
    published: dict[str, Any] = {k: v for k, v in options_of_published(name, file.name).items() if k not in known}
    return dataclasses.replace(options, **published), frozenset({*known, *published})
