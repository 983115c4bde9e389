"""What `torch.hub.load(PATH, "fuser", NAME, source="local")` finds here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine import load_fuser
from engine.fusing.fuser import Fuser
from options.run import GENERAL

dependencies = ["torch", "lightning_fabric", "numpy", "cv2", "PIL", "yaml", "filelock", "safetensors"]


def fuser(name: str | Path = GENERAL, **options: Any) -> Fuser:
    """Loads a trained network that fuses arrays and tensors.

    Args:
        name: see `engine.load_fuser`; a run is looked for in the `checkpoints` folder of this repository.
        options: see `engine.load_fuser`.
    """
    options.setdefault("checkpoints_dir", str(Path(__file__).parent / "checkpoints"))
    return load_fuser(name, **options)
