"""Checks of all option values before anything is computed or written: each group checks itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from options import registry
from options.commands import TestConfig, TrainConfig
from options.fields import Options, Parsed
from util.errors import UserError


def validate_train(config: TrainConfig, parsed: Parsed) -> list[str]:
    """Checks the options of a training and returns lines for the user, such as on options without effect.

    Raises:
        UserError: a value out of its range, or two options that contradict each other.
    """
    groups = _checked_groups(config)
    return [*parsed.notices, *(line for group in groups for line in group.notices(config, parsed))]


def validate_test(config: TestConfig, parsed: Parsed) -> list[str]:
    """Checks the options of a test; otherwise as `validate_train`."""
    sources = config.testing.sources
    # What a --config file says of folders is but a default, over which --sources on the command line wins.
    if sources and "roles" in parsed.typed:
        raise UserError(
            "--roles beside --sources: the order in which the images are named is that of the sources; leave it out"
        )
    if sources and "dataroot" in parsed.typed:
        raise UserError("--dataroot beside --sources: choose the test set of a folder or the images of one scene")
    _checked_groups(config)
    if config.testing.save_decomposition and not config.generator.decomposes:
        able = " or ".join(f"--netG {name}" for name, entry in registry.GENERATORS.items() if entry.options.decomposes)
        raise UserError(
            f"--save_decomposition: --netG {config.selection.netG} does not decompose the sources; expected {able}"
        )
    notices = list(parsed.notices)
    if sources and "metrics" in parsed.typed and config.testing.metrics != "none":
        notices.append("--metrics has no effect with --sources: nothing is measured; scripts/evaluate.py does it")
    return notices


def _checked_groups(config: TrainConfig | TestConfig) -> Sequence[Options]:
    """The groups of a configuration, after each has checked its values, and then what holds between them."""
    groups: list[Options] = [getattr(config, entry.name) for entry in fields(config)]
    for group in groups:
        group.check_values()
    for group in reversed(groups):  # what is asked for first, then whether the data for it is there
        group.check(config)
    return groups
