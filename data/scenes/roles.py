"""What names of folders and files say about the role of an image: infrared, visible, near, far, target and so on."""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Collection, Sequence
from types import MappingProxyType

from util.errors import UserError

SEPARATORS = "-_ ."
TARGET_WORDS = ("target", "gt", "groundtruth", "ground_truth", "reference")

# Words of one meaning, which get one name; all others are named as they are written.
_ALIASES = MappingProxyType(
    {"ir": "ir", "infrared": "ir", "thermal": "ir", "inf": "ir", "vi": "vi", "vis": "vi", "visible": "vi"}
)
_WORDS = frozenset(
    {
        *_ALIASES,
        *"abcdef",  # any set, as Lytro
        *("near", "far", "fg", "bg"),  # multi-focus
        *("over", "under", "oe", "ue"),  # multi-exposure
        *("ct", "mr", "mri", "pet", "spect", "mr_t1", "mr_t2", "mr_pd", "mr_gad", "spect_tc"),  # medical
    }
)
_SHORT_SUFFIXES = frozenset(string.ascii_lowercase + "123456789")


def fold(name: str) -> str:
    """Returns what two names have in common that differ only in case or in Unicode normalisation (NFC, NFD)."""
    return unicodedata.normalize("NFC", name.lower())


def role_name(word: str) -> str:
    """Returns the name of a role: `ir` or `vi` for words of that meaning, any other word as it is written."""
    return _ALIASES.get(fold(word), unicodedata.normalize("NFC", word))


def role_key(word: str) -> str:
    """Returns what is equal for words of one role."""
    return fold(role_name(word))


def is_target(word: str) -> bool:
    """Whether a folder or file of this name holds the known fused image."""
    return fold(word) in TARGET_WORDS


def is_role(word: str, more: Collection[str] = ()) -> bool:
    """Whether a word is a known role of a source, or one of the keys in `more`."""
    return fold(word) in _WORDS or role_key(word) in more


def split_suffix(stem: str, more: Collection[str] = ()) -> tuple[str, str] | None:
    """Splits the stem of a file at the separator before its role suffix; `more` are further keys of known roles.

    Returns:
        The base, which is not empty, and the suffix: a known role, a target word, one letter A–Z or one digit 1–9.
        None where the stem ends in none of them.
    """
    for place in range(len(stem) - 1, 0, -1):
        if stem[place] in SEPARATORS:
            suffix = stem[place + 1 :]
            if is_role(suffix, more) or is_target(suffix) or suffix.lower() in _SHORT_SUFFIXES:
                return stem[:place], suffix
    return None


def parse_roles(words: Sequence[str]) -> tuple[str, ...]:
    """Returns the keys of roles that the user asked for, in that order.

    Raises:
        UserError: a single role, one that is named twice, or a target.
    """
    keys = tuple(role_key(word.strip()) for word in words)
    if len(keys) == 1:
        raise UserError(f"--roles {words[0]}: expected at least two roles, as in --roles ir,vi")
    for place, key in enumerate(keys):
        if not key or key in keys[:place]:
            raise UserError(
                f"--roles {','.join(words)}: {'names a role twice' if key else 'one of the names is empty'}"
            )
        if is_target(key):
            raise UserError(f"--roles {','.join(words)}: {words[place]} is the target, which is never a source")
    return keys
