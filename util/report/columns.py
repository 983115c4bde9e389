"""How a column of numbers is shown: digits, mean and spread, and which is best."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from util.statistics.direction import Better
from util.statistics.summary import finite_mean, finite_sd, finite_values

DIGITS = 5
ARROWS: Mapping[Better, str] = {"higher": "↑", "lower": "↓", "zero": "→0"}
MEANINGS: Mapping[Better, str] = {
    "higher": "higher is better",
    "lower": "lower is better",
    "zero": "closest to zero is best",
}


@dataclass(frozen=True)
class Column:
    """The values of one metric over all rows.

    Attributes:
        name: the metric.
        better: which values are; None when none is.
        mean: over the finite values; nan when there are none.
        sd: sample standard deviation of the finite values; nan for fewer than two.
        finite: how many values are finite.
        best: the best value, infinite ones included; None when neither direction is better or all are equal.
        decimals: decimals shown; None where powers of ten are.
    """

    name: str
    better: Better | None
    mean: float
    sd: float
    finite: int
    best: float | None
    decimals: int | None

    @property
    def arrow(self) -> str:
        """An arrow that points where better is."""
        return ARROWS[self.better] if self.better else ""

    @property
    def meaning(self) -> str:
        """The arrow in words."""
        return MEANINGS[self.better] if self.better else ""

    def text(self, value: float) -> str:
        """A value with as many decimals as all others of the column, so that they can be compared by eye."""
        if math.isnan(value):
            return "nan"
        if math.isinf(value):
            return "∞" if value > 0 else "-∞"
        return f"{value:.{DIGITS - 1}e}" if self.decimals is None else f"{value:.{self.decimals}f}"


def make_columns(values: Sequence[Mapping[str, float]], directions: Mapping[str, Better]) -> list[Column]:
    """One column per metric of the rows, in the order of first appearance; one without a direction has no best."""
    names = dict.fromkeys(name for row in values for name in row)
    return [
        _make_column(name, [float(row[name]) for row in values if name in row], directions.get(name)) for name in names
    ]


def _make_column(name: str, values: list[float], better: Better | None) -> Column:
    finite = finite_values(values)
    comparable = {value for value in values if not math.isnan(value)}
    best = None
    if better is not None and len(comparable) > 1:
        best = {"higher": max(comparable), "lower": min(comparable), "zero": min(comparable, key=abs)}[better]
    return Column(
        name=name,
        better=better,
        mean=finite_mean(values),
        sd=finite_sd(values),
        finite=len(finite),
        best=best,
        decimals=_decimals(max(map(abs, finite), default=0.0)),
    )


def _decimals(largest: float) -> int | None:
    """Decimals that show the largest value with `DIGITS` digits; None where only powers of ten would do."""
    if largest == 0:
        return 1
    exponent = math.floor(math.log10(largest))
    if not -4 <= exponent <= 8:
        return None
    return min(max(DIGITS - 1 - exponent, 0), 8)
