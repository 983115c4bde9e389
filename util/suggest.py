"""Checks a word against those that are known, and names the near ones when it is none of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from util.errors import UserError


def suggest(word: str, known: Iterable[str], shown: str = "{}") -> str:
    """Returns " (did you mean …?)" for the known words near `word`, or ""; `shown` is a format such as "{}.yaml"."""
    by_lower = {name.lower(): name for name in known}
    begins = [name for name in by_lower if name.startswith(word.lower())]
    near = begins[:3] or difflib.get_close_matches(word.lower(), list(by_lower), n=3, cutoff=0.6)
    return f" (did you mean {' or '.join(shown.format(by_lower[name]) for name in near)}?)" if near else ""


def check_choice(what: str, word: str, known: Iterable[str]) -> None:
    """Raises `UserError` unless `word` is one of `known`; the message begins with `what`, such as "--norm"."""
    names = list(known)
    if word not in names:
        raise UserError(f"{what} {word!r} is not one of: {', '.join(names)}{suggest(str(word), names)}")
