"""What is known of a metric beside its formula."""

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
        text: what differs, and who publishes it so, in a few words.
    """

    measure: Measure
    text: str


@dataclass(frozen=True)
class Metric:
    """A metric of a fused image and its sources.

    Attributes:
        name: the column's name.
        title: what it is called in words.
        measure: computes it in the recommended convention.
        better: which values are better.
        range: the values that it can have, such as "0 to 1".
        text: the recommended convention in a few words.
        source: the paper.
        conventions: name → another convention, asked for as `name@convention`.
        defective: what is wrong with the published definition that is the default for comparability; empty if nothing.
    """

    name: str
    title: str
    measure: Measure
    better: Better
    range: str
    text: str
    source: str
    conventions: Mapping[str, Convention] = field(default_factory=dict)
    defective: str = ""
