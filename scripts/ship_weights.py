"""Copies the network of a run to weights/, in the form in which it ships: 16 bit floats, and the options it needs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from safetensors.torch import save
from torch import Tensor

from engine.checkpoint import CheckpointFolder
from engine.generators import load_generator
from models.generators.base import Generator
from options import registry
from options.fields import Options, option
from options.parser import parse
from options.run import OPTIONS_FILE, SHIPPED, RunOptions, check_run_name
from options.saved import read_options
from util.errors import run_command
from util.files import write_bytes, write_text

_DESCRIPTION = """Writes weights/<to>/latest_net_G.safetensors and options.json from a run; the model card, README.md,
is written by hand. With --half weights are 16 bit floats, and the largest difference of a fused image is printed."""


@dataclass(frozen=True)
class ShippingOptions(Options):
    """What ships, and as what."""

    name: str = option("", "the run")
    to: str = option("", "name under which it ships")
    epoch: str = option("latest", "which of its networks: latest, best or an epoch")
    half: bool = option(True, "keep weights as 16 bit floats")
    checkpoints_dir: str = option(RunOptions().checkpoints_dir, "folder that holds the folders of the runs")


def main(argv: Sequence[str]) -> int:
    """Runs the command; see --help."""
    parsed = parse(argv, lambda _: {"shipping": ShippingOptions}, description=_DESCRIPTION, without_effect={})
    shipping: ShippingOptions = parsed.groups["shipping"]
    check_run_name(shipping.name)
    check_run_name(shipping.to)
    run = CheckpointFolder(RunOptions(name=shipping.name, checkpoints_dir=shipping.checkpoints_dir).folder)
    recorded = read_options(run.options_file)
    netG = recorded["selection"]["netG"]
    options = registry.GENERATORS[netG].options(**recorded["generator"])
    network = load_generator(netG, options, run.network_file(shipping.epoch)).network.eval()
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    if shipping.half:
        before, state = _fused(network), {name: _halved(tensor) for name, tensor in state.items()}
        network.load_state_dict(state)
        print(f"largest difference by 16 bit weights: {255 * (_fused(network) - before).abs().max():.3f} grey levels")
    folder = SHIPPED / shipping.to
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "selection": {"netG": netG},
        "generator": asdict(options),
        "data": {"num_sources": recorded["data"]["num_sources"]},
    }
    write_bytes(folder / "latest_net_G.safetensors", save(state))
    write_text(folder / OPTIONS_FILE, json.dumps(content, indent=2, sort_keys=True) + "\n")
    size = (folder / "latest_net_G.safetensors").stat().st_size / 1e6
    print(f"written: {folder}, {size:.2f} MB; add its README.md")
    return 0


def _halved(tensor: Tensor) -> Tensor:
    """A tensor of weights in 16 bits; what does not fit in them stays as it is."""
    if not tensor.is_floating_point():
        return tensor
    half = tensor.half()
    return half if half.isfinite().all() else tensor


def _fused(network: Generator) -> Tensor:
    """An image that the network fuses of random sources, in [0, 1]."""
    generator = torch.Generator().manual_seed(0)
    sources = torch.rand(network.num_sources or 2, 1, network.channels, 128, 128, generator=generator)
    normalisation = network.normalisation()
    return normalisation.undo(network.fuse([normalisation.apply(source) for source in sources]))


if __name__ == "__main__":
    sys.exit(run_command(main))
