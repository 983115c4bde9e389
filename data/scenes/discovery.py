"""Which images of a folder belong together: role folders, scenes, suffixed files or stacked panels.

Names decide, nothing is opened. Where two readings are possible the user is asked, never guessed for: a wrong pairing
would go unnoticed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from data.scenes.layout_choice import choose_layout, common_roles
from data.scenes.layouts import (
    Group,
    Listing,
    Reading,
    add_targets,
    in_role_order,
    read_roles,
    read_scenes,
    read_suffixes,
    roles_of,
    scan,
    some,
)
from data.scenes.panels import STACKED, panel_stem
from data.scenes.roles import fold, is_role, parse_roles, role_key, role_name
from options.data import LAYOUTS
from util.errors import UserError
from util.files import find_folder, natural_key
from util.images.image_io import list_images
from util.suggest import check_choice


@dataclass(frozen=True)
class Item:
    """The files of one sample.

    Attributes:
        name: what results are named after; no path separator in it, never `.` or `..`.
        files: the sources, in the order of the roles; one file where the layout is stacked panels.
        target: the known fused image, where there is one.
    """

    name: str
    files: tuple[Path, ...]
    target: Path | None = None


@dataclass(frozen=True)
class Discovery:
    """What a folder was understood to hold.

    Attributes:
        folder: where the items lie.
        layout: `roles`, `scenes`, `suffix` or `stacked`, or `files` where they were named one by one.
        roles: the sources' roles; empty for stacked panels and where the files of scenes have no common ones.
        items: the samples in natural order.
        problems: one line for each sample that cannot be used, because a partner is missing, say.
        notes: one line for each thing that was left out.
    """

    folder: Path
    layout: str
    roles: tuple[str, ...]
    items: tuple[Item, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...] = ()


def discover(root: str | Path, phase: str, *, layout: str = "auto", roles: Sequence[str] = ()) -> Discovery:
    """Finds the samples in root/phase or, where that does not exist, in root.

    Args:
        root: the folder given by --dataroot.
        phase: its sub-folder to use.
        layout: one of `options.data.LAYOUTS`.
        roles: which roles to use, in this order; empty for all of them, ir before vi.

    Raises:
        UserError: no such folder, nothing in it, two ways to read it, a layout or role that does not fit, or two
            samples of one name.
    """
    check_choice("--layout", layout, LAYOUTS)
    wanted = parse_roles(roles)
    folder = find_folder(root, phase)
    try:
        listing = scan(folder)
    except OSError as error:
        raise UserError(f"cannot read folder {folder}: {error.strerror or error}") from error
    try:
        if layout == "auto":
            layout = choose_layout(listing, wanted)
            if layout == "stacked" and not all(path.stem.endswith(STACKED) for path in listing.images):
                listing.notes.append("no suffix says a role, so each image is taken for panels side by side")
        return _without_twins(_READERS[layout](listing, wanted))
    except UserError as error:
        raise UserError(with_notes(str(error), listing.notes)) from error


def with_notes(message: str, notes: Sequence[str]) -> str:
    """Returns the message of an error with what was left out, which may be the reason."""
    return f"{message} (note: {'; '.join(notes)})" if notes else message


def discover_folders(folders: Sequence[Path]) -> Discovery:
    """Makes the samples of two or more role folders that were named one by one, in the order of the sources.

    Raises:
        UserError: a folder that is not there, two that are the same, nothing in them, or two samples of one name.
    """
    words = _telling_names(folders)
    listing = Listing(folders[0].parent, [], dict(zip(words, map(list_images, folders), strict=True)), [], [], [])
    return _without_twins(_from_roles(listing, [role_key(word) for word in words]))


def _telling_names(folders: Sequence[Path]) -> list[str]:
    """What the folders are called where their paths differ: ir and vi of ir/test and vi/test."""
    paths = [folder.resolve() for folder in folders]
    for place, path in enumerate(paths):
        if path in paths[:place]:
            raise UserError(f"--sources names {folders[place]} twice")
    for depth in range(1, min(len(path.parts) for path in paths)):
        words = [path.parts[-depth] for path in paths]
        if len({role_key(word) for word in words}) == len(words):
            return words
    return [f"{place}-{path.name}" for place, path in enumerate(paths, start=1)]


def discover_files(files: Sequence[Path], name: str) -> Discovery:
    """Makes one sample of files that were named one by one, in their order.

    The result gets the name; dots alone name nothing and become "fused".

    Raises:
        UserError: fewer than two files.
    """
    if len(files) < 2:
        raise UserError("--sources: expected at least two images, as in --sources a.png b.png")
    by_name, by_folder = roles_of([path.stem for path in files]), [path.parent.name for path in files]
    words = by_name or [word for word in by_folder if is_role(word)]
    roles = tuple(role_name(word) for word in words)
    if len(roles) != len(files) or len({role_key(word) for word in words}) < len(words):
        roles = ()
    return Discovery(files[0].parent, "files", roles, (Item(name if name.strip(".") else "fused", tuple(files)),), ())


def _from_roles(listing: Listing, wanted: Sequence[str]) -> Discovery:
    """One image per role folder and item."""
    folders = listing.folders
    if wanted:
        _check_roles(wanted, [role_key(name) for name in folders], f"the folders of {listing.folder} are", folders)
        folders = {name: files for name, files in folders.items() if role_key(name) in wanted}
    if len(folders) < 2:
        raise UserError(
            f"--layout roles: expected two or more folders of images in {listing.folder}, one for each role; "
            f"there {f'is only {some(folders)}' if folders else 'are none'}"
        )
    reading = read_roles(folders)
    return _assemble(listing, "roles", reading, list(wanted) or in_role_order(reading, reading.names))


def _from_scenes(listing: Listing, wanted: Sequence[str]) -> Discovery:
    """One folder per item."""
    if not listing.folders:
        raise UserError(f"--layout scenes: no folder in {listing.folder} has images directly in it")
    reading = read_scenes(listing.folders, wanted)
    if wanted:
        _check_roles(wanted, reading.names, f"the scenes of {listing.folder} have", reading.names.values())
        return _assemble(listing, "scenes", reading, wanted)
    found = {frozenset(group.sources) for group in reading.groups.values()}
    common = next(iter(found)) if len(found) == 1 else frozenset()
    return _assemble(listing, "scenes", reading, in_role_order(reading, common & reading.names.keys()))


def _from_suffixes(listing: Listing, wanted: Sequence[str]) -> Discovery:
    """One group of files that differ in their suffix per item."""
    reading = read_suffixes(listing.images, wanted)
    if wanted:
        _check_roles(wanted, reading.names, f"the files of {listing.folder} have", reading.names.values())
    roles = list(wanted) or common_roles(reading)
    if len(roles) < 2:
        roles = in_role_order(reading, reading.names)
    if len(roles) < 2:
        raise UserError(
            f"--layout suffix: expected files in {listing.folder} that differ in a last - _ . or space and a role or "
            "one letter or digit, as x_ir.png and x_vi.png"
        )
    return _assemble(listing, "suffix", reading, roles, alone=not wanted)


def _from_panels(listing: Listing, wanted: Sequence[str]) -> Discovery:
    """One wide image per item."""
    if wanted:
        raise UserError(f"--roles does not fit {listing.folder}: stacked panels are taken in the order they have")
    if not listing.images:
        raise UserError(f"--layout stacked: no images directly in {listing.folder}")
    items = tuple(Item(_item_name(panel_stem(path)), (path,)) for path in listing.images)
    return Discovery(listing.folder, "stacked", (), items, (), tuple(listing.notes))


def _check_roles(wanted: Sequence[str], there: Collection[str], where: str, names: Iterable[str]) -> None:
    for key in wanted:
        if key not in there:
            raise UserError(f"--roles: there is no role {key}; {where}: {some(names) or 'without roles'}")


def _assemble(
    listing: Listing, layout: str, reading: Reading, roles: Sequence[str], *, alone: bool = False
) -> Discovery:
    """Makes items of the groups that have what they need, and problems of the others.

    Every item needs the roles of these keys, and with `alone` no others; without any an item has what it has.
    """
    notes = list(listing.notes)
    left = add_targets(reading, listing.targets)
    if left:
        notes.append(f"{left[0].parent}: no sources go with {some(path.name for path in left)}: not used")
    items, problems = [], [f"{path}: has no suffix that says its role" for path in reading.strays]
    names = [reading.names.get(key, key) for key in roles]
    for group in sorted(reading.groups.values(), key=lambda group: natural_key(group.name)):
        keys = roles or in_role_order(reading, group.sources)
        extra = [reading.names[key] for key in group.sources if key not in keys] if alone else []
        problem = _problem(group, keys, reading)
        if problem:
            problems.append(f"item {group.name}: {problem}")
        elif extra:
            problems.append(f"item {group.name}: has {some(extra)} besides {some(names)}, unlike most others")
        else:
            files = tuple(group.sources[key][0] for key in keys)
            items.append(Item(_item_name(group.name), files, group.targets[0] if group.targets else None))
    return Discovery(listing.folder, layout, tuple(names), tuple(items), tuple(problems), tuple(notes))


def _problem(group: Group, keys: Sequence[str], reading: Reading) -> str:
    """Says what keeps a group from being an item, or nothing."""
    there = [files[0] for files in group.sources.values()]
    for what, files in [
        *((f"role {reading.names.get(key, key)}", group.sources.get(key, [])) for key in keys),
        ("the target", group.targets),
    ]:
        if len(files) > 1:
            return f"{files[0]} and {files[1].name} are both {what}: leave one of them"
    missing = [reading.names.get(key, key) for key in keys if key not in group.sources]
    if missing:
        return f"the {some(missing)} image is missing" + (f" beside {there[0]}" if there else "")
    if len(keys) < 2:
        return f"there is only {there[0]}: expected two sources or more" if there else "it has no sources"
    return ""


def _item_name(stem: str) -> str:
    return unicodedata.normalize("NFC", stem)


def _without_twins(found: Discovery) -> Discovery:
    """Raises `UserError` where two items would write results of one name, upper and lower case being the same."""
    seen: dict[str, Item] = {}
    for item in found.items:
        twin = seen.setdefault(fold(item.name), item)
        if twin is not item:
            raise UserError(f"{twin.files[0]} and {item.files[0]}: two items of one name, {item.name}: rename one")
    return found


_READERS: Mapping[str, Callable[[Listing, Sequence[str]], Discovery]] = MappingProxyType(
    {"roles": _from_roles, "scenes": _from_scenes, "suffix": _from_suffixes, "stacked": _from_panels}
)
