"""Prints how a test compares with averaging the sources, and where to look."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from options.strict import StrictParser
from util.errors import UserError, run_command


def main(argv: Sequence[str]) -> int:
    """Runs the command; see --help."""
    parser = StrictParser(prog="demo_summary.py", description=__doc__)
    parser.add_argument("results", metavar="DIR", default=argparse.SUPPRESS, type=Path, help="folder of a test.py run")
    folder = parser.parse_strict(argv).results
    try:
        summary = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["summary"]
        fused, average = (float(summary[name]["mean"]) for name in ("PSNR@reference", "PSNR@reference_average"))
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{folder}: no results with PSNR@reference; run test.py with --with_target first") from error
    print(f"\nPSNR against the known sharp images: fused {fused:.2f} dB, plain averaging {average:.2f} dB.")
    print(verdict(fused, average))
    training_page = Path("checkpoints", folder.parent.name, "web", "index.html")
    print(f"Open {(folder / 'index.html').resolve()} in a browser to compare the images.")
    if training_page.is_file():  # a network that ships was trained elsewhere
        print(f"Open {training_page.resolve()} for the course of the training.")
    return 0


def verdict(fused: float, average: float) -> str:
    """One sentence on a mean PSNR in dB beside that of plain averaging."""
    if fused > average:
        return f"The network is {fused - average:.2f} dB above averaging."
    return (
        f"So short a training does not beat averaging: it is {average - fused:.2f} dB below. This network redraws the "
        "whole image, which takes more photographs and time to learn; docs/results.md shows how it passes averaging."
    )


if __name__ == "__main__":
    sys.exit(run_command(main))
