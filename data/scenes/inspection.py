"""Looks at every file of a discovered set before the work begins: what cannot be used is named at once, not in hours.

Files are read, but decoded only where a training is to skip bad samples.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from data.scenes.discovery import Discovery, Item, discover, discover_files, with_notes
from data.scenes.panels import panel_width
from data.scenes.roles import TARGET_WORDS
from options.data import ON_BAD_SAMPLE, SourcesOptions
from util.errors import UserError, one_line
from util.images.image_io import probe_image, read_image
from util.suggest import check_choice

_MEANING = {
    "roles": "role folders, one file per item in each (--layout roles)",
    "scenes": "scenes, one folder per item (--layout scenes)",
    "suffix": "suffixed files of one folder (--layout suffix)",
    "stacked": "stacked panels, one wide image per item (--layout stacked)",
    "files": "the images given by --sources",
}


@dataclass(frozen=True)
class Inspection:
    """A set of which every item can be used.

    Attributes:
        found: the set with its usable items only.
        sizes: (width, height) of one source of each item, turned upright.
        bits: 8 or 16 for each item, the most that one of its images has per channel.
        counts: the number of sources of each item.
        targets: how many items have a target.
        skipped: one line for each sample that is left out.
    """

    found: Discovery
    sizes: tuple[tuple[int, int], ...]
    bits: tuple[int, ...]
    counts: tuple[int, ...]
    targets: int
    skipped: tuple[str, ...]


def look_at(
    options: SourcesOptions, root: str | Path, phase: str, *, files: Sequence[str | Path] = (), **checks: Any
) -> Inspection:
    """Understands a folder, or the sources of one item, and checks what is there.

    Args:
        options: those of `--dataset_mode sources`.
        root: the folder given by --dataroot.
        phase: its sub-folder to use.
        files: the sources of one single item; `root` and `phase` are not looked at then.
        **checks: num_sources, training and fused_together, see `inspect`.

    Raises:
        UserError: see `data.scenes.discovery.discover` and `inspect`.
    """
    if files:
        paths = [Path(file) for file in files]
        found = discover_files(paths, paths[0].stem)
    else:
        roles = options.roles.split(",") if options.roles else ()
        found = discover(root, phase, layout=options.layout, roles=roles)
    return inspect(found, on_bad_sample=options.on_bad_sample, with_target=options.with_target, **checks)


def inspect(
    found: Discovery,
    *,
    on_bad_sample: str = "stop",
    num_sources: int = 2,
    with_target: bool = False,
    training: bool = False,
    fused_together: int | None = None,
) -> Inspection:
    """Checks every item: readable files, one size, equal panels, a target where it is wanted.

    Args:
        found: what `data.scenes.discovery` made of a folder.
        on_bad_sample: `stop` at samples that cannot be used, or `skip` them.
        num_sources: how many panels of stacked images are sources; otherwise an item has as many as it has files.
        with_target: an item without a target cannot be used; in stacked images it is one more panel, the last.
        training: every item must have exactly `num_sources` sources; where bad samples are skipped, all images are
            decoded, since damage that only this shows could not be skipped later.
        fused_together: every item must have exactly so many sources, since the network fuses no other number.

    Raises:
        UserError: a sample that cannot be used and is not to be skipped, or no usable one at all.
    """
    check_choice("--on_bad_sample", on_bad_sample, ON_BAD_SAMPLE)
    stacked = found.layout == "stacked"
    _check_set(found, num_sources, fused_together, with_target=with_target)
    items, sizes, bits, problems = [], [], [], list(found.problems)
    for item in found.items:
        try:
            if not stacked:
                _check_target(item, with_target=with_target)
                if training:
                    _check_number(item, num_sources, "training needs as many in every item as --num_sources says")
                if fused_together is not None:
                    _check_number(item, fused_together, "the network fuses no other number")
            width, height, depth = _probe(item, decode=training and on_bad_sample == "skip")
            if stacked:
                width = panel_width(item.files[0], width, num_sources, with_target=with_target)
        except UserError as error:
            problems.append(str(error))
            continue
        items.append(item)
        sizes.append((width, height))
        bits.append(depth)
    if problems and (on_bad_sample == "stop" or not items):
        raise UserError(with_notes(_refusal(found, problems, usable=len(items)), found.notes))
    return Inspection(
        found=replace(found, items=tuple(items), problems=()),
        sizes=tuple(sizes),
        bits=tuple(bits),
        counts=tuple(num_sources if stacked else len(item.files) for item in items),
        targets=len(items) * with_target if stacked else sum(item.target is not None for item in items),
        skipped=tuple(one_line(problem) for problem in problems),
    )


def _check_set(found: Discovery, num_sources: int, fused_together: int | None, *, with_target: bool) -> None:
    """Raises `UserError` for what is wrong with the set as a whole, whatever its items are."""
    stacked = found.layout == "stacked"
    if num_sources < 2 and stacked:
        raise UserError(f"--num_sources must be at least 2, not {num_sources}")
    if with_target and not stacked and found.items and not any(item.target for item in found.items):
        message = f"no item of {found.folder} has a target: {_where_targets_lie(found.layout)}"
        raise UserError(with_notes(message, found.notes))
    if stacked and fused_together not in (None, num_sources):
        raise UserError(f"--num_sources {num_sources}: this network fuses {fused_together}")
    if found.layout == "files" and fused_together is not None:
        named = len(found.items[0].files)
        if named != fused_together:
            raise UserError(
                f"--sources names {named} images, but the network fuses {fused_together} and no other number: "
                f"name {fused_together} images"
            )


def describe(inspection: Inspection) -> list[str]:
    """Returns what was understood, in lines for the terminal.

    The last one is `<items> items, <n> sources (<roles>)`, with the layout's name where there are no roles.
    """
    found, total = inspection.found, len(inspection.found.items)
    lines = [f"{found.folder}: {_MEANING[found.layout]}"]
    if found.roles:
        lines.append(f"roles: {', '.join(found.roles)}")
    lines.append(f"size: {_sizes(inspection.sizes)}")
    lines.append(f"depth: {' and '.join(str(bits) for bits in sorted(set(inspection.bits)))} bits per channel")
    if inspection.targets:
        lines.append(f"targets: {inspection.targets} of {total} items have one")
    lines += [f"note: {note}" for note in found.notes]
    lines += [f"skipped: {line}" for line in inspection.skipped]
    fewest, most = min(inspection.counts), max(inspection.counts)
    sources = str(fewest) if fewest == most else f"{fewest} to {most}"
    lines.append(f"{total} items, {sources} sources ({', '.join(found.roles) or found.layout})")
    return [one_line(line) for line in lines]


def check_equal(sizes: Collection[tuple[Path, tuple[int, int]]]) -> None:
    """Raises `UserError` unless the images of one item, file and (width, height) of each, have one size."""
    (first, size), *others = sizes
    for path, other in others:
        if other != size:
            raise UserError(
                f"{path} is {other[0]}x{other[1]}, but {first} is {size[0]}x{size[1]}: "
                "the images of one item must have one size"
            )


def _check_target(item: Item, *, with_target: bool) -> None:
    if with_target and item.target is None:
        raise UserError(f"item {item.name}: its target is missing beside {item.files[0]}")


def _check_number(item: Item, wanted: int, reason: str) -> None:
    if len(item.files) != wanted:
        raise UserError(
            f"item {item.name} ({item.files[0]}) has {len(item.files)} sources, not {wanted}: {reason}; --roles "
            "chooses among them"
        )


def _probe(item: Item, *, decode: bool) -> tuple[int, int, int]:
    """Returns width, height and depth of the images of an item; `decode` finds all damage."""
    paths = [*item.files, *([item.target] if item.target else [])]
    headers = [probe_image(path) for path in paths]
    check_equal([(path, (header.width, header.height)) for path, header in zip(paths, headers, strict=True)])
    if decode:
        for path in paths:
            read_image(path)
    return headers[0].width, headers[0].height, 16 if max(header.bits for header in headers) > 8 else 8


def _sizes(sizes: Collection[tuple[int, int]]) -> str:
    """All sizes in a few words: how many, and those with the fewest and the most pixels."""
    different = sorted(set(sizes), key=lambda size: (size[0] * size[1], size))
    words = [f"{width}x{height}" for width, height in different]
    return words[0] if len(words) == 1 else f"{len(words)} sizes from {words[0]} to {words[-1]}"


def _refusal(found: Discovery, problems: list[str], *, usable: int) -> str:
    more = f" ({len(problems) - 1} more cannot be used either)" if len(problems) > 1 else ""
    if not usable:
        return f"{found.folder} has no item that can be used: {problems[0]}{more}"
    return f"{problems[0]}{more}; --on_bad_sample skip continues without"


def _where_targets_lie(layout: str) -> str:
    places = {
        "roles": "put them into a folder {} beside the role folders",
        "scenes": "put one into each scene, named {}, or all into a folder of such a name, named after the scenes",
        "suffix": "put them beside the sources with the suffix {}, or into a folder of such a name, without suffix",
        "files": "--sources takes none",
    }
    return places[layout].format(f"{', '.join(TARGET_WORDS[:-1])} or {TARGET_WORDS[-1]}")
