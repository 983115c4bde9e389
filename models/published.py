"""The options that published weights were tested with, where the weights themselves do not determine them."""

from __future__ import annotations

import re
from pathlib import Path

from options.networks import IFCNN_FUSIONS


def options_of_published(netG: str, file_name: str) -> dict[str, object]:
    """The options that the authors of a published file used.

    Args:
        netG: the generator, see `options.registry.GENERATORS`.
        file_name: of the file, such as IFCNN-MEAN.pth.

    Example:
        >>> options_of_published("IFCNN", "IFCNN-MEAN.pth")
        {'fusion': 'mean', 'ifcnn_norm': 'auto'}
    """
    if netG == "IFCNN":  # three files of one layout: the file name contains the rule; without one it is "max"
        words = re.findall("[a-z]+", Path(file_name).stem.lower())
        return {"fusion": next((word for word in words if word in IFCNN_FUSIONS), "max"), "ifcnn_norm": "auto"}
    return dict(_OPTIONS.get(netG, {}))


_OPTIONS: dict[str, dict[str, object]] = {
    "SMFNet": {"stretch": "minmax"},  # so were the published images
    "DeFusion": {"pad": 16, "common_head": "unique"},  # as the released tester does
    "DeFusionPlus": {"pad": 16},
}
