"""Mean and spread of a list of values, of which some may be NaN or infinite."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np


def finite_values(values: Iterable[float]) -> list[float]:
    """The values that are neither NaN nor infinite."""
    return [float(value) for value in values if math.isfinite(value)]


def finite_mean(values: Iterable[float]) -> float:
    """Mean of the finite values; NaN without any."""
    finite = finite_values(values)
    return float(np.mean(finite)) if finite else math.nan


def finite_sd(values: Iterable[float]) -> float:
    """Sample standard deviation (ddof = 1) of the finite values; NaN for fewer than two."""
    finite = finite_values(values)
    return float(np.std(finite, ddof=1)) if len(finite) > 1 else math.nan
