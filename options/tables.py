"""Which option groups belong to which --model, --netG, --netD and --dataset_mode.

Plain tables without torch, so that `--help` answers at once. A test compares them with the registries of the code.
"""

from __future__ import annotations

from dataclasses import dataclass

from options.data import (
    AlignedOptions,
    AugmentationOptions,
    DataOptions,
    DatasetOptions,
    DecompositionOptions,
    PairsAndPhotosOptions,
    PatchesOptions,
    PMFOptions,
    SaliencyOptions,
    SourcesOptions,
)
from options.fields import Options, option
from options.fusing import FusingOptions
from options.models import (
    DeFusionPlusTrainingOptions,
    DeFusionTrainingOptions,
    GSGIFTrainingOptions,
    IFCNNTrainingOptions,
    ModelOptions,
    Pix2PixOptions,
    SMFNetTrainingOptions,
)
from options.networks import (
    DeFusionOptions,
    DeFusionPlusOptions,
    DiscriminatorOptions,
    FamilyOptions,
    GeneratorOptions,
    GSGIFOptions,
    IFCNNOptions,
    NLayersOptions,
    R2GANOptions,
    SMFNetOptions,
)
from options.run import RunOptions
from options.testing import TestingOptions
from options.training import TrainingOptions
from options.watching import WatchingOptions

MODELS: dict[str, type[ModelOptions]] = {
    "pix2pix": Pix2PixOptions,
    "ifcnn": IFCNNTrainingOptions,
    "smfnet": SMFNetTrainingOptions,
    "gsgif": GSGIFTrainingOptions,
    "defusion": DeFusionTrainingOptions,
    "defusion_plus": DeFusionPlusTrainingOptions,
}
GENERATORS: dict[str, type[GeneratorOptions]] = {
    "R2GAN_generator": R2GANOptions,
    "GSGIF_generator": GSGIFOptions,
    "IFCNN": IFCNNOptions,
    "SMFNet": SMFNetOptions,
    "DeFusion": DeFusionOptions,
    "DeFusionPlus": DeFusionPlusOptions,
    "resnet_9blocks": FamilyOptions,
    "resnet_6blocks": FamilyOptions,
    "unet_256": FamilyOptions,
    "unet_128": FamilyOptions,
}
# The generator of a training procedure that was made for one; the others take R2GAN's where nothing is said.
GENERATOR_OF: dict[str, str] = {
    "ifcnn": "IFCNN",
    "smfnet": "SMFNet",
    "gsgif": "GSGIF_generator",
    "defusion": "DeFusion",
    "defusion_plus": "DeFusionPlus",
}
DISCRIMINATORS: dict[str, type[DiscriminatorOptions]] = {
    "pixel": DiscriminatorOptions,
    "basic": DiscriminatorOptions,
    "n_layers": NLayersOptions,
}
DATASETS: dict[str, type[DatasetOptions]] = {
    "aligned": AlignedOptions,
    "sources": SourcesOptions,
    "pmf": PMFOptions,
    "saliency": SaliencyOptions,
    "patches": PatchesOptions,
    "decomposition": DecompositionOptions,
    "pairs_and_photos": PairsAndPhotosOptions,
}


@dataclass(frozen=True)
class Selection(Options):
    """The components of a run. Each brings its own options; `--help` shows those of the ones selected."""

    model: str = option("pix2pix", "training procedure", choices=tuple(MODELS))
    netG: str = option("R2GAN_generator", "generator", choices=tuple(GENERATORS))
    netD: str = option("pixel", "discriminator", choices=tuple(DISCRIMINATORS))
    dataset_mode: str = option("aligned", "kind of dataset", choices=tuple(DATASETS))


TESTING_ONLY = (TestingOptions, FusingOptions)
TRAINING_ONLY = (TrainingOptions, WatchingOptions, AugmentationOptions, *MODELS.values(), *DISCRIMINATORS.values())


def all_groups() -> list[type[Options]]:
    """Every option group there is."""
    components = (MODELS, GENERATORS, DISCRIMINATORS, DATASETS)
    return [
        Selection,
        RunOptions,
        DataOptions,
        DatasetOptions,
        AugmentationOptions,
        TrainingOptions,
        WatchingOptions,
        *TESTING_ONLY,
        *(group for table in components for group in table.values()),
    ]
