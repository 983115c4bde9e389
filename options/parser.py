"""One strict parse of a command line into frozen dataclasses.

The parse first peeks at --model, --netG, --netD and --dataset_mode, then accepts exactly the options of the
components they select. Values come from, in rising order of right: the dataclasses' defaults, the options that
travel with a checkpoint, --config FILE.yaml, the command line.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from itertools import chain
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import yaml

from options import registry
from options.aliases import SYNONYMS, WITHOUT_EFFECT, modernise
from options.fields import Options, Parsed
from options.strict import StrictParser, choice
from util.errors import UserError
from util.suggest import suggest

_RECIPES = Path(__file__).with_name("recipes")

Groups = Mapping[str, type[Options]]


class _Switch(argparse.Action):
    """Stores True for --option and False for --no_option."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        del parser, values
        setattr(namespace, self.dest, not str(option_string).startswith("--no_"))


def parse(
    argv: Sequence[str],
    select_groups: Callable[[registry.Selection], Groups],
    *,
    description: str,
    travelling: Mapping[str, Any] | None = None,
    without_effect: Mapping[str, tuple[int, str]] = WITHOUT_EFFECT,
) -> Parsed:
    """Parses a command line strictly.

    Args:
        argv: the arguments as typed.
        select_groups: from the selected components to the groups of options that they accept, name → dataclass.
        description: what the command does, for --help.
        travelling: option → value that came with a checkpoint; weaker than what the user states. Options that no
            selected component has are left out.
        without_effect: options to accept and drop, see `options.aliases.modernise`.

    Returns:
        The filled groups.

    Raises:
        UserError: an option that is unknown, ill-formed, or of a component that is not selected, in `argv` or in the
            --config file.
    """
    typed, notices = modernise(argv, without_effect)
    from_file = read_config(typed)
    travelling = travelling or {}
    file_words = [*chain(*from_file.values())]
    from_elsewhere = _with_generator([*file_words, *typed], travelling)
    groups: dict[str, type[Options]] = {"selection": registry.Selection}
    groups |= select_groups(_peek([*file_words, *typed], from_elsewhere))
    used = _names(groups)
    # What the command line replaces, and what the other command reads from the same file, is no mistake of the file.
    replaced = _names(select_groups(_peek(file_words, _with_generator(file_words, travelling)))) | {"n_layers"}
    without_use = [name for name in from_file if name not in used and name in replaced]
    if without_use:
        notices.append(
            f"--config {_config_path(typed)}: no effect with the selected components: {', '.join(without_use)}"
        )
    skipped = {*without_use, *_of_other_command(used)}
    defaults = [*chain(*(option for name, option in from_file.items() if name not in skipped))]
    travelling = _fitting(from_elsewhere, groups)
    if "n_layers" not in used:  # the family takes it with every discriminator
        typed, more = modernise(typed, {"n_layers": (1, "only --netD n_layers has it")})
        notices += more
    parser = _build_parser(groups, description, travelling)
    try:
        parser.parse_strict(defaults)  # so that a bad value in the file is laid to the file
    except UserError as error:
        raise UserError(f"--config {_config_path(typed)}: {error}") from error
    given = vars(parser.parse_strict([*defaults, *typed]))
    given.pop("config", None)
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    filled = {}
    for name, group in groups.items():
        values = {f.name: travelling[f.name] for f in fields(group) if f.name in travelling}
        values |= {f.name: given[f.name] for f in fields(group) if f.name in given}
        filled[name] = group(**values)
    return Parsed(filled, frozenset(given), frozenset(given) & {*vars(parser.parse_strict(typed))}, tuple(notices))


def _fitting(travelling: Mapping[str, Any], groups: Groups) -> dict[str, Any]:
    """Leaves out what another component called so: with another --netG its --fusion may have other choices."""
    choices = {entry.name: entry.metadata["choices"] for group in groups.values() for entry in fields(group)}
    return {name: value for name, value in travelling.items() if not choices.get(name) or value in choices[name]}


def default_of(entry: Field[Any]) -> Any:
    """The default of a dataclass field (options always have one)."""
    return None if entry.default is MISSING else entry.default


def _names(groups: Groups) -> set[str]:
    return {entry.name for group in groups.values() for entry in fields(group)}


def _with_generator(words: Sequence[str], travelling: Mapping[str, Any]) -> Mapping[str, Any]:
    """Adds the generator that the selected --model was made for, weaker than a --netG that travels."""
    generator = registry.MODELS[_peek(words, travelling).model].options.generator
    return {"netG": generator, **travelling} if generator else travelling


def _peek(words: Sequence[str], travelling: Mapping[str, Any]) -> registry.Selection:
    peeker = StrictParser(add_help=False)
    known = {entry.name: entry.metadata["choices"] for entry in fields(registry.Selection)}
    for name, choices in known.items():
        peeker.add_argument(f"--{name}", type=choice(f"--{name}", choices), default=argparse.SUPPRESS)
    found = vars(peeker.parse_known_args(list(words))[0])
    return registry.Selection(**({k: v for k, v in travelling.items() if k in known} | found))


def _build_parser(groups: Groups, description: str, travelling: Mapping[str, Any]) -> StrictParser:
    mine = _names(groups)
    elsewhere = {f"--{name}": text for name, text in (_of_other_components(mine) | _of_other_command(mine)).items()}
    parser = StrictParser(
        description=description,
        elsewhere=elsewhere,
        synonyms=SYNONYMS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", metavar="FILE.yaml", help="defaults for any of these options; see options/recipes/")
    for group in groups.values():
        section = parser.add_argument_group((group.__doc__ or "").split("\n", maxsplit=1)[0].rstrip("."))
        add_fields(section, group, travelling)
    return parser


def add_fields(
    section: Any, group: type[Options], travelling: Mapping[str, Any] | None = None, only: Collection[str] = ()
) -> None:
    """Adds the options of a group to a parser or a section of one; the result holds those that are given.

    Args:
        section: of the parser.
        group: the dataclass.
        travelling: option → value that stands for the default in --help.
        only: the names of the fields to add; all by default.
    """
    hints = get_type_hints(group)
    for entry in fields(group):
        if not only or entry.name in only:
            _add_option(section, entry, hints[entry.name], (travelling or {}).get(entry.name, default_of(entry)))


def _of_other_components(mine: Collection[str]) -> dict[str, str]:
    """The options of components that are not selected: option → what has it."""
    owners: dict[str, list[str]] = {}
    tables: dict[str, Mapping[str, registry.Entry[Any]]] = {
        "model": registry.MODELS,
        "netG": registry.GENERATORS,
        "dataset_mode": registry.DATASETS,
    }
    for selector, table in tables.items():
        for name, component in table.items():
            for entry in fields(component.options):
                owners.setdefault(entry.name, []).append(f"--{selector} {name}")
    return {
        option: f"belongs to {' or '.join(names)}, which is not selected"
        for option, names in owners.items()
        if option not in mine
    }


def _of_other_command(mine: Collection[str]) -> dict[str, str]:
    """The options of train.py alone and of test.py alone, where this is another command: option → what has it."""
    found: dict[str, str] = {}
    for groups, place in ((registry.TRAINING_ONLY, "train.py"), (registry.TESTING_ONLY, "test.py")):
        if not {entry.name for entry in fields(groups[0])} <= {*mine}:  # else this is that command
            names = {entry.name for group in groups for entry in fields(group)} - {*mine}
            found |= dict.fromkeys(names, f"is an option of {place} alone")
    return found


def _add_option(section: Any, entry: Field[Any], kind: Any, default: Any) -> None:
    """Adds the command-line option of one dataclass field; `default` is what --help shows."""
    flag, choices = f"--{entry.name}", entry.metadata["choices"]
    old = [f"--{name}" for name, new in SYNONYMS.items() if new == entry.name]
    text = entry.metadata["help"]
    if choices:
        text += f"; one of: {', '.join(choices)}"
    if old:
        text += f"; also spelt {', '.join(old)}"
    shown = " ".join(map(str, default)) if isinstance(default, tuple) else default
    text = f"{text} (default: {shown if shown != '' else 'none'})".replace("%", "%%")
    common: dict[str, Any] = {"dest": entry.name, "default": argparse.SUPPRESS, "help": text}
    if kind is bool:
        section.add_argument(flag, f"--no_{entry.name}", action=_Switch, nargs=0, **common)
    elif get_origin(kind) is tuple:
        members = get_args(kind)
        if members[-1] is Ellipsis:  # any number of one kind
            section.add_argument(flag, type=members[0], nargs="+", metavar=entry.metadata["metavar"], **common)
            return
        metavars = tuple(member.__name__.upper() for member in members)
        section.add_argument(flag, type=members[0], nargs=len(members), metavar=metavars, **common)
    else:
        convert = choice(flag, choices) if choices else kind
        section.add_argument(flag, type=convert, metavar=entry.metadata["metavar"] or kind.__name__.upper(), **common)


def _config_path(words: Sequence[str]) -> str | None:
    peeker = StrictParser(add_help=False)
    peeker.add_argument("--config")
    path: str | None = peeker.parse_known_args(list(words))[0].config
    return path


def option_words(name: str, value: Any) -> list[str]:
    """What one would type to give an option a value of Python or YAML."""
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no_{name}"]
    if isinstance(value, list | tuple):
        return [f"--{name}", *map(str, value)]
    return [f"--{name}={value}"]


def read_config(words: Sequence[str]) -> dict[str, list[str]]:
    """The options of a --config file, name → command-line words; parsed before the typed ones, which so win."""
    path = _config_path(words)
    if path is None:
        return {}
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except (FileNotFoundError, NotADirectoryError) as error:
        recipes = sorted(file.stem for file in _RECIPES.glob("*.yaml"))
        near = suggest(Path(path).stem, recipes, "options/recipes/{}.yaml")
        raise UserError(f"--config {path}: no such file{near}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = str(error).replace("\n", " ")
        raise UserError(f"--config {path}: not a readable YAML file ({reason})") from error
    if not isinstance(content, dict):
        raise UserError(f"--config {path}: expected lines such as 'netG: R2GAN_generator', found {content!r}")
    known = _all_option_names()
    result: dict[str, list[str]] = {}
    for key, value in content.items():
        name = SYNONYMS.get(str(key), str(key))
        if isinstance(value, bool) and name.startswith("no_") and name.removeprefix("no_") in known:
            name, value = name.removeprefix("no_"), not value  # noqa: PLW2901  (no_dropout: true is dropout: false)
        if name not in known:
            raise UserError(f"--config {path}: unknown option {key!r}{suggest(str(key), [*known, *SYNONYMS])}")
        if value is None:
            raise UserError(f"--config {path}: {key} has no value")
        result[name] = option_words(name, value)
    return result


def _all_option_names() -> set[str]:
    return {entry.name for group in registry.all_groups() for entry in fields(group)}
