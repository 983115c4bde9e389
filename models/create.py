"""Creates networks by their names, which `options.registry` holds. A class is imported when it is first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from inspect import signature
from typing import TYPE_CHECKING, Any

from options.registry import DISCRIMINATORS, GENERATORS, MODELS, Entry
from util.errors import UserError
from util.suggest import check_choice

if TYPE_CHECKING:
    from models.base_model import BaseModel
    from models.discriminators.base import Discriminator
    from models.generators.base import Generator


def list_generators() -> list[str]:
    """Returns the names that `create_generator` knows."""
    return list(GENERATORS)


def list_discriminators() -> list[str]:
    """Returns the names that `create_discriminator` knows."""
    return list(DISCRIMINATORS)


def list_models() -> list[str]:
    """Returns the names of the training procedures, which `get_model_class` knows; "pix2pix" is R2GAN's."""
    return list(MODELS)


def create_generator(name: str, **options: Any) -> Generator:
    """Builds a generator with PyTorch's own initial weights (see `models.init` for the family's).

    Args:
        name: one of `list_generators()`.
        options: those of its class in `options.networks`, where defaults, choices and ranges are; for some names also
            `num_sources`.

    Raises:
        UserError: an unknown name, option or value of an option.

    Example:
        >>> import torch
        >>> net = create_generator("R2GAN_generator", input_nc=3, output_nc=3, ngf=4, norm="batch").eval()
        >>> a, b = torch.zeros(1, 3, 37, 53), torch.ones(1, 3, 37, 53)
        >>> net.fuse([a, b]).shape
        torch.Size([1, 3, 37, 53])
        >>> output = net([a[..., :36, :52], b[..., :36, :52]])
        >>> output.fused.shape, len(output.reconstructions)
        (torch.Size([1, 3, 36, 52]), 2)
    """
    network: Generator = _create("generator", GENERATORS, name, options)
    return network


def create_discriminator(name: str, **options: Any) -> Discriminator:
    """Builds a discriminator with PyTorch's own initial weights.

    Args:
        name: one of `list_discriminators()`.
        options: those of its class in `options.networks`; and `input_nc`, `norm`.

    Raises:
        UserError: an unknown name, option or value of an option.
    """
    network: Discriminator = _create("discriminator", DISCRIMINATORS, name, options)
    return network


def get_generator_class(name: str) -> type[Generator]:
    """Returns the class of a generator's name, for its `size_divisor` or `options_from_state`.

    Raises:
        UserError: an unknown name.
    """
    check_choice("generator", name, GENERATORS)
    return GENERATORS[name].load()


def get_model_class(name: str) -> type[BaseModel]:
    """Returns the class of the training procedure `name`.

    Raises:
        UserError: an unknown name.
    """
    check_choice("model", name, MODELS)
    return MODELS[name].load()


def _create(kind: str, table: Mapping[str, Entry[Any]], name: str, arguments: Mapping[str, Any]) -> Any:
    """Builds a network of its options, and of what its constructor takes besides, such as `num_sources`."""
    check_choice(kind, name, table)
    entry = table[name]
    cls, known = entry.load(), [field.name for field in fields(entry.options)]
    accepted = known + [argument for argument in signature(cls).parameters if argument not in {"options", *entry.fixed}]
    for argument in arguments:
        if argument in entry.fixed:
            raise UserError(f"{name} is built with {argument}={entry.fixed[argument]}, which is no option of it")
        check_choice(f"option of {name}", argument, accepted)
    options = entry.options(**{argument: value for argument, value in arguments.items() if argument in known})
    options.check_values(dashes="")
    others = {argument: value for argument, value in arguments.items() if argument not in known}
    return cls(options, **others, **entry.fixed)
