"""Options of the data: where it is, how samples are cut out of it, and those of each --dataset_mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Self

from options.fields import Options, Parsed, option, without_effect
from util.errors import UserError

PMF_RECIPE_OPTIONS: Mapping[str, str] = MappingProxyType(  # option → the one --recipe that it has an effect on
    {"sigma": "realistic", "kernel": "realistic", "kernel_radius": "rgbd", "sigma_rule": "rgbd"}
)
PMF_RECIPES = ("realistic", "published", "rgbd")
KERNELS = ("random", "gaussian", "disc")
PREPROCESS = ("resize_and_crop", "crop", "scale_width", "scale_width_and_crop", "none")
LAYOUTS = ("auto", "roles", "scenes", "suffix", "stacked")
ON_BAD_SAMPLE = ("stop", "skip")
LARGEST_SIDE = 16384  # of an image, in pixels
MOST_PAIRS = 10_000  # of one photograph
SALIENCY_OPERATORS = ("spectral", "fine", "gradient")  # any other --saliency is a path


@dataclass(frozen=True)
class DataOptions(Options):
    """Options of all datasets."""

    dataroot: str = option(
        "", "folder of the data (patches: or the file); <dataroot>/<phase> is looked for first", metavar="DIR"
    )
    phase: str = option("train", "sub-folder of --dataroot to use: train, val, test, …")
    num_sources: int = option(2, "number of sources per item", at_least=1)
    max_dataset_size: int = option(0, "use no more than this many items; 0 means all", at_least=0)
    num_threads: int = option(
        4, "worker processes that load data, per training process; 0 loads in the process itself", at_least=0
    )

    def check(self, config: Any) -> None:  # noqa: ARG002
        """See `Options.check`: the phase leads nowhere else."""
        if Path(self.phase).name != self.phase or self.phase == "..":
            raise UserError(f"--phase {self.phase!r}: expected the name of a sub-folder of --dataroot, such as test")


@dataclass(frozen=True)
class AugmentationOptions(Options):
    """Cropping, resizing and augmentation of training samples, the same for all images of a sample."""

    preprocess: str = option(
        "crop",
        "resize and crop steps; those with resize_ and scale_ change the images' size, crop does not",
        choices=PREPROCESS,
    )
    load_size: int = option(
        256, "size that images are resized to where --preprocess resizes, in pixels", at_least=1, at_most=LARGEST_SIDE
    )
    crop_size: int = option(
        256,
        "side of the square cut out at random where --preprocess crops, in pixels",
        at_least=1,
        at_most=LARGEST_SIDE,
    )
    flip: bool = option(True, "mirror samples at random")
    serial_batches: bool = option(False, "take the items in order instead of shuffled")

    def notices(self, config: Any, parsed: Parsed) -> list[str]:
        """See `Options.notices`."""
        if "load_size" not in parsed.given:
            return []
        if config.dataset.resizes_to_crop:
            mode = config.selection.dataset_mode
            return [f"--load_size has no effect with --dataset_mode {mode}, which resizes to --crop_size"]
        if self.preprocess not in ("crop", "none"):
            return []
        return [
            f"--load_size has no effect with --preprocess {self.preprocess}, which keeps the images' size; "
            "add --preprocess resize_and_crop to resize them"
        ]


@dataclass(frozen=True)
class DatasetOptions(Options):
    """Base of the options of all kinds of dataset.

    Attributes:
        may_be_file: --dataroot may name a file instead of a folder.
        resizes_to_crop: samples are resized to --crop_size, whatever --load_size is.
    """

    may_be_file: ClassVar[bool] = False
    resizes_to_crop: ClassVar[bool] = False

    @property
    def names_all_folders(self) -> bool:
        """Whether nothing is looked for in --dataroot."""
        return False

    @property
    def skips_bad_samples(self) -> bool:
        """Whether samples that cannot be used are skipped, and the others used."""
        return False

    def for_training(self, *, needs_target: bool) -> Self:  # noqa: ARG002  (for those that override it)
        """Returns what a training reads that needs targets, or not."""
        return self

    def for_validation(self, *, needs_target: bool, roles: str) -> tuple[str, DatasetOptions]:  # noqa: ARG002
        """Returns --dataset_mode and options of --val_dataroot: stacked panels where a training makes its own samples.

        Args:
            needs_target: the training needs targets.
            roles: the value of --val_roles.
        """
        return "aligned", AlignedOptions()

    def check(self, config: Any) -> None:
        """See `Options.check`: there is a folder of data."""
        if self.names_all_folders or (getattr(config, "testing", None) and config.testing.sources):
            return
        if not config.data.dataroot:
            raise UserError("--dataroot is missing: name the folder of the data, as in --dataroot datasets/PMF")
        root = Path(config.data.dataroot)
        if not (root.is_dir() or (self.may_be_file and root.is_file())):
            raise UserError(f"--dataroot {root}: no such folder{' or file' if self.may_be_file else ''}")


@dataclass(frozen=True)
class AlignedOptions(DatasetOptions):
    """`--dataset_mode aligned`: stacked panels, one wide image per item."""

    with_target: bool = option(
        True, "the last panel is the target (always so where training needs one), not one more source"
    )

    def for_validation(self, *, needs_target: bool, roles: str) -> tuple[str, DatasetOptions]:  # noqa: ARG002
        """See `DatasetOptions.for_validation`."""
        return "aligned", AlignedOptions(with_target=needs_target or self.with_target)

    def check(self, config: Any) -> None:
        """See `Options.check`."""
        super().check(config)
        if _needs_target(config) and not self.with_target:
            raise UserError("--no_with_target: training needs the target, as the last panel of every image")


@dataclass(frozen=True)
class SourcesOptions(DatasetOptions):
    """`--dataset_mode sources`: role folders, scenes, suffixed files or stacked panels, recognised automatically."""

    layout: str = option("auto", "how the files belong together, where two readings are possible", choices=LAYOUTS)
    roles: str = option("", "which sources to use, and in which order, such as ir,vi", metavar="NAMES")
    with_target: bool = option(False, "stacked panels: the last one is the target (always so where training needs one)")
    on_bad_sample: str = option(
        "stop",
        "a sample that cannot be used: stop, or skip and list it (test.py then ends with status 3)",
        choices=ON_BAD_SAMPLE,
    )

    @property
    def skips_bad_samples(self) -> bool:
        """See `DatasetOptions.skips_bad_samples`."""
        return self.on_bad_sample == "skip"

    def for_training(self, *, needs_target: bool) -> Self:
        """See `DatasetOptions.for_training`."""
        return replace(self, with_target=self.with_target or needs_target)

    def for_validation(self, *, needs_target: bool, roles: str) -> tuple[str, DatasetOptions]:
        """See `DatasetOptions.for_validation`."""
        return "sources", replace(self.for_training(needs_target=needs_target), roles=roles or self.roles)


@dataclass(frozen=True)
class PMFOptions(DatasetOptions):
    """`--dataset_mode pmf`: multi-focus pairs made on the fly from photographs and their label or depth maps."""

    images: str = option("", "folder of the photographs; default <dataroot>/<phase>/images or <dataroot>/images")
    maps: str = option("", "folder of the label or depth maps; default <dataroot>/<phase>/maps or <dataroot>/maps")
    recipe: str = option(
        "realistic",
        "realistic: random split, defocus and soft edges at native size; published: as the R2GAN release made them; "
        "rgbd: split at random depths, as for IFCNN",
        choices=PMF_RECIPES,
    )
    sigma: tuple[float, float] = option(
        (1.5, 7.0), "weakest and strongest defocus of the realistic recipe, in pixels", above=0, at_most=100
    )
    kernel: str = option("random", "defocus kernel of the realistic recipe", choices=KERNELS)
    kernel_radius: tuple[int, int] = option(
        (1, 15), "radius of the smallest and the largest blur kernel of the rgbd recipe", at_least=1, at_most=500
    )
    sigma_rule: str = option(
        "opencv",
        "sigma of the rgbd recipe's blur: OpenCV's for the kernel, or as printed in IFCNN's erratum",
        choices=("opencv", "printed"),
    )
    pairs_per_image: int = option(1, "pairs that an epoch makes of each photograph", at_least=1, at_most=MOST_PAIRS)

    @property
    def names_all_folders(self) -> bool:
        """See `DatasetOptions.names_all_folders`."""
        return bool(self.images and self.maps)

    def check_values(self, dashes: str = "--") -> None:
        """See `Options.check_values`: ranges have their ends in order."""
        super().check_values(dashes)
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, tuple) and value[0] > value[1]:
                raise UserError(f"{dashes}{entry.name} {value[0]} {value[1]}: expected the smaller one first")

    def notices(self, config: Any, parsed: Parsed) -> list[str]:  # noqa: ARG002
        """See `Options.notices`."""
        return without_effect(parsed, "recipe", self.recipe, PMF_RECIPE_OPTIONS)


@dataclass(frozen=True)
class SaliencyOptions(DatasetOptions):
    """`--dataset_mode saliency`: sources made on the fly from photographs and their saliency."""

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
        0, "draw the number of sources of each training batch from --num_sources to this; 0 keeps --num_sources"
    )
    pairs_per_image: int = option(1, "samples that an epoch makes of each photograph", at_least=1, at_most=MOST_PAIRS)

    @property
    def names_all_folders(self) -> bool:
        """See `DatasetOptions.names_all_folders`."""
        return bool(self.images)

    def check(self, config: Any) -> None:
        """See `Options.check`: --num_sources_max is for networks that fuse any number of sources."""
        super().check(config)
        if self.num_sources_max and _trains(config) and not config.generator.fuses_any_number:
            option_for_it = config.generator.any_number_with
            hint = f"add {option_for_it}" if option_for_it else "leave it out"
            raise UserError(f"--num_sources_max: --netG {config.selection.netG} fuses one number of sources; {hint}")


@dataclass(frozen=True)
class PatchesOptions(DatasetOptions):
    """`--dataset_mode patches`: pairs of patches in an HDF5 file, of scripts/make_patches.py or of SMFNet's release."""

    may_be_file: ClassVar[bool] = True

    def for_validation(self, *, needs_target: bool, roles: str) -> tuple[str, DatasetOptions]:  # noqa: ARG002
        """See `DatasetOptions.for_validation`."""
        return "sources", SourcesOptions(roles=roles)

    def check(self, config: Any) -> None:
        """See `Options.check`."""
        super().check(config)
        if _needs_target(config):
            model = config.selection.model
            raise UserError(f"--dataset_mode patches has no targets, which --model {model} trains with")


@dataclass(frozen=True)
class DecompositionOptions(DatasetOptions):
    """`--dataset_mode decomposition`: pairs of masked copies made on the fly from photographs, as for DeFusion."""

    resizes_to_crop: ClassVar[bool] = True


@dataclass(frozen=True)
class PairsAndPhotosOptions(DatasetOptions):
    """`--dataset_mode pairs_and_photos`: infrared-visible pairs, each with masked copies of a photograph."""

    resizes_to_crop: ClassVar[bool] = True

    photos: str = option("", "folder of the photographs; --dataroot is that of the pairs", metavar="DIR")
    layout: str = option(
        "auto", "how the files of the pairs belong together, where two readings are possible", choices=LAYOUTS
    )
    roles: str = option("", "which roles are infrared and visible, in this order, such as ir,vi", metavar="NAMES")

    def for_validation(self, *, needs_target: bool, roles: str) -> tuple[str, DatasetOptions]:  # noqa: ARG002
        """See `DatasetOptions.for_validation`."""
        return "sources", SourcesOptions(layout=self.layout, roles=roles or self.roles)


@dataclass(frozen=True)
class MixtureOptions(DatasetOptions):
    """`--dataset_mode mixture`: real pairs without targets, and multi-focus and exposure stacks made of photographs."""

    share_focus: float = option(
        0.3, "share of the batches that are multi-focus stacks made of photographs", at_least=0, at_most=1
    )
    share_exposure: float = option(
        0.2,
        "share of the batches that are exposure stacks made of photographs; the rest are pairs",
        at_least=0,
        at_most=1,
    )
    num_sources_max: int = option(
        2, "in half of the batches of stacks, draw the number of sources from 2 to this", at_least=2, at_most=8
    )
    samples_per_epoch: int = option(1000, "samples that an epoch has", at_least=1)

    def for_validation(self, *, needs_target: bool, roles: str) -> tuple[str, DatasetOptions]:  # noqa: ARG002
        """See `DatasetOptions.for_validation`."""
        return "sources", SourcesOptions(roles=roles)

    def check(self, config: Any) -> None:
        """See `Options.check`."""
        super().check(config)
        if self.share_focus + self.share_exposure > 1:
            raise UserError(
                f"--share_focus {self.share_focus} --share_exposure {self.share_exposure}: together above 1; "
                "what they leave are pairs"
            )


def _trains(config: Any) -> bool:
    return hasattr(config, "training")


def _needs_target(config: Any) -> bool:
    return _trains(config) and bool(config.model.needs_target)
