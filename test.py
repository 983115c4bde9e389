"""Fuses pictures with a trained network: sources on disk → network → fused pictures, metrics, a page.

    python test.py --dataroot datasets/PMF --name PMF_R2GAN

`python test.py --help` lists the options of the components selected; docs/ explains them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from options.commands import parse_test, peek_run_folder
from options.files import travelling_options
from options.validate import validate_test
from util.errors import one_line, run_command


def main(argv: Sequence[str]) -> int:
    """Parses the options, loads the network, fuses, measures and writes the page."""
    travelling = travelling_options(peek_run_folder(argv) / "options.json")
    config, parsed = parse_test(argv, travelling)
    notices = validate_test(config, parsed)

    # After the parse, so that --help and a mistyped option answer at once, without waiting for torch.
    from util.assembly import set_up_logging  # noqa: PLC0415
    from util.fuse_set import fuse_set  # noqa: PLC0415

    set_up_logging(config.run.verbose)
    for notice in notices:
        sys.stderr.write(f"{notice}\n")
    page = fuse_set(config, parsed.given)
    sys.stdout.write(f"Open {one_line(str(page))}\n")
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
