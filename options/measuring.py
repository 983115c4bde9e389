"""Options of the scripts that measure fused images on disk: evaluate.py and compare.py."""

from __future__ import annotations

import argparse

from options.strict import StrictParser, choice
from util.errors import UserError
from util.workers import usual_workers

SOURCES_HELP = "a folder for each source, in order; or one folder with all of them in any layout that test.py reads"
FUSED_HELP = (
    "folder of a method's images; NAME= may be left out; the last part may be a pattern in which * is the name of "
    "the sources, as in IFCNN='results/*_IFCNN'; to be given for each method"
)
LAYOUT_HELP = "how one folder of --sources is to be read, where two readings are possible: roles, scenes or suffix"
ROLES_HELP = "which roles of one folder of --sources to use, in this order, as in ir,vi"
LAYOUTS = ("auto", "roles", "scenes", "suffix")
REFERENCE_HELP = "folder of what the fused images should be, where it is known"


def add_measuring_options(parser: StrictParser) -> None:
    """Adds what is measured and how the work is done."""
    add = parser.add_argument
    add(
        "--metrics",
        metavar="NAMES",
        default="all",
        help="names separated by commas, with @ another convention (SSIM@sum) or against --reference (PSNR@reference); "
        "all; or a quick few",
    )
    add("--workers", type=int, metavar="N", default=usual_workers(), help="how many processes share the work")
    add(
        "--on_bad_sample",
        type=choice("--on_bad_sample", ("stop", "skip")),
        metavar="stop|skip",
        default="stop",
        help="at an image that is missing or cannot be used: stop, or skip it and list it at the end (exit status 3)",
    )
    add("--verbose", action="store_true", help="show where an error comes from")


def check_measuring_options(options: argparse.Namespace) -> None:
    """Checks what can be checked before any file is looked at.

    Raises:
        UserError: nothing to measure, or nobody to do it.
    """
    if options.workers < 1:
        raise UserError(f"--workers {options.workers}: must be at least 1")
    if options.metrics == "none":
        raise UserError("--metrics none: there is nothing to measure")
