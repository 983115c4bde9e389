"""Options of test.py alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from options.fields import Options, option
from util.errors import UserError
from util.files import with_extension


@dataclass(frozen=True)
class TestingOptions(Options):
    """Sources, metrics and results."""

    __test__ = False  # the name begins with Test, but pytest has nothing to collect here

    sources: tuple[str, ...] = option((), "fuse these images of one scene, without any folder", metavar="FILE")
    out: str = option("", "with --sources: the fused image to write", metavar="FILE")
    list: bool = option(False, "print the items found in --dataroot and stop")
    results_dir: str = option("./results", "folder that holds the results of the runs")
    batch_size: int = option(1, "images of one size that are fused together", at_least=1)
    num_test: int = option(0, "fuse no more than this many items; 0 means all", at_least=0)
    metrics: str = option(
        "quick", "metrics to compute: names separated by commas, all, none, or a quick few", metavar="NAMES"
    )
    save_decomposition: bool = option(
        False, "also save and show the common and unique images of networks that decompose the sources"
    )

    def check(self, config: Any) -> None:
        """--sources, --out and --list belong together."""
        self._check_files()
        if (self.sources or self.list) and config.selection.dataset_mode != "sources":
            name = "--sources" if self.sources else "--list"
            raise UserError(f"{name} goes with --dataset_mode sources, the default of test.py")
        if self.save_decomposition and self.sources:
            raise UserError(
                "--save_decomposition fills the result folder of --dataroot DIR, which --sources has none of"
            )

    def _check_files(self) -> None:
        """--sources and --out, which stand in for a whole test set."""
        if bool(self.sources) != bool(self.out) and not self.list:
            raise UserError("--sources A B … and --out FILE belong together: the images of one scene and the fused one")
        if self.sources and len(self.sources) < 2:
            raise UserError(f"--sources {self.sources[0]}: expected the images of one scene, at least two")
        for path in self.sources:
            if not Path(path).is_file():
                raise UserError(f"--sources {path}: no such file")
            if self.out and Path(path).resolve() == with_extension(Path(self.out), ".png").resolve():
                raise UserError(f"--out {self.out} is one of the --sources, which would be overwritten")
        if self.out.endswith(("/", "\\")) or Path(self.out or "x").is_dir():
            raise UserError(f"--out {self.out}: expected the name of a file, not of a folder")
