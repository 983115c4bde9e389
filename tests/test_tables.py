"""What stands in the options agrees with the code that it is for."""

import dataclasses
import inspect
import typing
from pathlib import Path

import pytest
import yaml

from data.saliency.operators import OPERATORS
from models.generators.decomposing import DecomposingGenerator
from models.generators.defusion import COMMON_BLOCKS
from options.commands import parse_train
from options.data import SALIENCY_OPERATORS
from options.networks import DeFusionOptions
from options.registry import DATASETS, DISCRIMINATORS, GENERATORS, MODELS

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("name", GENERATORS)
def test_those_that_decompose_are_known(name):
    assert GENERATORS[name].options.decomposes == issubclass(GENERATORS[name].load(), DecomposingGenerator)


@pytest.mark.parametrize(
    ("entry", "from_elsewhere"),
    [
        *((entry, {"num_sources"}) for entry in GENERATORS.values()),
        *((entry, {"input_nc", "norm"}) for entry in DISCRIMINATORS.values()),
    ],
    ids=[*GENERATORS, *DISCRIMINATORS],
)
def test_a_network_receives_its_own_options_and_nothing_that_another_part_does_not_know(entry, from_elsewhere):
    cls = entry.load()
    declared = typing.get_type_hints(cls.__init__)["options"]
    assert issubclass(entry.options, declared)
    assert entry.options in (declared, *typing.get_args(declared))
    own, arguments = {"options", *entry.fixed}, {*inspect.signature(cls).parameters}
    assert own <= arguments <= own | from_elsewhere


@pytest.mark.parametrize("entry", DATASETS.values(), ids=DATASETS)
def test_a_dataset_says_whose_options_it_receives(entry):
    declared = typing.get_type_hints(entry.load())["options"]
    assert issubclass(entry.options, declared)
    assert declared is entry.options or not dataclasses.fields(entry.options)


@pytest.mark.parametrize("entry", MODELS.values(), ids=MODELS)
def test_a_training_procedure_receives_its_own_options(entry):
    assert typing.get_type_hints(entry.load())["options"] is entry.options


def test_choices_are_the_same():
    def choices(group, name):
        return next(entry.metadata["choices"] for entry in dataclasses.fields(group) if entry.name == name)

    assert choices(DeFusionOptions, "depth") == tuple(COMMON_BLOCKS)
    assert tuple(OPERATORS) == SALIENCY_OPERATORS


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
