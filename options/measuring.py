"""Options of scripts that work on many images on disk: what they read and measure, and how the work is done."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from options.strict import StrictParser, choice, whole
from util.errors import UserError
from util.workers import usual_workers

LAYOUTS = ("auto", "roles", "scenes", "suffix")


def add_image_options(parser: StrictParser, action: type[argparse.Action] | None = None) -> None:
    """Adds where sources, fused images and references are.

    Args:
        parser: the parser.
        action: what takes the values, for a parser of several sets; by default they are attributes of the result.
    """
    nothing = argparse.SUPPRESS
    several: dict[str, Any] = {"action": action, "default": nothing} if action else {}
    needed = several or {"required": True, "default": nothing}
    text = "a folder for each source, in order; or one folder with all of them in any layout that test.py reads"
    parser.add_argument("--sources", nargs="+", metavar="DIR", type=Path, help=text, **needed)
    text = (
        "folder of a method's images; NAME= may be left out; the last part may be a pattern in which * is the name of "
        "the sources, as in IFCNN='results/*_IFCNN'; to be given for each method"
    )
    parser.add_argument("--fused", nargs="+", metavar="NAME=DIR", help=text, **({"action": "append"} | needed))
    text = "folder of what the fused images should be, where it is known"
    parser.add_argument("--reference", metavar="DIR", type=Path, help=text, **several)
    text = "how one folder of --sources is to be read, where two readings are possible: roles, scenes or suffix"
    parser.add_argument("--layout", choices=LAYOUTS, help=text, **({"default": "auto"} | several))
    text = "which roles of one folder of --sources to use, in this order, as in ir,vi"
    parser.add_argument("--roles", metavar="NAMES", help=text, **({"default": ""} | several))


def add_measuring_options(parser: StrictParser) -> None:
    """Adds what is measured and how the work is done."""
    text = "names separated by commas, with @ another convention (SSIM@sum) or against --reference (PSNR@reference); "
    parser.add_argument("--metrics", metavar="NAMES", default="all", help=f"{text}all; or a quick few")
    add_work_options(parser)


def add_work_options(parser: StrictParser) -> None:
    """Adds how many processes share the work, and what happens at an image that cannot be used."""
    add, text = parser.add_argument, "how many processes share the work"
    add("--workers", type=whole("--workers", 1), metavar="N", default=usual_workers(), help=text)
    text = "at an image that is missing or cannot be used: stop, or skip it and list it at the end (exit status 3)"
    kinds = ("stop", "skip")
    add("--on_bad_sample", type=choice("--on_bad_sample", kinds), metavar="stop|skip", default="stop", help=text)
    add("--verbose", action="store_true", help="show where an error comes from")


def check_measuring_options(options: argparse.Namespace) -> None:
    """Raises `UserError` where there is nothing to measure."""
    if options.metrics == "none":
        raise UserError("--metrics none: there is nothing to measure")
