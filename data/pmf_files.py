"""PMF pairs on disk: which files a command will make, whether it may go on with a folder, and making them.

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
from typing import Any

import cv2
import numpy as np

from data.image_io import probe_image, write_image
from data.maps import check_same_size, probe_map
from data.pmf_recipe import PMFRecipe
from util.errors import UserError
from util.files import write_text
from util.workers import run_jobs

RECORD = "pmf.json"
_VERSION = 1  # of the pixels: to be raised when the same options would give others
_SUFFIX = "_stacked.png"


@dataclass(frozen=True)
class PMFPlan:
    """What is to be made.

    Attributes:
        recipe: how a pair is made.
        out: the folder for the pairs.
        pairs_per_image: how many pairs to make of each photograph.
        holdout: the 1st, (holdout + 1)-th, … photograph goes to out/test, the others to out/train; 0: all to out.
        seed: where all chance comes from.
    """

    recipe: PMFRecipe
    out: Path
    pairs_per_image: int = 1
    holdout: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.pairs_per_image <= 10_000:
            raise UserError(f"--pairs_per_image must be 1 to 10000, not {self.pairs_per_image}")
        if self.recipe.recipe == "published" and self.pairs_per_image > 1:
            raise UserError("--recipe published is without chance: more than one of --pairs_per_image would be equal")
        if self.holdout < 0 or self.holdout == 1:
            raise UserError(f"--holdout must be at least 2 (or 0 for none), not {self.holdout}")
        if self.seed < 0:
            raise UserError(f"--seed must not be negative, not {self.seed}")


@dataclass(frozen=True)
class PMFJob:
    """The pairs that are to be made of one photograph: their files by the pair's number."""

    stem: str
    image_path: Path
    map_path: Path
    outputs: dict[int, Path]
    recipe: PMFRecipe
    seed: int


def list_jobs(plan: PMFPlan, found: Sequence[tuple[str, Path, Path]]) -> list[PMFJob]:
    """Returns one job per photograph.

    Args:
        plan: what is to be made.
        found: (stem, photograph, map) as `data.maps.find_maps` returns them.
    """
    jobs = []
    for place, (stem, image_path, map_path) in enumerate(found):
        folder = plan.out
        if plan.holdout:
            folder = folder / ("train" if place % plan.holdout else "test")
        names = [f"{stem}{_SUFFIX}"]
        if plan.pairs_per_image > 1:
            names = [f"{stem}_{pair + 1}{_SUFFIX}" for pair in range(plan.pairs_per_image)]
        outputs = {pair: folder / name for pair, name in enumerate(names)}
        jobs.append(PMFJob(stem, image_path, map_path, outputs, plan.recipe, plan.seed))
    return jobs


def make_record(plan: PMFPlan, stems: Sequence[str]) -> dict[str, Any]:
    """Returns what `pmf.json` says: everything that decides what the pairs look like and where they are."""
    record = {**plan.recipe.settings(), "pairs_per_image": plan.pairs_per_image, "holdout": plan.holdout}
    record |= {"seed": plan.seed, "version": _VERSION}
    record = {key: list(value) if isinstance(value, tuple) else value for key, value in record.items()}
    names = hashlib.sha256(os.fsencode("\n".join(stems))).hexdigest()[:16]
    return record | {"photographs": f"{len(stems)} (names {names})"}


def check_output(out: Path, record: dict[str, Any]) -> None:
    """Checks that a folder is new, or was begun with the same settings.

    Raises:
        UserError: other settings (named), pairs of unknown origin, a record that cannot be read.
    """
    there = next(path for path in (out.absolute(), *out.absolute().parents) if path.exists())
    if not there.is_dir():
        raise UserError(f"--out {out} cannot be made: {there} is a file, not a folder")
    path = out / RECORD
    if not path.exists():
        for folder in (out, out / "train", out / "test"):
            for stranger in folder.glob(f"*{_SUFFIX}"):
                raise UserError(f"{stranger} is there, but no {path} that says how it was made: use another --out")
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        differences = [key for key in record if before.get(key) != record[key]]
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"cannot read {path}: remove the folder or use another --out") from error
    if differences:
        key = differences[0]
        raise UserError(
            f"{out} was begun with {key} {before.get(key)}, not {record[key]}: "
            "go on with the same settings, or use another --out"
        )


def write_record(out: Path, record: dict[str, Any]) -> None:
    """Writes `pmf.json`."""
    write_text(out / RECORD, json.dumps(record, indent=2) + "\n")


def check_job(job: PMFJob) -> str | None:
    """Looks at the files of a job without decoding pictures; returns what is wrong, or None."""
    try:
        header, map_size = probe_image(job.image_path), probe_map(job.map_path)
        if job.recipe.recipe != "published":
            check_same_size(job.image_path, (header.height, header.width), job.map_path, map_size)
            job.recipe.scaled(job.image_path, header.height, header.width)
    except UserError as error:
        return str(error)
    return None


def make_job(job: PMFJob) -> str | None:
    """Makes the pairs of one photograph, each as one PNG [sources | photograph]; returns what is wrong, or None."""
    name = np.frombuffer(hashlib.sha256(os.fsencode(job.stem)).digest(), "<u4").tolist()
    try:
        for pair, path in job.outputs.items():
            rng = np.random.default_rng([job.seed, pair, *name])
            write_image(path, np.hstack(job.recipe.make(job.image_path, job.map_path, rng)))
    except UserError as error:
        return str(error)
    return None


def make_jobs(jobs: Sequence[PMFJob], workers: int) -> Iterator[tuple[PMFJob, str | None]]:
    """Makes the pairs of all jobs; yields each with what is wrong with it, or None, in order (see `run_jobs`).

    Raises:
        UserError: a process died.
    """
    return run_jobs(make_job, jobs, workers, start=_one_thread)


def _one_thread() -> None:
    cv2.setNumThreads(0)  # the processes are the parallelism
