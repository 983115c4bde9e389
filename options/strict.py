"""An argument parser that answers a wrong option or value with the ones that are near."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

from util.errors import UserError
from util.suggest import check_choice, suggest


def choice(option: str, choices: Sequence[str]) -> Callable[[str], str]:
    """Returns an argparse type that accepts one of `choices` and names the near ones otherwise."""

    def convert(text: str) -> str:
        check_choice(option, text, choices)
        return text

    return convert


def whole(option: str, least: int, most: int | None = None) -> Callable[[str], int]:
    """Returns an argparse type that accepts whole numbers from `least` to `most`."""

    def convert(text: str) -> int:
        number = int(text)
        if number < least or (most is not None and number > most):
            expected = f"at least {least}" if most is None else f"from {least} to {most}"
            raise UserError(f"{option} {text}: must be {expected}")
        return number

    convert.__name__ = "int"  # which argparse names for a text that is no number
    return convert


def split_words(argv: Sequence[str], scripts: Sequence[str]) -> list[list[str]]:
    """Splits a command line into a script's own arguments and those of each of `scripts`, after one -- each.

    Raises:
        UserError: more of -- than scripts.
    """
    parts: list[list[str]] = [[]]
    for word in argv:
        if word == "--":
            parts.append([])
        else:
            parts[-1].append(word)
    if len(parts) > len(scripts) + 1:
        raise UserError(f"too many --: expected one before the options of {', one before those of '.join(scripts)}")
    return parts + [[] for _ in range(len(scripts) + 1 - len(parts))]


class StrictParser(argparse.ArgumentParser):
    """`argparse.ArgumentParser` without abbreviations, whose errors are `UserError`s of one line.

    Args:
        elsewhere: options that exist, but not in this parser → what to say of them.
        synonyms: further spellings that the caller translates, without dashes; they are suggested as well.
        kwargs: as for `argparse.ArgumentParser`.
    """

    def __init__(
        self, *, elsewhere: Mapping[str, str] | None = None, synonyms: Iterable[str] = (), **kwargs: Any
    ) -> None:
        kwargs.setdefault("allow_abbrev", False)
        kwargs.setdefault("formatter_class", argparse.ArgumentDefaultsHelpFormatter)
        super().__init__(**kwargs)
        self._elsewhere = dict(elsewhere or {})
        self._synonyms = [f"--{name}" for name in synonyms]

    def error(self, message: str) -> NoReturn:
        """Raises `UserError` instead of printing the usage and leaving."""
        raise UserError(message.removeprefix("argument "))

    def option_strings(self) -> list[str]:
        """Every option that this parser knows, such as --name."""
        return [option for action in self._actions for option in action.option_strings]

    def parse_strict(self, argv: Sequence[str]) -> argparse.Namespace:
        """Parses `argv`; an option that does not exist is an error that names the near ones.

        Raises:
            UserError: an unknown option, a missing or a bad value.
        """
        namespace, extra = self.parse_known_args(list(argv))
        for word in extra:
            if word.startswith("-"):
                name = word.split("=", 1)[0]
                if name in self._elsewhere:
                    raise UserError(f"{name} {self._elsewhere[name]}")
                raise UserError(f"unknown option {name}{suggest(name, self.option_strings() + self._synonyms)}")
        if extra:
            raise UserError(f"unexpected argument {extra[0]!r}: values follow their option, as in --name my_run")
        return namespace
