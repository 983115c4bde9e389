"""train_opt.txt for people and options.json for programs: the options that travel with a checkpoint."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from options import registry
from options.commands import TestConfig, TrainConfig, asks_to_continue, groups_of, peek_text
from options.data import SALIENCY_OPERATORS, DataOptions
from options.fields import Options
from options.parser import default_of
from options.run import GENERAL, OPTIONS_FILE, RunOptions
from util.errors import UserError

# What test.py takes over from a training: the network and how it is fed, not where it was trained on what.
TRAVELLING_GROUPS = ("selection", "generator")
TRAVELLING_OPTIONS = ("num_sources",)
STAY_BEHIND = ("dataset_mode", "netD")
# What a resumed training takes from its own command line only.
OF_ONE_CALL = ("name", "checkpoints_dir", "continue_train", "accept_changes", "overwrite", "verbose")
# What may change when a training is resumed: its length, and what does not alter the result.
MAY_CHANGE = frozenset(
    {*OF_ONE_CALL, "n_epochs", "n_epochs_decay", "gpu_ids", "compile", "num_threads"}
    | {"save_epoch_freq", "save_latest_freq", "print_freq", "update_html_freq"}
)
PATHS = (
    *("dataroot", "val_dataroot", "images", "maps", "saliency", "photos"),
    *("teacher_ir", "teacher_vis", "first_stage_weights"),
)


def options_to_continue(argv: Sequence[str]) -> dict[str, Any]:
    """The options that a run was begun with, where a command line says --continue_train; they become its defaults.

    Raises:
        UserError: the run's options.json is not what train.py writes.
    """
    path = dataclasses.replace(RunOptions(), **peek_text(argv, "name", "checkpoints_dir")).folder / OPTIONS_FILE
    if not asks_to_continue(argv) or not path.is_file():
        return {}
    content = read_options(path)
    found = {name: value for group in content.values() if isinstance(group, dict) for name, value in group.items()}
    for name in OF_ONE_CALL:
        found.pop(name, None)
    return _checked_values(path, found)


def options_to_fuse(argv: Sequence[str]) -> dict[str, Any]:
    """What test.py takes over from the run, or the weights that ship, that its command line names.

    Returns:
        Option → value. Without a name it is the general network's, unless another network is asked for; a method
        without weights gives its own name.

    Raises:
        UserError: the options.json beside the networks is not what train.py writes.
    """
    given = peek_text(argv, "name", "checkpoints_dir", "netG")
    netG = given.pop("netG", "")
    if "name" not in given and netG in registry.GENERATORS and not registry.GENERATORS[netG].options.has_weights:
        return {"name": netG}
    if not netG:
        given.setdefault("name", GENERAL)
    run = dataclasses.replace(RunOptions(), **given)
    return {"name": run.name} | travelling_options(run.networks_folder / OPTIONS_FILE)


def differences(
    before: Mapping[str, Any], now: Mapping[str, Any], may_change: Collection[str] = MAY_CHANGE
) -> dict[str, tuple[Any, Any]]:
    """The options of a run that are not what they were, as far as they change what is trained.

    Args:
        before: group → option → value, as from `read_options` or `to_dict`.
        now: the same of today.
        may_change: options that are not looked at, beside those of watching.

    Returns:
        Option → the value then and now.
    """
    found = {}
    groups = groups_of(TrainConfig, registry.Selection(**now["selection"]))
    for group, options in now.items():
        # A run that was begun before there was an option had its default.
        earlier = {entry.name: entry.default for entry in dataclasses.fields(groups[group])} | before.get(group, {})
        for name, new in options.items():
            old: Any = tuple(earlier[name]) if isinstance(earlier[name], list) else earlier[name]
            same = old == new or (
                are_paths(name, old, new) and old and new and Path(old).resolve() == Path(new).resolve()
            )
            if not same and group != "watching" and name not in may_change:
                found[name] = (old, new)
    return found


def are_paths(name: str, *values: Any) -> bool:
    """Whether the values of an option are all paths, of which two may name one place."""
    return name in PATHS and not (name == "saliency" and {*values} & {*SALIENCY_OPERATORS})


def to_dict(config: TrainConfig | TestConfig) -> dict[str, dict[str, Any]]:
    """The configuration as nested dictionaries of plain values, group → option → value."""
    return {entry.name: dataclasses.asdict(getattr(config, entry.name)) for entry in dataclasses.fields(config)}


def describe(config: TrainConfig | TestConfig) -> str:
    """The configuration as text: one option per line, those that differ from their default marked with it."""
    lines = ["----------------- Options ---------------"]
    for group in dataclasses.fields(config):
        options = getattr(config, group.name)
        for entry in dataclasses.fields(options):
            value, default = getattr(options, entry.name), default_of(entry)
            mark = "" if value == default else f"\t[default: {default if default != '' else 'none'}]"
            lines.append(f"{entry.name:>25}: {value!s:<30}{mark}".rstrip())
    lines.append("----------------- End -------------------")
    return "\n".join(lines) + "\n"


def to_json(config: TrainConfig) -> str:
    """The text of options.json."""
    return json.dumps(to_dict(config), indent=2, sort_keys=True) + "\n"


def travelling_options(path: Path) -> dict[str, Any]:
    """Reads from an options.json, if there is one, what test.py takes over: network, its options, number of sources.

    Raises:
        UserError: the file is there but is not what train.py writes.
    """
    if not path.is_file():
        return {}
    try:
        found = take_travelling(read_options(path))
    except (KeyError, AttributeError, TypeError) as error:
        raise UserError(f"{path}: not an options.json as train.py writes it ({error!r})") from error
    return _checked_values(path, found, DataOptions)


def take_travelling(content: Mapping[str, Any]) -> dict[str, Any]:
    """What test.py takes over of the options of a training, group → option → value, as option → value."""
    found = {name: value for group in TRAVELLING_GROUPS for name, value in content[group].items()}
    found |= {name: content["data"][name] for name in TRAVELLING_OPTIONS}
    return {name: value for name, value in found.items() if name not in STAY_BEHIND}


def read_options(path: Path) -> dict[str, Any]:
    """Reads an options.json, group → option → value.

    Raises:
        UserError: it is missing or is no JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as the options of a run ({error})") from error
    if not isinstance(content, dict) or not all(isinstance(group, dict) for group in content.values()):
        raise UserError(f"{path}: not an options.json as train.py writes it")
    return content


def _checked_values(path: Path, found: Mapping[str, Any], *groups: type[Options]) -> dict[str, Any]:
    """Checks what was found in an options.json, which may have been edited: the generator's options and `groups`.

    Without `groups`, all options of a training are checked.
    """
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
    _check_group(path, values, registry.Selection)
    names = [entry.name for entry in dataclasses.fields(registry.Selection)]
    selection = registry.Selection(**{name: str(values[name]) for name in names if name in values})
    all_groups = groups_of(TrainConfig, selection)
    for group in (*groups, all_groups["generator"]) if groups else all_groups.values():
        _check_group(path, values, group)
    return values


def _check_group(path: Path, values: Mapping[str, Any], group: type[Options]) -> None:
    for entry in dataclasses.fields(group):
        value, default = values.get(entry.name, default_of(entry)), default_of(entry)
        choices = entry.metadata["choices"]
        if type(value) is not type(default) or (choices and value not in choices):
            expected = f"one of: {', '.join(choices)}" if choices else f"a value like {default!r}"
            raise UserError(f"{path}: {entry.name} is {value!r}, expected {expected}")
