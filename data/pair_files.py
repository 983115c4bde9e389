"""Made pairs on disk: which files a command will make, whether it may go on with a folder, and making them.

A pair depends on the recipe, the seed, the photograph's name and the pair's number only: neither on how many
processes share the work, nor on what was made before.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from util.errors import UserError
from util.files import write_text
from util.images.image_io import write_image
from util.journal import refuse_other_settings
from util.workers import run_jobs

_SUFFIX = "_stacked.png"
Found = tuple[str, Path] | tuple[str, Path, Path]  # stem, photograph and, where the recipe needs one, its map


class PairRecipe(Protocol):
    """How pairs are made of a photograph, such as `data.pmf.recipe.PMFRecipe`.

    Attributes:
        record: name of the file beside the pairs that says how they were made.
        version: of the pixels; raised when the same settings would give others.
    """

    record: ClassVar[str]
    version: ClassVar[int]

    def settings(self) -> dict[str, Any]:
        """Everything that decides the pixels of a pair but the photograph and the seed; values as JSON has them."""

    def check(self, files: Sequence[Path]) -> None:
        """Raises `UserError` for files that cannot be used, as far as that shows without decoding images."""

    def make(self, files: Sequence[Path], rng: np.random.Generator) -> Sequence[npt.NDArray[np.uint8]]:
        """Returns sources and target, `uint8` (H, W, 3); raises `UserError` for files that cannot be used."""


@dataclass(frozen=True)
class PairPlan:
    """Which pairs to make, and where.

    Attributes:
        holdout: the 1st, (holdout + 1)-th, … photograph goes to out/test, the others to out/train; 0: all to out.
    """

    recipe: PairRecipe
    out: Path
    pairs_per_image: int = 1
    holdout: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.pairs_per_image <= 10_000:
            raise UserError(f"--pairs_per_image must be 1 to 10000, not {self.pairs_per_image}")
        if self.holdout < 0 or self.holdout == 1:
            raise UserError(f"--holdout must be at least 2 (or 0 for none), not {self.holdout}")
        if self.seed < 0:
            raise UserError(f"--seed must not be negative, not {self.seed}")


@dataclass(frozen=True)
class PairJob:
    """One pair to make, the `number`-th of a photograph."""

    recipe: PairRecipe
    seed: int
    stem: str
    files: tuple[Path, ...]
    number: int
    path: Path


def list_jobs(plan: PairPlan, found: Sequence[Found]) -> list[PairJob]:
    """Returns one job per pair of each photograph in `found`."""
    jobs = []
    for place, (stem, *files) in enumerate(found):
        folder = plan.out
        if plan.holdout:
            folder = folder / ("train" if place % plan.holdout else "test")
        for pair in range(plan.pairs_per_image):
            name = stem if plan.pairs_per_image == 1 else f"{stem}_{pair + 1}"
            jobs.append(PairJob(plan.recipe, plan.seed, stem, tuple(files), pair, folder / f"{name}{_SUFFIX}"))
    return jobs


def make_record(plan: PairPlan, stems: Sequence[str]) -> dict[str, Any]:
    """Returns what the plan's record says: everything that decides what the pairs look like and where they are."""
    record = {**plan.recipe.settings(), "pairs_per_image": plan.pairs_per_image, "holdout": plan.holdout}
    record |= {"seed": plan.seed, "version": plan.recipe.version}
    return record | {"photographs": f"{len(stems)} (names {fingerprint(stems)})"}


def fingerprint(names: Sequence[str]) -> str:
    """Returns what is equal for equal names only."""
    return hashlib.sha256(os.fsencode("\n".join(names))).hexdigest()[:16]


def check_output(plan: PairPlan, record: dict[str, Any]) -> None:
    """Checks that the folder for the pairs is new, or was begun with the same settings.

    Raises:
        UserError: other settings (named), pairs of unknown origin, a record that cannot be read.
    """
    out = plan.out
    there = next(path for path in (out.absolute(), *out.absolute().parents) if path.exists())
    if not there.is_dir():
        raise UserError(f"--out {out} cannot be made: {there} is a file, not a folder")
    path = out / plan.recipe.record
    if not path.exists():
        for folder in (out, out / "train", out / "test"):
            for stranger in folder.glob(f"*{_SUFFIX}"):
                raise UserError(f"{stranger} is there, but no {path} that says how it was made: use another --out")
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        changed = {key: (before.get(key), now) for key, now in record.items() if before.get(key) != now}
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"cannot read {path}: remove the folder or use another --out") from error
    refuse_other_settings(out, changed, "resume with the same settings, or use another --out")


def write_record(plan: PairPlan, record: dict[str, Any]) -> None:
    """Writes the plan's record."""
    write_text(plan.out / plan.recipe.record, json.dumps(record, indent=2) + "\n")


def make_jobs(jobs: Sequence[PairJob], workers: int) -> Iterator[str | None]:
    """Makes pairs, each as one PNG [sources | target]; yields what is wrong with each, or None, in order.

    Raises:
        UserError: a process died.
    """
    return (problem for _, problem in run_jobs(_make_job, jobs, workers, start=_one_thread))


def _make_job(job: PairJob) -> str | None:
    try:
        write_image(job.path, np.hstack(job.recipe.make(job.files, pair_rng(job.seed, job.stem, job.number))))
    except UserError as error:
        return str(error)
    return None


def pair_rng(seed: int, stem: str, pair: int) -> np.random.Generator:
    """Returns where all chance in one pair of one photograph comes from."""
    name = np.frombuffer(hashlib.sha256(os.fsencode(stem)).digest(), "<u4").tolist()
    return np.random.default_rng([seed, pair, *name])


def _one_thread() -> None:
    cv2.setNumThreads(0)  # the processes are the parallelism
