"""How options are written down: a frozen dataclass for each group, whose fields say what their values may be.

A group checks itself: `Options.check_values` reads choices and ranges off the fields; what must hold between options,
and what a user should know of them, are its own methods `check` and `notices`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from util.errors import UserError
from util.suggest import check_choice


def option(
    default: Any,
    help_text: str,
    *,
    choices: tuple[str, ...] = (),
    metavar: str = "",
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
) -> Any:
    """Returns the dataclass field of one command-line option.

    Args:
        default: its default, whose type annotation in the dataclass is the option's type.
        help_text: one line for `--help`.
        choices: the values allowed, for a text option.
        metavar: what stands for the value in `--help`; the option's type when empty.
        at_least: the least value of a number, or of each of several.
        above: a bound that the value is greater than.
        at_most: the greatest value.
        below: a bound that the value is less than.
    """
    bounds = Bounds(at_least, above, at_most, below)
    return field(
        default=default, metadata={"help": help_text, "choices": choices, "metavar": metavar, "bounds": bounds}
    )


@dataclass(frozen=True)
class Bounds:
    """Where a number must lie; None does not limit it. `number in bounds` asks, `str(bounds)` says it in words."""

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None

    def __contains__(self, number: float) -> bool:
        return (
            math.isfinite(number)  # NaN fits nowhere
            and (self.at_least is None or number >= self.at_least)
            and (self.above is None or number > self.above)
            and (self.at_most is None or number <= self.at_most)
            and (self.below is None or number < self.below)
        )

    def __str__(self) -> str:
        if self.at_least is not None and self.at_most is not None:
            return f"a number from {self.at_least} to {self.at_most}"
        parts = {
            "of {} or more": self.at_least,
            "above {}": self.above,
            "up to {}": self.at_most,
            "below {}": self.below,
        }
        said = " and ".join(words.format(bound) for words, bound in parts.items() if bound is not None)
        return f"a number {said}" if said else "a finite number"


@dataclass(frozen=True)
class Parsed:
    """What a parse found.

    Attributes:
        groups: name of a group → its filled dataclass.
        given: names of the options that the user stated (command line or --config).
        typed: those of them that stand on the command line itself, which is no mere default as a file's lines are.
        notices: lines the user should see, such as an option that has no effect.
    """

    groups: Mapping[str, Any]
    given: frozenset[str]
    typed: frozenset[str]
    notices: tuple[str, ...]


@dataclass(frozen=True)
class Options:
    """Base of all groups of options."""

    def check_values(self, dashes: str = "--") -> None:
        """Checks each value by itself, against what its field says.

        Args:
            dashes: what stands before the name of an option in a message; "" for a caller in Python.

        Raises:
            UserError: not one of the choices, out of the range, or not a finite number.
        """
        for entry in fields(self):
            value, metadata = getattr(self, entry.name), entry.metadata
            if metadata["choices"]:
                check_choice(f"{dashes}{entry.name}", value, metadata["choices"])
            for number in value if isinstance(value, tuple) else (value,):
                if isinstance(number, int | float) and number not in metadata["bounds"]:
                    given = " ".join(map(str, value)) if isinstance(value, tuple) else value
                    raise UserError(f"{dashes}{entry.name} {given}: expected {metadata['bounds']}")

    def check(self, config: Any) -> None:
        """Checks what must hold between options, of this group and others; `check_values` comes before.

        Args:
            config: all groups of the run, a `TrainConfig` or a `TestConfig` of `options.commands`.

        Raises:
            UserError: options that contradict each other, or name what is not there.
        """

    def notices(self, config: Any, parsed: Parsed) -> list[str]:  # noqa: ARG002  (for those that override it)
        """Returns a line on each option that is accepted but does nothing, or not what one may think.

        Args:
            config: all groups of the run, as for `check`.
            parsed: which options the user stated.
        """
        return []


def without_effect(parsed: Parsed, option: str, chosen: str, owners: Mapping[str, str]) -> list[str]:
    """Returns a line on each option that was given although it belongs to another value of `option`.

    Args:
        parsed: which options the user stated.
        option: what chooses, such as recipe.
        chosen: its value.
        owners: option → the only value that it has an effect with.
    """
    return [
        f"--{name} has no effect with --{option} {chosen}: it belongs to --{option} {owner}"
        for name, owner in owners.items()
        if name in parsed.given and owner != chosen
    ]
