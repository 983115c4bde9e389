"""Checks a word against the ones that are known, and names the near ones when it is none of them."""

from __future__ import annotations

from collections.abc import Iterable

from util.errors import UserError
from util.suggest import suggest


def check_choice(what: str, word: str, known: Iterable[str]) -> None:
    """Raises `UserError` unless `word` is one of `known`.

    Args:
        what: what is being chosen, as it should stand in the message ("generator", "norm", …).
        word: what was asked for.
        known: the words that exist, in the order in which a reader wants them.
    """
    names = list(known)
    if word in names:
        return
    raise UserError(f"{what} {word!r} is not one of: {', '.join(names)}{suggest(str(word), names)}")
