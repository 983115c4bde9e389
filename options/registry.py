"""What each name of --model, --netG, --netD and --dataset_mode stands for: its options and its class.

The only place with these names. It imports no torch, so that `--help` answers at once: a class is imported when it is
first asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pkgutil import resolve_name
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar

from options.data import (
    AlignedOptions,
    AugmentationOptions,
    DataOptions,
    DatasetOptions,
    DecompositionOptions,
    MixtureOptions,
    PairsAndPhotosOptions,
    PatchesOptions,
    PMFOptions,
    SaliencyOptions,
    SourcesOptions,
)
from options.fields import Options, option
from options.fusing import FusingOptions
from options.models import (
    BlendNetTrainingOptions,
    DeFusionPlusTrainingOptions,
    DeFusionTrainingOptions,
    GSGIFTrainingOptions,
    IFCNNTrainingOptions,
    ModelOptions,
    Pix2PixOptions,
    SMFNetTrainingOptions,
)
from options.networks import (
    BasicOptions,
    BlendNetOptions,
    ClassicalOptions,
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

_Group = TypeVar("_Group", bound=Options)


class Entry(NamedTuple, Generic[_Group]):
    """What a name stands for.

    Attributes:
        options: the class of its options, whose fields are its choices, ranges and defaults.
        target: "module:Class" of what they are for.
        fixed: constructor arguments that belong to the name, so that one class can serve several names.
    """

    options: type[_Group]
    target: str
    fixed: Mapping[str, Any] = MappingProxyType({})

    def load(self) -> type[Any]:
        """Imports the class and returns it."""
        cls: type[Any] = resolve_name(self.target)
        return cls


MODELS: Mapping[str, Entry[ModelOptions]] = MappingProxyType(
    {
        "pix2pix": Entry(Pix2PixOptions, "models.pix2pix_model:Pix2PixModel"),  # R2GAN's training
        "blendnet": Entry(BlendNetTrainingOptions, "models.blendnet_model:BlendNetModel"),
        "ifcnn": Entry(IFCNNTrainingOptions, "models.ifcnn_model:IFCNNModel"),
        "smfnet": Entry(SMFNetTrainingOptions, "models.smfnet_model:SMFNetModel"),
        "gsgif": Entry(GSGIFTrainingOptions, "models.gsgif_model:GSGIFModel"),
        "defusion": Entry(DeFusionTrainingOptions, "models.defusion_model:DeFusionModel"),
        "defusion_plus": Entry(DeFusionPlusTrainingOptions, "models.defusion_plus_model:DeFusionPlusModel"),
    }
)
GENERATORS: Mapping[str, Entry[GeneratorOptions]] = MappingProxyType(
    {
        "BlendNet": Entry(BlendNetOptions, "models.generators.blendnet:BlendNetGenerator"),  # the general network
        "R2GAN_generator": Entry(R2GANOptions, "models.generators.r2gan:R2GANGenerator"),
        "GSGIF_generator": Entry(GSGIFOptions, "models.generators.gsgif:GSGIFGenerator"),
        "IFCNN": Entry(IFCNNOptions, "models.generators.ifcnn:IFCNNGenerator"),
        "SMFNet": Entry(SMFNetOptions, "models.generators.smfnet:SMFNetGenerator"),
        "DeFusion": Entry(DeFusionOptions, "models.generators.defusion:DeFusionGenerator"),
        "DeFusionPlus": Entry(DeFusionPlusOptions, "models.generators.defusion_plus:DeFusionPlusGenerator"),
        "resnet_9blocks": Entry(FamilyOptions, "models.generators.resnet:ResnetGenerator", {"n_blocks": 9}),
        "resnet_6blocks": Entry(FamilyOptions, "models.generators.resnet:ResnetGenerator", {"n_blocks": 6}),
        "unet_256": Entry(FamilyOptions, "models.generators.unet:UnetGenerator", {"num_downs": 8}),
        "unet_128": Entry(FamilyOptions, "models.generators.unet:UnetGenerator", {"num_downs": 7}),
        "average": Entry(ClassicalOptions, "models.generators.classical:AverageGenerator"),
        "maximum": Entry(ClassicalOptions, "models.generators.classical:MaximumGenerator"),
        "laplacian": Entry(ClassicalOptions, "models.generators.classical:LaplacianGenerator"),
        "atrous": Entry(ClassicalOptions, "models.generators.classical:AtrousGenerator"),
        "guided_filter": Entry(ClassicalOptions, "models.generators.classical:GuidedFilterGenerator"),
    }
)
DISCRIMINATORS: Mapping[str, Entry[DiscriminatorOptions]] = MappingProxyType(
    {
        "pixel": Entry(DiscriminatorOptions, "models.discriminators.pixel:PixelDiscriminator"),
        "basic": Entry(BasicOptions, "models.discriminators.patch:PatchDiscriminator"),
        "n_layers": Entry(NLayersOptions, "models.discriminators.patch:PatchDiscriminator"),
    }
)
DATASETS: Mapping[str, Entry[DatasetOptions]] = MappingProxyType(
    {
        "aligned": Entry(AlignedOptions, "data.panels_dataset:PanelsDataset"),
        "sources": Entry(SourcesOptions, "data.sources_dataset:SourcesDataset"),
        "pmf": Entry(PMFOptions, "data.pmf_dataset:PMFDataset"),
        "saliency": Entry(SaliencyOptions, "data.saliency_dataset:SaliencyDataset"),
        "patches": Entry(PatchesOptions, "data.patches_dataset:PatchesDataset"),
        "decomposition": Entry(DecompositionOptions, "data.decomposition_dataset:DecompositionDataset"),
        "mixture": Entry(MixtureOptions, "data.mixture_dataset:MixtureDataset"),
        "pairs_and_photos": Entry(PairsAndPhotosOptions, "data.pairs_and_photos_dataset:PairsAndPhotosDataset"),
    }
)


@dataclass(frozen=True)
class Selection(Options):
    """Components; `--help` lists the options of those that are selected."""

    model: str = option("pix2pix", "training procedure", choices=tuple(MODELS))
    netG: str = option("R2GAN_generator", "generator", choices=tuple(GENERATORS))
    netD: str = option("pixel", "discriminator", choices=tuple(DISCRIMINATORS))
    dataset_mode: str = option("aligned", "kind of dataset", choices=tuple(DATASETS))


TESTING_ONLY: tuple[type[Options], ...] = (TestingOptions, FusingOptions)
TRAINING_ONLY: tuple[type[Options], ...] = (
    *(TrainingOptions, WatchingOptions, AugmentationOptions),
    *(entry.options for entry in MODELS.values()),
    *(entry.options for entry in DISCRIMINATORS.values()),
)


def all_groups() -> list[type[Options]]:
    """Every option group there is."""
    components: list[Mapping[str, Entry[Any]]] = [MODELS, GENERATORS, DISCRIMINATORS, DATASETS]
    return [
        Selection,
        RunOptions,
        DataOptions,
        AugmentationOptions,
        TrainingOptions,
        WatchingOptions,
        *TESTING_ONLY,
        *(entry.options for table in components for entry in table.values()),
    ]
