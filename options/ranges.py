"""What every number is checked with: one line that names the option and what it may be."""

from __future__ import annotations

import math

from util.errors import UserError


def at_least(name: str, value: int, least: int) -> None:
    """Raises `UserError` unless the value of --`name` is `least` or more."""
    within(name, value, value >= least, f"{least} or more")


def within(name: str, value: float, fits: bool, wanted: str) -> None:
    """Raises `UserError`, saying what was `wanted` of --`name`, unless the value `fits` and is a finite number."""
    if not (fits and math.isfinite(value)):  # NaN fits nowhere
        raise UserError(f"--{name} {value}: expected {wanted}")
