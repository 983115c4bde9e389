"""The names of generators, discriminators and training procedures; their classes are imported when first used."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from util.errors import UserError
from util.suggest import check_choice

if TYPE_CHECKING:
    from models.discriminators.base import Discriminator
    from models.generators.base import Generator


class Entry(NamedTuple):
    """One line of a table.

    Attributes:
        target: "module:Class".
        fixed: constructor arguments that the name implies, so that one class can have several names.
    """

    target: str
    fixed: Mapping[str, Any] = MappingProxyType({})


GENERATORS: Mapping[str, Entry] = MappingProxyType(
    {
        "R2GAN_generator": Entry("models.generators.r2gan:R2GANGenerator"),
        "GSGIF_generator": Entry("models.generators.gsgif:GSGIFGenerator"),
        "IFCNN": Entry("models.generators.ifcnn:IFCNNGenerator"),
        "SMFNet": Entry("models.generators.smfnet:SMFNetGenerator"),
        "DeFusion": Entry("models.generators.defusion:DeFusionGenerator"),
        "DeFusionPlus": Entry("models.generators.defusion_plus:DeFusionPlusGenerator"),
        "resnet_9blocks": Entry("models.generators.resnet:ResnetGenerator", MappingProxyType({"n_blocks": 9})),
        "resnet_6blocks": Entry("models.generators.resnet:ResnetGenerator", MappingProxyType({"n_blocks": 6})),
        "unet_256": Entry("models.generators.unet:UnetGenerator", MappingProxyType({"num_downs": 8})),
        "unet_128": Entry("models.generators.unet:UnetGenerator", MappingProxyType({"num_downs": 7})),
    }
)

DISCRIMINATORS: Mapping[str, Entry] = MappingProxyType(
    {
        "pixel": Entry("models.discriminators.pixel:PixelDiscriminator"),
        "basic": Entry("models.discriminators.patch:PatchDiscriminator", MappingProxyType({"n_layers": 3})),
        "n_layers": Entry("models.discriminators.patch:PatchDiscriminator"),
    }
)

MODELS: Mapping[str, Entry] = MappingProxyType(
    {
        "pix2pix": Entry("models.pix2pix_model:Pix2PixModel"),
        "ifcnn": Entry("models.ifcnn_model:IFCNNModel"),
        "smfnet": Entry("models.smfnet_model:SMFNetModel"),
        "gsgif": Entry("models.gsgif_model:GSGIFModel"),
        "defusion": Entry("models.defusion_model:DeFusionModel"),
        "defusion_plus": Entry("models.defusion_plus_model:DeFusionPlusModel"),
    }
)


def list_generators() -> list[str]:
    """Returns the names that `create_generator` knows."""
    return list(GENERATORS)


def list_discriminators() -> list[str]:
    """Returns the names that `create_discriminator` knows."""
    return list(DISCRIMINATORS)


def list_models() -> list[str]:
    """Returns the names of the training procedures."""
    return list(MODELS)


def create_generator(name: str, **options: Any) -> Generator:
    """Builds a generator with PyTorch's own initial weights (see `models.init` for the family's).

    Args:
        name: one of `list_generators()`.
        options: arguments of that generator's constructor.

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
        options: arguments of that discriminator's constructor.

    Raises:
        UserError: an unknown name, option or value of an option.
    """
    network: Discriminator = _create("discriminator", DISCRIMINATORS, name, options)
    return network


def get_generator_class(name: str) -> type[Generator]:
    """Returns the class of a generator, for its `size_divisor` or `options_from_state`.

    Raises:
        UserError: an unknown name.
    """
    cls: type[Generator] = _load("generator", GENERATORS, name)
    return cls


def get_model_class(name: str) -> type[Any]:
    """Returns the class of the training procedure `name`.

    Raises:
        UserError: an unknown name.
    """
    return _load("model", MODELS, name)


def _load(kind: str, table: Mapping[str, Entry], name: str) -> type[Any]:
    check_choice(kind, name, table)
    module, _, attribute = table[name].target.partition(":")
    cls: type[Any] = getattr(import_module(module), attribute)
    return cls


def _create(kind: str, table: Mapping[str, Entry], name: str, options: Mapping[str, Any]) -> Any:
    cls = _load(kind, table, name)
    fixed = table[name].fixed
    accepted = [option for option in inspect.signature(cls).parameters if option not in fixed]
    for option in options:
        if option in fixed:
            raise UserError(f"{name} is built with {option}={fixed[option]}, which is no option of it")
        check_choice(f"option of {name}", option, accepted)
    return cls(**options, **fixed)
