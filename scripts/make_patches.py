"""Makes SMFNet's training set: an HDF5 file of infrared and visible patches, out of two folders of images."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data.pair_files import fingerprint
from data.patches.cutter import PatchCutter, Patches
from data.patches.reader import EXTENSIONS, LAYOUTS, read_attributes
from data.patches.writer import COMPRESSIONS, alone, write_patches
from data.scenes.discovery import Item, discover_folders
from data.scenes.inspection import inspect
from options.data import ON_BAD_SAMPLE
from options.strict import StrictParser, choice
from util.errors import Interrupted, UserError, report_skipped, run_command
from util.files import check_writable, with_extension
from util.journal import refuse_other_settings

_DESCRIPTION = """Cuts pairs of patches out of infrared and visible images of the same names and sizes, for
train.py --dataset_mode patches. The file appears whole or not at all: an interrupted run starts anew."""
_VERSION = 1  # of the values: to be raised when the same settings would give others

Record = dict[str, int | float | str]


def main(argv: Sequence[str]) -> int:
    """Runs the command; see --help."""
    options = _build_parser().parse_strict(argv)
    cutter = PatchCutter(options.size, options.stride, options.min_contrast)
    out = _check_out(with_extension(options.out, ".h5"))
    items, roles, skipped = _look(options.sources, cutter, on_bad_sample=options.on_bad_sample)
    form = {"layout": options.layout, "compression": options.compression}
    images = f"{len(items)} pairs (names {fingerprint([item.name for item in items])})"
    record: Record = {**asdict(cutter), **form, "sources": ", ".join(roles), "images": images, "version": _VERSION}
    with alone(out):
        if _is_finished(out, record):
            print(f"{out} is finished: nothing to do")
        else:
            cuts = _Cuts(items, cutter, stop=options.on_bad_sample == "stop")
            try:
                count = write_patches(out, cuts, attributes=record, **form)
            except KeyboardInterrupt as error:
                raise Interrupted("interrupted; nothing is left, the same command starts from the beginning") from error
            print(f"{count} pairs of patches, {cuts.dropped} dropped for too little contrast, in {out}")
            skipped += cuts.problems
    return report_skipped(skipped)


def _build_parser() -> StrictParser:
    parser = StrictParser(prog="make_patches.py", description=_DESCRIPTION)
    add = parser.add_argument
    needed: dict[str, Any] = {"required": True, "default": argparse.SUPPRESS, "type": Path}
    text = "folders of the infrared and of the visible images, of which the first channel and the luma are taken"
    add("--sources", nargs=2, metavar=("IR_DIR", "VI_DIR"), help=text, **needed)
    add("--out", metavar="FILE.h5", help="the file to make", **needed)
    add("--size", type=int, metavar="N", default=PatchCutter.size, help="side of a patch in pixels")
    text = "from one patch to the next in pixels; a last one that does not fit is left out"
    add("--stride", type=int, metavar="N", default=PatchCutter.stride, help=text)
    text = "a pair is dropped where (p90 - p10) / p90 of the values of either patch is less; 0 keeps all"
    add("--min_contrast", type=float, metavar="C", default=PatchCutter.min_contrast, help=text)
    text = "ours: one dataset per modality, quick to open; published: one dataset per patch, as SMFNet's release"
    _add_choice(parser, "--layout", tuple(LAYOUTS), text)
    _add_choice(parser, "--compression", COMPRESSIONS, "of each patch, lossless: gzip is smaller, lzf quicker")
    text = "at images that cannot be used: stop, or skip them and list them at the end (exit status 3)"
    _add_choice(parser, "--on_bad_sample", ON_BAD_SAMPLE, text)
    add("--verbose", action="store_true", help="show where an error comes from")
    return parser


def _add_choice(parser: StrictParser, name: str, choices: tuple[str, ...], text: str) -> None:
    """One of some words, the first by default."""
    parser.add_argument(name, type=choice(name, choices), metavar="|".join(choices), default=choices[0], help=text)


def _check_out(out: Path) -> Path:
    """Returns the file to make; raises `UserError` where it cannot be one."""
    if out.suffix.lower() not in EXTENSIONS:
        raise UserError(f"--out {out}: expected a name that ends in {' or '.join(EXTENSIONS)}")
    if out.is_dir():
        raise UserError(f"--out {out} is a folder: expected the name of a file")
    check_writable("--out", out.absolute().parent)
    return out


def _look(
    folders: Sequence[Path], cutter: PatchCutter, *, on_bad_sample: str
) -> tuple[list[Item], tuple[str, ...], list[str]]:
    """Looks at all files before anything is written: the usable items, their roles, what is wrong with the others."""
    found = discover_folders(folders)
    if found.roles == ("vi", "ir"):
        raise UserError(f"--sources {folders[0]} {folders[1]}: expected the infrared images first, then the visible")
    inspected = inspect(found, on_bad_sample=on_bad_sample)
    items, small = [], []
    for item, (width, height) in zip(inspected.found.items, inspected.sizes, strict=True):
        try:
            cutter.check_size(item.files[0], width, height)
            items.append(item)
        except UserError as error:
            small.append(str(error))
    if small and (on_bad_sample == "stop" or not items):
        raise UserError(small[0])
    return items, inspected.found.roles, [*inspected.skipped, *small]


def _is_finished(out: Path, record: Record) -> bool:
    """Whether the file is there already; raises `UserError` where it was made in another way, or by another program."""
    if not out.exists():
        return False
    before = read_attributes(out)
    if "version" not in before:
        raise UserError(f"{out} is there, and does not say how it was made: use another --out, or remove it")
    changed = {key: (before.get(key), value) for key, value in record.items() if before.get(key) != value}
    refuse_other_settings(out, changed, "use the same settings, remove it, or use another --out")
    return True


@dataclass
class _Cuts:
    """The patches of all items, one item at a time.

    Attributes:
        dropped: how many pairs had too little contrast so far.
        problems: a line on each item so far whose damage only decoding showed, unless the first one is to stop it all.
    """

    items: Sequence[Item]
    cutter: PatchCutter
    stop: bool
    dropped: int = 0
    problems: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Patches]:
        for item in tqdm(self.items, desc="cutting", unit="pair", disable=None):
            try:
                patches, dropped = self.cutter.cut(*item.files)
            except UserError as error:
                if self.stop:
                    raise
                self.problems.append(str(error))
                continue
            self.dropped += dropped
            yield patches


if __name__ == "__main__":
    sys.exit(run_command(main))
