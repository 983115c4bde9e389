"""Fuses images with a trained network: sources on disk → network → fused images, metrics, a page.

    python test.py --dataroot datasets/PMF --name PMF_R2GAN

`python test.py --help` lists the options of the components selected; docs/ explains them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import cast

from options.commands import TestConfig, parse_test
from options.data import SourcesOptions
from options.run import GENERAL
from options.saved import options_to_fuse
from options.validate import validate_test
from util.errors import EXIT_DONE, EXIT_SKIPPED, one_line, run_command


def main(argv: Sequence[str]) -> int:
    """Parses the options, loads the network, fuses, measures and writes the page."""
    config, parsed = parse_test(argv, options_to_fuse(argv))
    notices = validate_test(config, parsed)

    for notice in notices:
        sys.stderr.write(f"{notice}\n")
    if config.testing.list:
        return list_sources(config)
    if config.generator.has_weights:
        config.run.check_exists(named="name" in parsed.given)
    if config.run.name == GENERAL and "name" not in parsed.given:
        sys.stderr.write(f"no --name: fusing with the general network, {config.run.networks_folder}\n")

    # After the parse, so that --help and a mistyped option answer at once, without waiting for torch.
    from engine.assembly import set_up_logging  # noqa: PLC0415
    from engine.fusing.begin_fusing import begin_fusing  # noqa: PLC0415

    set_up_logging(config.run.verbose)
    test = begin_fusing(config, parsed.given)
    written = test.fuse_scene() if config.testing.sources else test.report(test.fuse_set())
    sys.stdout.write(f"Open {one_line(str(written))}\n")
    sys.stderr.write("".join(f"skipped: {one_line(line)}\n" for line in test.skipped))
    return EXIT_SKIPPED if test.skipped else EXIT_DONE


def list_sources(config: TestConfig) -> int:
    """Prints what is understood of the test set: --list."""
    from data.scenes.inspection import describe, look_at  # noqa: PLC0415  (it reads images, which --help does not)

    data, options = config.data, cast(SourcesOptions, config.dataset)
    files, count = config.testing.sources, data.num_sources
    found = look_at(options, data.dataroot, data.phase, files=files, num_sources=count)
    sys.stdout.write("".join(f"{line}\n" for line in describe(found)))
    return EXIT_SKIPPED if found.skipped else EXIT_DONE


if __name__ == "__main__":
    sys.exit(run_command(main))
