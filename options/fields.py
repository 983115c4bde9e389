"""How an option is written down: a dataclass field with a help text, choices and further spellings."""

from __future__ import annotations

from dataclasses import field
from typing import Any


def option(default: Any, help_text: str, *, choices: tuple[str, ...] = (), metavar: str = "") -> Any:
    """Returns the dataclass field of one command-line option.

    Args:
        default: its default, whose type annotation in the dataclass is the option's type.
        help_text: one line for `--help`.
        choices: the values allowed, for a text option.
        metavar: what stands for the value in `--help`; the option's type when empty.
    """
    return field(default=default, metadata={"help": help_text, "choices": choices, "metavar": metavar})
