"""The description of a metric: name, direction, range, source and conventions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from util.metrics.scene import Scene
from util.statistics.direction import Better

Measure = Callable[[Scene], Tensor]
"""A definition: scene → (B,) in float64."""


@dataclass(frozen=True)
class Convention:
    """Another published definition under the same name.

    Attributes:
        measure: computes it.
        text: how it differs and who uses it, in a few words.
    """

    measure: Measure
    text: str


@dataclass(frozen=True)
class Metric:
    """A metric of a fused image and its sources.

    Attributes:
        name: the column's name.
        title: its name in words.
        measure: computes it in the recommended convention.
        better: which values are better.
        text: the recommended convention in a few words.
        source: the paper.
        conventions: name → another convention, asked for as `name@convention`.
        defective: the flaw of the published definition, where that is the default for comparability; empty if none.
    """

    name: str
    title: str
    measure: Measure
    better: Better
    text: str
    source: str
    conventions: Mapping[str, Convention] = field(default_factory=dict)
    defective: str = ""
