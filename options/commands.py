"""The configurations of train.py and test.py, and the functions that parse their command lines."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from itertools import chain
from typing import Any, get_type_hints

from options import registry
from options.aliases import WITHOUT_EFFECT, modernise
from options.data import AugmentationOptions, DataOptions, DatasetOptions
from options.fields import Options, Parsed
from options.fusing import FusingOptions
from options.models import ModelOptions
from options.networks import DiscriminatorOptions, GeneratorOptions, NLayersOptions
from options.parser import parse, read_config
from options.run import RunOptions
from options.strict import StrictParser
from options.testing import TestingOptions
from options.training import TrainingOptions
from options.watching import WatchingOptions

# Where test.py starts from another value than train.py.
TEST_DEFAULTS = {"phase": "test", "with_target": False, "dataset_mode": "sources"}


@dataclass(frozen=True)
class TrainConfig:
    """Everything that train.py was told."""

    selection: registry.Selection
    run: RunOptions
    data: DataOptions
    augmentation: AugmentationOptions
    dataset: DatasetOptions
    model: ModelOptions
    generator: GeneratorOptions
    discriminator: DiscriminatorOptions
    training: TrainingOptions
    watching: WatchingOptions


@dataclass(frozen=True)
class TestConfig:
    """Everything that test.py was told or took over from the checkpoint."""

    __test__ = False  # the name begins with Test, but pytest has nothing to collect here

    selection: registry.Selection
    run: RunOptions
    data: DataOptions
    dataset: DatasetOptions
    generator: GeneratorOptions
    fusing: FusingOptions
    testing: TestingOptions


def groups_of(config: type[TrainConfig | TestConfig], selection: registry.Selection) -> dict[str, type[Options]]:
    """The option groups of a training or a test with these components, in the order of its fields."""
    components: dict[str, registry.Entry[Any]] = {
        "dataset": registry.DATASETS[selection.dataset_mode],
        "model": registry.MODELS[selection.model],
        "generator": registry.GENERATORS[selection.netG],
        "discriminator": registry.DISCRIMINATORS[selection.netD],
    }
    groups = get_type_hints(config)
    return {name: components[name].options if name in components else group for name, group in groups.items()}


def parse_train(argv: Sequence[str], recorded: Mapping[str, Any] | None = None) -> tuple[TrainConfig, Parsed]:
    """Parses the command line of train.py; `recorded` are the options of the resumed run, see `options.saved`.

    Raises:
        UserError: an unknown or ill-formed option.
    """
    parsed = parse(argv, partial(groups_of, TrainConfig), description="Trains a fusion network.", travelling=recorded)
    return TrainConfig(**parsed.groups), parsed


def parse_test(argv: Sequence[str], travelling: Mapping[str, Any] | None = None) -> tuple[TestConfig, Parsed]:
    """Parses the command line of test.py; `travelling` are the options that came with the checkpoint.

    Raises:
        UserError: an unknown or ill-formed option.
    """
    parsed = parse(
        argv,
        partial(groups_of, TestConfig),
        description="Fuses images with a trained network.",
        travelling={**TEST_DEFAULTS, **(travelling or {})},
        without_effect=WITHOUT_EFFECT | _training_only(),
    )
    return TestConfig(**parsed.groups), parsed


def peek_text(argv: Sequence[str], *names: str) -> dict[str, Any]:
    """Those of some options that a command line states, needed before its parse: options travel with checkpoints."""
    peeker = StrictParser(add_help=False)
    for name in names:
        peeker.add_argument(f"--{name}", default=argparse.SUPPRESS)
    return vars(peeker.parse_known_args(_all_words(argv))[0])


def asks_to_continue(argv: Sequence[str]) -> bool:
    """Whether a command line says --continue_train, needed before its parse: the run's own options are its defaults."""
    switches = [word for word in _all_words(argv) if word in ("--continue_train", "--no_continue_train")]
    return switches[-1:] == ["--continue_train"]


def _all_words(argv: Sequence[str]) -> list[str]:
    """The words of the --config file, then those typed, in today's spelling."""
    words, _ = modernise(argv)
    return [*chain(*read_config(words).values()), *words]


def _training_only() -> dict[str, tuple[int, str]]:
    """Options that the family's test.py takes although they only concern training: accepted and dropped."""
    groups = (AugmentationOptions, DiscriminatorOptions, NLayersOptions, WatchingOptions)
    entries = [entry for group in groups for entry in fields(group)]
    entries += [entry for entry in fields(TrainingOptions) if entry.name.startswith("init_")]
    reason = "it concerns training only; images are fused at their own size"
    dropped = {entry.name: (0 if isinstance(entry.default, bool) else 1, reason) for entry in entries}
    return dropped | {f"no_{name}": (0, reason) for name, (count, _) in dropped.items() if count == 0}
