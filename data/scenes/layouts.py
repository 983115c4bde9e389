"""What lies in a folder of images, and which images are one sample if it is read in one way or another.

Reading never fails here and nothing is opened: names alone decide. `data.scenes.discovery` chooses among the readings.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from data.scenes.roles import fold, is_role, is_target, role_key, role_name, split_suffix
from util.errors import UserError
from util.files import natural_key
from util.images.image_io import list_images


@dataclass(frozen=True)
class Listing:
    """The images of a folder and of its sub-folders, which are not searched any deeper.

    Attributes:
        folder: the folder.
        images: those directly in it.
        folders: name → images of each sub-folder that holds some.
        targets: the images of the sub-folder of targets, where there is one.
        without: names of sub-folders without images directly in them.
        notes: what was left out, one line each.
    """

    folder: Path
    images: list[Path]
    folders: dict[str, list[Path]]
    targets: list[Path]
    without: list[str]
    notes: list[str]


@dataclass
class Group:
    """The images that a reading takes for one sample: (key of role → files; more than one file is a mistake)."""

    name: str
    sources: dict[str, list[Path]] = field(default_factory=dict)
    targets: list[Path] = field(default_factory=list)

    def add(self, role: str, path: Path) -> None:
        """Adds a source."""
        self.sources.setdefault(role, []).append(path)


@dataclass
class Reading:
    """The groups of one reading, the roles with their printed names, and the images that belong to no group."""

    groups: dict[str, Group] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    strays: list[Path] = field(default_factory=list)

    def group(self, name: str) -> Group:
        """Returns the group of a name, a new one where there is none."""
        return self.groups.setdefault(fold(name), Group(name))


def scan(folder: Path) -> Listing:
    """Lists a folder and its sub-folders.

    Raises:
        UserError: a folder that cannot be read, or two folders of targets.
    """
    inside = folder.resolve()
    found = Listing(folder, list_images(folder), {}, [], [], [])
    target = ""
    for entry in sorted(folder.iterdir(), key=lambda entry: natural_key(entry.name)):
        if entry.name.startswith(".") or not entry.is_dir():
            continue
        if entry.is_symlink() and inside not in entry.resolve().parents:
            found.notes.append(f"{entry} is a link that leads out of {folder}: it was not followed")
            continue
        images = list_images(entry)
        if not images:
            found.without.append(entry.name)
        elif not is_target(entry.name):
            found.folders[entry.name] = images
        elif target:
            raise UserError(f"{folder} holds two folders of targets, {target} and {entry.name}: leave one of them")
        else:
            target = entry.name
            found.targets.extend(images)
    if found.without:
        found.notes.append(f"{folder}: no images directly in {some(found.without)}: not used")
    return found


def read_roles(folders: dict[str, list[Path]]) -> Reading:
    """Reads sub-folders as roles: one image of a stem each. A suffix that repeats the folder's role is no difference.

    Raises:
        UserError: two folders of one role.
    """
    reading = Reading()
    plain = {name: [path.stem for path in files] for name, files in folders.items()}
    cut = {name: [_stem_in_role(path, name) for path in files] for name, files in folders.items()}
    stems = cut if len(_in_all(cut.values())) > len(_in_all(plain.values())) else plain
    for name, files in folders.items():
        key = role_key(name)
        if key in reading.names:
            twin = next(other for other in folders if role_key(other) == key)
            raise UserError(f"{files[0].parent} and the folder {twin} are one role: keep one of them, or rename it")
        reading.names[key] = role_name(name)
        for stem, path in zip(stems[name], files, strict=True):
            reading.group(stem).add(key, path)
    return reading


def read_scenes(folders: dict[str, list[Path]], more: Collection[str] = ()) -> Reading:
    """Reads each sub-folder as one scene.

    Its sources have roles where all their stems, or suffixes, are known ones; a role in `more` is found among others.
    """
    reading = Reading()
    for name, files in folders.items():
        group = Group(name)
        sources: list[Path] = []
        for path in files:
            split = split_suffix(path.stem)
            target = is_target(path.stem) or (split is not None and is_target(split[1]))
            (group.targets if target else sources).append(path)
        stems = [path.stem for path in sources]
        words = roles_of(stems, more) or [_wanted_role(stem, more) for stem in stems]
        for word, path in zip(words, sources, strict=True):
            group.add(role_key(word) if word else fold(path.stem), path)
            if word:
                reading.names.setdefault(role_key(word), role_name(word))
        # Two scenes may differ in case only; that is said later, and they must not become one here.
        reading.groups[name] = group
    return reading


def read_suffixes(images: Iterable[Path], more: Collection[str] = ()) -> Reading:
    """Reads the images of a folder as groups that differ in their suffix."""
    reading = Reading()
    for path in images:
        split = split_suffix(path.stem, more)
        if split is None:
            reading.strays.append(path)
        elif is_target(split[1]):
            reading.group(split[0]).targets.append(path)
        else:
            key = role_key(split[1])
            reading.names.setdefault(key, role_name(split[1]))
            reading.group(split[0]).add(key, path)
    for key in [key for key, group in reading.groups.items() if not group.sources]:
        reading.strays.extend(reading.groups.pop(key).targets)
    return reading


def add_targets(reading: Reading, targets: Iterable[Path]) -> list[Path]:
    """Gives the images of a folder of targets to the groups of their names; returns those of no group."""
    groups = {fold(group.name): group for group in reading.groups.values()}
    left = []
    for path in targets:
        split = split_suffix(path.stem)
        group = groups.get(fold(path.stem))
        if group is None and split is not None and is_target(split[1]):
            group = groups.get(fold(split[0]))
        if group is None:
            left.append(path)
        else:
            group.targets.append(path)
    return left


def roles_of(stems: list[str], more: Collection[str] = ()) -> list[str]:
    """Returns the known role that each stem of one scene is, or that its suffix is behind one base; else nothing."""
    splits = [("", stem) if is_role(stem, more) else split_suffix(stem, more) for stem in stems]
    words = [split[1] for split in splits if split is not None and is_role(split[1], more)]
    bases = {fold(split[0]) for split in splits if split is not None and split[0]}
    return words if len(words) == len(stems) and len(bases) <= 1 else []


def in_role_order(reading: Reading, keys: Iterable[str]) -> list[str]:
    """Sorts keys of roles: ir before vi, all others in the natural order of their names as well."""
    return sorted(keys, key=lambda key: natural_key(reading.names.get(key) or key))


def some(names: Iterable[object]) -> str:
    """Returns the first few names, and how many more there are."""
    words = [str(name) for name in names]
    return ", ".join(words[:5]) + (f" and {len(words) - 5} more" if len(words) > 5 else "")


def _wanted_role(stem: str, wanted: Collection[str]) -> str:
    """The stem or its suffix where that is one of the wanted roles, else nothing."""
    split = split_suffix(stem, wanted)
    return next((word for word in (stem, split[1] if split else "") if role_key(word) in wanted), "")


def _stem_in_role(path: Path, folder: str) -> str:
    """The stem without a suffix that repeats the role of its folder."""
    split = split_suffix(path.stem, {role_key(folder)})
    return split[0] if split is not None and role_key(split[1]) == role_key(folder) else path.stem


def _in_all(stems: Collection[list[str]]) -> set[str]:
    """The stems that every folder holds."""
    sets = [{fold(stem) for stem in folder} for folder in stems]
    return set.intersection(*sets) if sets else set()
