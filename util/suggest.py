"""Names the known words that are near a mistyped one. Imports nothing of the project, so that all may use it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggest(word: str, known: Iterable[str], shown: str = "{}") -> str:
    """Returns " (did you mean …?)" for the known words near `word`, or an empty string.

    Args:
        word: what was typed.
        known: what could have been meant.
        shown: how a known word is written, such as "folder/{}.yaml".
    """
    by_lower = {name.lower(): name for name in known}
    begins = [name for name in by_lower if name.startswith(word.lower())]
    near = begins[:3] or difflib.get_close_matches(word.lower(), list(by_lower), n=3, cutoff=0.6)
    return f" (did you mean {' or '.join(shown.format(by_lower[name]) for name in near)}?)" if near else ""
