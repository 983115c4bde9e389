"""The loops around networks: a run and its processes, training, fusing. Importing it does not import torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from options.run import GENERAL

if TYPE_CHECKING:
    from engine.fusing.fuser import Fuser

__all__ = ["load_fuser"]


def load_fuser(name: str | Path = GENERAL, **options: Any) -> Fuser:
    """Loads a trained network, which then fuses arrays and tensors as test.py fuses files, value for value.

    Args:
        name: of a run in `checkpoints_dir`, of weights that ship, or of a method without weights, such as "average"; or
            the path of a run's folder, or of a file of weights. The options of a run are found beside its weights;
            those of another file are completed as by `scripts/import_checkpoint.py`. By default the general network.
        options: options of test.py, under the same names: `epoch`, `checkpoints_dir`, `gpu_ids`, `precision`,
            `channels_last`, `eval`, `color`, `exposure`, `tile`, `tile_overlap`; `netG` and that network's own, which
            a file of weights needs where nothing stands beside it.

    Returns:
        `fuser`: `fuser([a, b])` is the fused image, and `fuser.generator` the network, see `Fuser.__call__`.

    Raises:
        UserError: no such run or file, weights that do not fit, or a bad option.
    """
    from engine.fusing.loading import open_fuser  # noqa: PLC0415  (torch is imported when a network is loaded)

    return open_fuser(name, options)
