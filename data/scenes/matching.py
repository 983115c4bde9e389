"""Which images of a folder belong to which items, where names carry a method's name before or behind the item's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from data.scenes.roles import fold
from util.errors import UserError
from util.images.image_io import IMAGE_EXTENSIONS, list_images

Affixes = tuple[str, str]  # what stands before and behind an item's name in all stems of a folder


def match_images(names: Sequence[str], where: Path, option: str) -> dict[str, Path]:
    """Finds the image of each item.

    The stem is the item's name (`lytro-01.png`), or has the same text before or behind it in all files
    (`IFCNN-MAX-lytro-01.png`, `lytro-01_DenseFuse.png`). Where a folder holds images of several methods, a pattern
    whose `*` stands for the item's name chooses one: `results/*_DenseFuse`.

    Args:
        names: of the items.
        where: a folder, one of a test's results (with its images in `fused`), or a folder and a pattern.
        option: that named it, for messages.

    Returns:
        Item's name → image, without those that have none.

    Raises:
        UserError: no such folder, nothing in it that fits, or more than one way to read it.
    """
    folder, affixes = _folder_and_pattern(where, option)
    images: dict[str, list[Path]] = {}
    for path in list_images(folder):
        images.setdefault(fold(path.stem), []).append(path)
    if affixes is None:
        stems = [paths[0].stem for paths in images.values()]
        affixes = _choose(_count(names, stems), folder, option)
    found = {name: images.get(fold(affixes[0] + name + affixes[1]), []) for name in names}
    for paths in found.values():
        if len(paths) > 1:
            raise UserError(f"{option}: {paths[0]} and {paths[1].name} are of one item: leave one of them")
    if not any(found.values()):
        example = f"{affixes[0]}{names[0]}{affixes[1]}.png"
        raise UserError(f"{option} {where}: no image there has the name of an item, as {example} would")
    return {name: paths[0] for name, paths in found.items() if paths}


def _folder_and_pattern(where: Path, option: str) -> tuple[Path, Affixes | None]:
    """The folder to look in, and what a pattern says."""
    if "*" in where.name:
        name = where.name
        extension = next((ending for ending in IMAGE_EXTENSIONS if name.lower().endswith(ending)), "")
        before, _, behind = name[: len(name) - len(extension)].partition("*")
        if "*" in behind:
            raise UserError(f"{option} {where}: one * stands for the item's name, not more")
        if not where.parent.is_dir():
            raise UserError(f"{option}: no such folder: {where.parent}")
        return where.parent, (before, behind)
    if where.is_file():
        raise UserError(f"{option} {where} is a file: expected a folder, or a pattern in quotes")
    if not where.is_dir():
        raise UserError(f"{option}: no such folder: {where}")
    fused = where / "fused"
    return (fused if fused.is_dir() and not list_images(where) else where), None


def _count(names: Sequence[str], stems: Sequence[str]) -> dict[Affixes, int]:
    """How many items have an image, for all affixes that at least one has, written as in its name."""
    counts: Counter[Affixes] = Counter()
    written: dict[Affixes, Affixes] = {}
    for name in map(fold, names):
        for stem in stems:
            word = fold(stem)
            shown = stem if len(stem) == len(word) else word  # folding may change the length
            start = word.find(name)
            while start >= 0:
                end = start + len(name)
                before, behind = word[:start], word[end:]
                if _apart(before[-1:], name[:1]) and _apart(name[-1:], behind[:1]) and not behind[:1].isdecimal():
                    counts[before, behind] += 1
                    written.setdefault((before, behind), (shown[:start], shown[end:]))
                start = word.find(name, start + 1)
    return {written[affixes]: count for affixes, count in counts.items()}


def _apart(left: str, right: str) -> bool:
    """Whether two neighbouring characters do not belong to one word or number."""
    return not (left.isalpha() and right.isalpha()) and not (left.isdecimal() and right.isdecimal())


def _choose(counts: Mapping[Affixes, int], folder: Path, option: str) -> Affixes:
    """The affixes that most items have; none at all where as many have none.

    Raises:
        UserError: other affixes have nearly as many.
    """
    if not counts:
        return "", ""
    best = max(counts, key=lambda affixes: (counts[affixes], affixes == ("", "")))
    near = sorted(affixes for affixes, count in counts.items() if 2 * count > counts[best])
    if best != ("", "") and len(near) > 1:
        patterns = " or ".join(f"'{folder}/{before}*{behind}'" for before, behind in near[:3])
        more = f" ({len(near) - 3} more)" if len(near) > 3 else ""
        raise UserError(f"{option} {folder} holds images of several methods: say which, as {patterns}{more}")
    return best
