"""Options of the data: where it is, how samples are cut out of it, and those of each --dataset_mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from options.fields import Options, option

PMF_RECIPE_OPTIONS: Mapping[str, str] = MappingProxyType(  # option → the one --recipe that it has an effect on
    {"sigma": "realistic", "kernel": "realistic", "kernel_radius": "rgbd", "sigma_rule": "rgbd"}
)
SALIENCY_OPERATORS = ("spectral", "fine", "gradient")  # any other --saliency is a path


@dataclass(frozen=True)
class DataOptions(Options):
    """What every dataset needs to know."""

    dataroot: str = option(
        "", "folder of the data (patches: or the file); <dataroot>/<phase> is looked for first", metavar="DIR"
    )
    phase: str = option("train", "sub-folder of --dataroot to use: train, val, test, …")
    num_sources: int = option(2, "number of sources per item")
    max_dataset_size: int = option(0, "use no more than this many items; 0 means all")
    num_threads: int = option(4, "worker processes that load data, for each training process; 0 loads there")


@dataclass(frozen=True)
class AugmentationOptions(Options):
    """How a training sample is cut out of its images, the same way for all of them."""

    preprocess: str = option(
        "crop",
        "resize and crop steps; those with resize_ and scale_ change the images' size, crop does not",
        choices=("resize_and_crop", "crop", "scale_width", "scale_width_and_crop", "none"),
    )
    load_size: int = option(256, "size that images are resized to where --preprocess resizes, in pixels")
    crop_size: int = option(256, "side of the square cut out at random where --preprocess crops, in pixels")
    flip: bool = option(True, "mirror samples at random")
    serial_batches: bool = option(False, "take the items in order instead of shuffled")


@dataclass(frozen=True)
class DatasetOptions(Options):
    """Base of the options of all kinds of dataset."""


@dataclass(frozen=True)
class AlignedOptions(DatasetOptions):
    """`--dataset_mode aligned`: stacked panels, one wide image per item."""

    with_target: bool = option(
        True, "the last panel is the target (always so where training needs one), not one more source"
    )


@dataclass(frozen=True)
class SourcesOptions(DatasetOptions):
    """`--dataset_mode sources`: role folders, scenes, suffixed files or stacked panels, understood by themselves."""

    layout: str = option(
        "auto",
        "how the files belong together, where two readings are possible",
        choices=("auto", "roles", "scenes", "suffix", "stacked"),
    )
    roles: str = option("", "which sources to use, and in which order, such as ir,vi", metavar="NAMES")
    with_target: bool = option(False, "stacked panels: the last one is the target (always so where training needs one)")
    on_bad_sample: str = option(
        "stop",
        "a sample that cannot be used: stop, or skip and list it (test.py then ends with status 3)",
        choices=("stop", "skip"),
    )


@dataclass(frozen=True)
class PMFOptions(DatasetOptions):
    """`--dataset_mode pmf`: multi-focus pairs made on the fly from photographs and their label or depth maps."""

    images: str = option("", "folder of the photographs; default <dataroot>/<phase>/images or <dataroot>/images")
    maps: str = option("", "folder of the label or depth maps; default <dataroot>/<phase>/maps or <dataroot>/maps")
    recipe: str = option(
        "realistic",
        "realistic: random split, defocus and soft edges at native size; published: as the R2GAN release made them; "
        "rgbd: split at random depths, as for IFCNN",
        choices=("realistic", "published", "rgbd"),
    )
    sigma: tuple[float, float] = option((1.5, 7.0), "weakest and strongest defocus of the realistic recipe, in pixels")
    kernel: str = option("random", "defocus kernel of the realistic recipe", choices=("random", "gaussian", "disc"))
    kernel_radius: tuple[int, int] = option((1, 15), "smallest and largest blur kernel of the rgbd recipe: its radius")
    sigma_rule: str = option(
        "opencv",
        "sigma of the rgbd recipe's blur: OpenCV's for the kernel, or as printed in IFCNN's erratum",
        choices=("opencv", "printed"),
    )
    pairs_per_image: int = option(1, "pairs that an epoch makes of each photograph")


@dataclass(frozen=True)
class SaliencyOptions(DatasetOptions):
    """`--dataset_mode saliency`: sources made on the fly from photographs alone, by their saliency."""

    images: str = option(
        "", "folder of the photographs; default <dataroot>/<phase>/images, <dataroot>/images, or the root itself"
    )
    saliency: str = option(
        "spectral",
        "where the saliency comes from: spectral residual, fine-grained, gradient energy; a folder of grey maps with "
        "the photographs' stems; a model, which is a TorchScript file, or an ONNX file named .onnx",
        metavar="|".join((*SALIENCY_OPERATORS, "DIR", "FILE")),
    )
    num_sources_max: int = option(
        0, "draw the number of sources for each training batch, from --num_sources to this; 0 draws nothing"
    )
    pairs_per_image: int = option(1, "samples that an epoch makes of each photograph")


@dataclass(frozen=True)
class PatchesOptions(DatasetOptions):
    """`--dataset_mode patches`: pairs of patches in an HDF5 file, of scripts/make_patches.py or of SMFNet's release."""


@dataclass(frozen=True)
class DecompositionOptions(DatasetOptions):
    """`--dataset_mode decomposition`: pairs of masked copies made on the fly from photographs, as for DeFusion."""


@dataclass(frozen=True)
class PairsAndPhotosOptions(DatasetOptions):
    """`--dataset_mode pairs_and_photos`: infrared-visible pairs, each beside masked copies of a photograph."""

    photos: str = option("", "folder of the photographs; --dataroot is that of the pairs", metavar="DIR")
    layout: str = option(
        "auto",
        "how the files of the pairs belong together, where two readings are possible",
        choices=("auto", "roles", "scenes", "suffix", "stacked"),
    )
    roles: str = option("", "which roles are infrared and visible, in this order, such as ir,vi", metavar="NAMES")
