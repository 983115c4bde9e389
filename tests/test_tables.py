"""The plain tables that the options know agree with the registries of the code."""

import dataclasses
import inspect
import pkgutil
from pathlib import Path

import pytest
import yaml

from data.pmf.recipe import RECIPES
from data.pmf.synthesis import KERNELS
from data.registry import _DATASETS
from data.saliency.operators import OPERATORS
from data.transforms import PREPROCESS
from models.base_model import OptimizerSettings
from models.generators.decomposing import DecomposingGenerator
from models.generators.defusion import COMMON_HEADS, DEPTHS
from models.generators.defusion_plus import COMMON_ORDERS
from models.generators.gsgif import SKIPS
from models.generators.ifcnn import FUSIONS, IFCNN_NORMS
from models.generators.r2gan import DECODERS
from models.generators.smfnet import STRETCHES
from models.init import INIT_TYPES
from models.layers import source_fusion
from models.layers.norm import NORMS
from models.losses.gan import GAN_MODES
from models.losses.perceptual import BACKBONES
from models.losses.smfnet import FORMS
from models.registry import DISCRIMINATORS, GENERATORS, MODELS
from models.schedules import POLICIES
from options import tables
from options.commands import parse_train
from options.data import SALIENCY_OPERATORS, AugmentationOptions, PMFOptions
from options.models import IFCNNTrainingOptions, Pix2PixOptions, SMFNetTrainingOptions
from options.networks import (
    DeFusionOptions,
    DeFusionPlusOptions,
    FamilyOptions,
    GSGIFOptions,
    IFCNNOptions,
    R2GANOptions,
    SMFNetOptions,
)
from options.training import TrainingOptions

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("table", "registry"),
    [
        (tables.GENERATORS, GENERATORS),
        (tables.DISCRIMINATORS, DISCRIMINATORS),
        (tables.MODELS, MODELS),
        (tables.DATASETS, _DATASETS),
    ],
)
def test_names_are_the_same(table, registry):
    assert set(table) == set(registry)


@pytest.mark.parametrize("name", GENERATORS)
def test_those_that_decompose_are_known(name):
    assert tables.GENERATORS[name].decomposes == issubclass(
        pkgutil.resolve_name(GENERATORS[name].target), DecomposingGenerator
    )


@pytest.mark.parametrize(
    ("options", "target", "from_elsewhere"),
    [
        *((tables.GENERATORS[name], entry.target, {"num_sources"}) for name, entry in GENERATORS.items()),
        *((tables.DISCRIMINATORS[name], entry.target, {"input_nc", "norm"}) for name, entry in DISCRIMINATORS.items()),
        *((tables.MODELS[name], e.target, {"engine", "netG", "netD", "settings"}) for name, e in MODELS.items()),
        *((tables.DATASETS[name], target, set()) for name, target in _DATASETS.items()),
    ],
)
def test_every_option_is_an_argument_and_has_its_default(options, target, from_elsewhere):
    parameters = inspect.signature(pkgutil.resolve_name(target)).parameters
    for entry in dataclasses.fields(options):
        assert entry.name in parameters
        default = parameters[entry.name].default
        assert entry.default == default or not (entry.default or default)  # "" and None both mean: not given
    required = {name for name, parameter in parameters.items() if parameter.default is inspect.Parameter.empty}
    given = from_elsewhere | {entry.name for entry in dataclasses.fields(options)}
    assert required <= given | {"root", "phase", "n_layers"}


def test_choices_are_the_same():
    def choices(group, name):
        return next(entry.metadata["choices"] for entry in dataclasses.fields(group) if entry.name == name)

    assert set(choices(TrainingOptions, "lr_policy")) == set(POLICIES)
    assert set(choices(TrainingOptions, "init_type")) == set(INIT_TYPES)
    assert set(choices(Pix2PixOptions, "gan_mode")) == set(GAN_MODES)
    assert choices(FamilyOptions, "norm") == NORMS
    assert (choices(IFCNNOptions, "fusion"), choices(IFCNNOptions, "ifcnn_norm")) == (FUSIONS, IFCNN_NORMS)
    assert choices(IFCNNTrainingOptions, "backbone") == BACKBONES
    assert choices(SMFNetTrainingOptions, "smf_losses") == FORMS
    assert choices(R2GANOptions, "decoders") == DECODERS
    assert (choices(GSGIFOptions, "fusion"), choices(GSGIFOptions, "skips")) == (source_fusion.FUSIONS, SKIPS)
    assert choices(SMFNetOptions, "stretch") == STRETCHES
    assert (choices(DeFusionOptions, "depth"), choices(DeFusionOptions, "common_head")) == (DEPTHS, COMMON_HEADS)
    assert choices(DeFusionPlusOptions, "common_order") == COMMON_ORDERS
    assert choices(AugmentationOptions, "preprocess") == PREPROCESS
    assert (choices(PMFOptions, "recipe"), choices(PMFOptions, "kernel")) == (RECIPES, KERNELS)
    assert tuple(OPERATORS) == SALIENCY_OPERATORS


def test_optimizer_settings_are_training_options():
    training = {entry.name: entry.default for entry in dataclasses.fields(TrainingOptions)}
    for entry in dataclasses.fields(OptimizerSettings):
        assert training[entry.name] == entry.default


@pytest.mark.parametrize("recipe", sorted((ROOT / "options" / "recipes").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_parses_and_every_value_arrives(recipe):
    config, parsed = parse_train(["--config", str(recipe)])
    expected = yaml.safe_load(recipe.read_text(encoding="utf-8"))
    groups = [group for group in vars(config).values() if dataclasses.is_dataclass(group)]
    found = {name: value for group in groups for name, value in vars(group).items()}
    assert {name: found[name] for name in expected} == {n: type(found[n])(value) for n, value in expected.items()}
    assert set(expected) <= parsed.given


def test_the_published_recipe_is_the_default():
    assert parse_train(["--config", str(ROOT / "options" / "recipes" / "r2gan.yaml")])[0] == parse_train([])[0]
