"""Which reading of a folder is the only one that its names allow; where there are two, the user is asked."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

from data.scenes.layouts import Group, Listing, Reading, in_role_order, read_roles, read_scenes, read_suffixes, some
from data.scenes.roles import SEPARATORS, fold, is_role, is_target, role_key
from util.errors import UserError

PHASES = ("train", "val", "test")
MOST_IN_A_SCENE = 64  # a folder of more images is rather a collection than a scene
LAST_ORDINAL = 20  # files 1, 2, 3 … up to this number may be the sources of a scene as well as items

_WORD = re.compile(r"[^\W\d_]+")
_NUMBERED = re.compile(rf"(?s)(.+)[{re.escape(SEPARATORS)}]([0-9]+)")


def choose_layout(listing: Listing, wanted: Sequence[str]) -> str:
    """Returns the one layout that fits a folder, and the keys of the roles that the user named.

    Raises:
        UserError: no layout fits, or more than one; the line names them.
    """
    folder, folders = listing.folder, listing.folders
    phases = [name for name in (folders or listing.without) if name.lower() in PHASES]
    if phases and not listing.images:
        raise UserError(
            f"{folder} holds the folders {some(phases)}: say with --phase which of them to use, "
            f"as in --phase {phases[0]}"
        )
    if listing.images and folders:
        raise UserError(
            f"{folder} can be read in two ways, as it holds images and folders of images ({some(folders)}): "
            "say --layout stacked or suffix to use the images, roles or scenes to use the folders"
        )
    if listing.images:
        return _choose_for_images(listing, wanted)
    if folders:
        return _choose_for_folders(listing, wanted)
    raise UserError(
        f"no images in {folder}: expected role folders (ir, vi), scenes "
        "(a folder each), suffixed files (x_A.png, x_B.png) or stacked panels"
    )


def common_roles(reading: Reading) -> list[str]:
    """Returns the keys of the roles that more than half of the groups and strays have, sorted."""
    count = Counter(key for group in reading.groups.values() for key in group.sources)
    half = (len(reading.groups) + len(reading.strays)) / 2
    return in_role_order(reading, [key for key, times in count.items() if times > half])


def _choose_for_images(listing: Listing, wanted: Sequence[str]) -> str:
    reading = read_suffixes(listing.images, wanted)
    if wanted and all(key in reading.names for key in wanted):
        return "suffix"
    _refuse_inner_roles(listing, reading)
    _drop_numbered(listing, reading)
    pairs = [group for group in reading.groups.values() if len(group.sources) > 1]
    if not pairs:
        words = {key for group in reading.groups.values() for key in group.sources if len(key) > 1}
        if words and not reading.strays:
            raise UserError(f"{listing.folder}: all images have the role {some(words)}: their partners are missing")
        return "stacked"
    roles = common_roles(reading)
    complete = [group for group in pairs if group.sources.keys() >= set(roles)]
    most = 2 * len(complete) > len(reading.groups) + len(reading.strays)
    if len(roles) > 1 and most and not (len(reading.groups) == 1 and _has_digits(pairs[0])):
        return "suffix"
    example = pairs[0]
    suffixes = some(reading.names[key] for key in in_role_order(reading, example.sources))
    raise UserError(
        f"{listing.folder} can be read in two ways: --layout suffix ({example.name!r} with the sources {suffixes}) or "
        "--layout stacked (each image an item of several panels): say which"
    )


def _refuse_inner_roles(listing: Listing, reading: Reading) -> None:
    """Stops where names differ in a role that is no suffix: IR1 and VIS1, ir_10 and vi_10, Camp_IR_1 and Camp_VIS_1."""
    seen: dict[str, tuple[str, str]] = {}
    for name in [*(group.name for group in reading.groups.values()), *(path.stem for path in reading.strays)]:
        for found in _WORD.finditer(name):
            if len(found[0]) < 2 or not is_role(found[0]):
                continue
            rest, role = fold(f"{name[: found.start()]}\0{name[found.end() :]}"), role_key(found[0])
            other, before = seen.setdefault(rest, (name, role))
            if before != role:
                raise UserError(
                    f"{listing.folder}: {other!r} and {name!r} have the roles {before} and {role}, but not at the end "
                    f"of the names: put the images into folders {before} and {role}, rename them (x_{before}, "
                    f"x_{role}), or say --layout suffix or stacked"
                )


def _drop_numbered(listing: Listing, reading: Reading) -> None:
    """Makes strays of files that are simply numbered: x_1 … x_9 are no roles of x where there is an x_0 or x_10."""
    matches = [_NUMBERED.fullmatch(path.stem) for path in listing.images]
    numbered = {fold(found[1]) for found in matches if found and (len(found[2]) > 1 or found[2] == "0")}
    for key in numbered & reading.groups.keys():
        if _has_digits(reading.groups[key]):
            group = reading.groups.pop(key)
            reading.strays.extend(path for files in [*group.sources.values(), group.targets] for path in files)


def _has_digits(group: Group) -> bool:
    return all(key.isdigit() for key in group.sources)


def _choose_for_folders(listing: Listing, wanted: Sequence[str]) -> str:
    folder, folders = listing.folder, listing.folders
    scenes = read_scenes(folders, wanted)
    if wanted:
        if all(key in map(role_key, folders) for key in wanted):
            return "roles"
        if all(key in scenes.names for key in wanted):
            return "scenes"
    known = [name for name in folders if is_role(name)]
    others = [name for name in folders if not is_role(name)]
    if len(folders) == 1:
        if known:
            raise UserError(
                f"{folder} holds the folder {known[0]} of one role only: expected a second one, as ir and vi"
            )
        return _as_scenes(listing, scenes)
    if not others:
        return "roles"
    if len(known) > 1:
        raise UserError(
            f"{folder} holds the roles {some(known)} and {some(others)}, which may be roles or something else: "
            f"say which to use, as in --roles {','.join(known)}"
        )
    return _choose_for_unknown(listing, scenes)


def _choose_for_unknown(listing: Listing, scenes: Reading) -> str:
    """Decides between roles and scenes where the folders' names do not say it: by the stems they share."""
    _refuse_twins(listing)
    _refuse_results(listing)
    groups = list(scenes.groups.values())
    several = all(len(group.sources) > 1 for group in groups)
    if several and all(group.sources.keys() <= scenes.names.keys() for group in groups):
        return "scenes"
    sources = {name: [path for path in files if not is_target(path.stem)] for name, files in listing.folders.items()}
    stems = {path.stem for files in sources.values() for path in files}
    shared = [len(group.sources) for group in read_roles(sources if stems else listing.folders).groups.values()]
    if max(shared) == 1:
        return _as_scenes(listing, scenes)
    like_scenes = all(map(_is_ordinal, stems)) or len(listing.folders) >= len(stems) or _says_roles(listing)
    if not (several and like_scenes) and 2 * shared.count(len(listing.folders)) >= len(shared):
        return "roles"
    raise UserError(
        f"{listing.folder} can be read in two ways: --layout roles (the folders {some(listing.folders)} hold one "
        "source of each item) or --layout scenes (each folder holds the sources of one item): say which"
    )


def _refuse_twins(listing: Listing) -> None:
    """Stops where two folders are one as a role and as an item alike."""
    seen: dict[str, str] = {}
    for name in listing.folders:
        twin = seen.setdefault(fold(name), name)
        if twin is not name:
            raise UserError(
                f"{listing.folder} holds the folders {twin} and {name}, which would be two items or roles of one name: "
                "rename one"
            )


def _refuse_results(listing: Listing) -> None:
    """Stops at a folder whose images are named after the other folders: it holds results or targets, no scene."""
    names = {fold(name) for name in listing.folders}
    for name, files in listing.folders.items():
        if {fold(path.stem) for path in files} <= names - {fold(name)}:
            raise UserError(
                f"{listing.folder / name} holds images named after the folders beside it, so it is no scene: move it "
                "away, name it target if it holds the targets, or say --layout"
            )


def _says_roles(listing: Listing) -> bool:
    """Whether files are named like roles or targets: ir.png, vi.png and mask.png in each folder are rather a scene."""
    stems = [path.stem for files in listing.folders.values() for path in files]
    return any(is_target(stem) or (len(stem) > 1 and is_role(stem)) for stem in stems)


def _as_scenes(listing: Listing, scenes: Reading) -> str:
    """Returns "scenes" where that makes sense."""
    for name, files in listing.folders.items():
        if len(files) > MOST_IN_A_SCENE:
            raise UserError(
                f"{listing.folder / name} holds {len(files)} images: say --layout scenes if they are the sources of "
                "one scene, else give the folder that holds role folders or stacked panels to --dataroot"
            )
    if all(len(group.sources) < 2 for group in scenes.groups.values()):
        raise UserError(
            f"{listing.folder}: the folders {some(listing.folders)} hold one image each, of different names: "
            "expected the same names in role folders, or several images in each scene"
        )
    return "scenes"


def _is_ordinal(stem: str) -> bool:
    letter = len(stem) == 1 and stem in string.ascii_letters
    return letter or (len(stem) <= 3 and stem.isascii() and stem.isdigit() and int(stem) <= LAST_ORDINAL)
