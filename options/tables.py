"""Which option groups belong to which --model, --netG, --netD and --dataset_mode.

Plain tables without torch, so that `--help` answers at once. A test compares them with the registries of the code.
"""

from __future__ import annotations

from dataclasses import dataclass

from options.data import AlignedOptions, PMFOptions
from options.fields import option
from options.models import Pix2PixOptions
from options.networks import DiscriminatorOptions, GeneratorOptions, NLayersOptions, R2GANOptions

MODELS: dict[str, type] = {"pix2pix": Pix2PixOptions}
GENERATORS: dict[str, type] = {
    "R2GAN_generator": R2GANOptions,
    "resnet_9blocks": GeneratorOptions,
    "resnet_6blocks": GeneratorOptions,
    "unet_256": GeneratorOptions,
    "unet_128": GeneratorOptions,
}
DISCRIMINATORS: dict[str, type] = {
    "pixel": DiscriminatorOptions,
    "basic": DiscriminatorOptions,
    "n_layers": NLayersOptions,
}
DATASETS: dict[str, type] = {"aligned": AlignedOptions, "pmf": PMFOptions}


@dataclass(frozen=True)
class Selection:
    """The components of a run. Each brings its own options; `--help` shows those of the ones selected."""

    model: str = option("pix2pix", "training procedure", choices=tuple(MODELS))
    netG: str = option("R2GAN_generator", "generator", choices=tuple(GENERATORS))
    netD: str = option("pixel", "discriminator", choices=tuple(DISCRIMINATORS))
    dataset_mode: str = option("aligned", "kind of dataset", choices=tuple(DATASETS))
