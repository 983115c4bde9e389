"""Makes a run folder of a published file of weights, so that test.py finds the network and its options."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from torch import nn

from engine.checkpoint import CheckpointFolder
from engine.generators import load_generator, with_published
from options import registry
from options.data import DataOptions
from options.fields import Options, Parsed, option
from options.networks import GeneratorOptions
from options.parser import parse
from options.run import RunOptions, check_run_name
from util.errors import UserError, one_line, run_command
from util.files import write_text

_DESCRIPTION = """Checks that published weights (a state dict, bare, as {"state_dict": …} or one for each part of the
network) fit --netG, and writes them to <checkpoints_dir>/<name>/ with the options that their authors tested with.
Options given here win."""


@dataclass(frozen=True)
class ImportOptions(Options):
    """What is imported, and where to."""

    weights: str = option("", "the published file", metavar="FILE")
    name: str = option("", "name of the run to make")
    checkpoints_dir: str = option(RunOptions().checkpoints_dir, "folder that holds the folders of the runs")
    num_sources: int = option(DataOptions().num_sources, "sources, for a network that is built for so many", at_least=1)
    overwrite: bool = option(False, "replace the run --name, which is lost")


def main(argv: Sequence[str]) -> int:
    """Runs the command; see --help."""
    parsed = parse(argv, _groups, description=_DESCRIPTION)
    selection: registry.Selection = parsed.groups["selection"]
    importing: ImportOptions = parsed.groups["importing"]
    _check(importing, parsed)
    netG, file = selection.netG, Path(importing.weights)
    folder = Path(importing.checkpoints_dir) / importing.name
    _check_folder(folder, overwrite=importing.overwrite)

    options, known = with_published(netG, parsed.groups["generator"], parsed.given, file)
    network, options, num_sources = load_generator(netG, options, file, known)

    _write(folder, network, _options_json(selection, options, num_sources or importing.num_sources))
    _report(file, folder, netG, network, options)
    return 0


def _groups(selection: registry.Selection) -> dict[str, type[Options]]:
    return {"importing": ImportOptions, "generator": registry.GENERATORS[selection.netG].options}


def _check(importing: ImportOptions, parsed: Parsed) -> None:
    for name, what in (("netG", "the network"), ("weights", "the published file"), ("name", "the run to make")):
        if name not in parsed.given:
            raise UserError(f"--{name} is missing: {what}")
    for name in ("model", "netD", "dataset_mode"):
        if name in parsed.given:
            raise UserError(f"--{name} has no effect on weights: leave it out")
    importing.check_values()
    parsed.groups["generator"].check_values()
    parsed.groups["generator"].check_images()
    check_run_name(importing.name)
    if not Path(importing.weights).is_file():
        raise UserError(f"--weights {importing.weights}: no such file")


def _check_folder(folder: Path, *, overwrite: bool) -> None:
    """A folder that is there is only replaced when it is a run's, and the user wants it."""
    if not folder.exists():
        return
    checkpoints = CheckpointFolder(folder)
    if not overwrite:
        raise UserError(f"{folder} exists: choose another --name, or add --overwrite to replace it")
    if not checkpoints.is_used():
        raise UserError(f"{folder} is not the folder of a run and is left alone: choose another --name")
    checkpoints.lock()  # says that a training is at work there
    checkpoints.unlock()


def _options_json(selection: registry.Selection, options: GeneratorOptions, num_sources: int) -> str:
    """What `options.saved.travelling_options` reads."""
    content: Mapping[str, Any] = {
        "selection": {"netG": selection.netG},
        "generator": dataclasses.asdict(options),
        "data": {"num_sources": num_sources},
    }
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


def _write(folder: Path, network: nn.Module, options_json: str) -> None:
    """Fills a folder beside and puts it in place, so that a run appears whole or not at all.

    Of a run that is replaced everything goes that a training wrote; what else lies in its folder stays.
    """
    beside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        checkpoints = CheckpointFolder(beside)
        checkpoints.save_networks("latest", {"G": network.state_dict()})
        write_text(checkpoints.options_file, options_json)
        if folder.exists():
            CheckpointFolder(folder).clear()
            for path in beside.iterdir():
                path.replace(folder / path.name)
        else:
            beside.rename(folder)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _report(file: Path, folder: Path, netG: str, network: nn.Module, options: GeneratorOptions) -> None:
    count = sum(parameter.numel() for parameter in network.parameters())
    print(one_line(f"{file}: {netG}, {count:,} parameters"))
    print("options: " + ", ".join(f"{name} {value}" for name, value in dataclasses.asdict(options).items()))
    print(one_line(f"written: {folder / 'latest_net_G.pth'}, options.json"))
    words = ["python", "test.py", "--name", folder.name]
    if folder.parent != Path(RunOptions().checkpoints_dir):
        words += ["--checkpoints_dir", str(folder.parent)]
    print(one_line(f"fuse with: {shlex.join(words)} --dataroot DIR"))


if __name__ == "__main__":
    sys.exit(run_command(main))
