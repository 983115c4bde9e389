"""Makes SMFNet's training set: an HDF5 file of infrared and visible patches, out of two folders of images."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data.patches.cutting import PatchCutter
from data.patches.reading import LAYOUTS
from data.patches.store import Done, PatchPlan, PatchStore, is_finished, remove_part
from data.patches.writing import COMPRESSIONS
from data.scenes.discovery import Item, discover_folders
from data.scenes.inspection import ON_BAD_SAMPLE, inspect
from options.strict import StrictParser, choice
from util.errors import EXIT_DONE, EXIT_SKIPPED, Interrupted, UserError, run_command
from util.files import with_extension

_DESCRIPTION = """Cuts pairs of patches out of infrared and visible images of the same names and sizes, for
train.py --dataset_mode patches. An interrupted run goes on when it is started again."""


def main(argv: Sequence[str]) -> int:
    """Runs the command; see --help."""
    options = _build_parser().parse_strict(argv)
    plan = _make_plan(options)
    stop = options.on_bad_sample == "stop"
    items, roles, skipped = _look(options.sources, plan.cutter, on_bad_sample=options.on_bad_sample)
    record = plan.record(roles, [item.name for item in items])
    if is_finished(plan.out, record):
        remove_part(plan.out)
        print(f"{plan.out} is finished: nothing to do")
    else:
        try:
            with PatchStore(plan, record, again=stop) as store:
                _cut(store, plan.cutter, items, stop=stop)
                _write(store)
        except KeyboardInterrupt as error:
            raise Interrupted("interrupted; run the same command again to go on") from error
        dropped = sum(entry.dropped for entry in store.done)
        print(f"{store.patches} pairs of patches, {dropped} dropped for too little contrast, in {plan.out}")
        skipped += [entry.problem for entry in store.done if entry.problem]
    for line in skipped:
        sys.stderr.write(f"skipped: {line}\n")
    return EXIT_SKIPPED if skipped else EXIT_DONE


def _build_parser() -> StrictParser:
    parser = StrictParser(prog="make_patches.py", description=_DESCRIPTION)
    add = parser.add_argument
    add(
        "--sources",
        required=True,
        default=argparse.SUPPRESS,
        metavar=("IR_DIR", "VI_DIR"),
        nargs=2,
        type=Path,
        help="folders of the infrared and of the visible images, of which the first channel and the luma are taken",
    )
    add("--out", required=True, default=argparse.SUPPRESS, metavar="FILE.h5", type=Path, help="the file to make")
    add("--size", type=int, metavar="N", default=128, help="side of a patch in pixels")
    add(
        "--stride",
        type=int,
        metavar="N",
        default=200,
        help="from one patch to the next in pixels; a last one that does not fit is left out",
    )
    add(
        "--min_contrast",
        type=float,
        metavar="C",
        default=0.1,
        help="a pair is dropped where (p90 - p10) / p90 of the values of either patch is less; 0 keeps all",
    )
    add(
        "--layout",
        type=choice("--layout", tuple(LAYOUTS)),
        metavar="|".join(LAYOUTS),
        default="ours",
        help="ours: one dataset per modality, quick to open; published: one dataset per patch, as SMFNet's release",
    )
    add(
        "--compression",
        type=choice("--compression", COMPRESSIONS),
        metavar="|".join(COMPRESSIONS),
        default="none",
        help="of each patch, lossless: gzip is smaller, lzf quicker",
    )
    add(
        "--on_bad_sample",
        type=choice("--on_bad_sample", ON_BAD_SAMPLE),
        metavar="|".join(ON_BAD_SAMPLE),
        default="stop",
        help="at images that cannot be used: stop, or skip them and list them at the end (exit status 3)",
    )
    add("--verbose", action="store_true", help="show where an error comes from")
    return parser


def _make_plan(options: argparse.Namespace) -> PatchPlan:
    cutter = PatchCutter(options.size, options.stride, options.min_contrast)
    return PatchPlan(cutter, with_extension(options.out, ".h5"), options.layout, options.compression)


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


def _cut(store: PatchStore, cutter: PatchCutter, items: Sequence[Item], *, stop: bool) -> None:
    """Collects the patches of the items that are not done yet."""
    before = len(store.done)
    with tqdm(total=len(items), initial=before, desc="cutting", unit="pair", disable=None) as bar:
        for item in items[before:]:
            try:
                patches, dropped = cutter.cut(*item.files)
            except UserError as error:  # damage that only decoding shows
                if stop:
                    raise
                store.add(Done(problem=str(error)))
            else:
                store.add(Done(len(patches), dropped), patches)
            bar.update()


def _write(store: PatchStore) -> None:
    with tqdm(total=store.patches, desc="writing", unit="patch", disable=None) as bar:
        for count in store.write():
            bar.update(count)


if __name__ == "__main__":
    sys.exit(run_command(main))
