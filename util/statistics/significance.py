"""Which differences between methods are more than chance: signed-rank tests over images, corrected for their number.

The test is Wilcoxon's signed-rank test (Biometrics Bulletin 1, 1945, 80-83), two-sided: images are paired, and no
distribution of the values is assumed. The correction for many tests is Holm's (Scandinavian Journal of Statistics 6,
1979, 65-70).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

ALPHA = 0.05
TIE = 1e-9
"""Values that differ by less than this part of themselves are the same: they differ by rounding only."""
_EXACT = 50
"""Up to so many images the test is exact; with more its statistic is normal to all that matters."""


@dataclass(frozen=True)
class Pairs:
    """Each method (row) against each other one (column).

    Attributes:
        ahead: (M, M, K) 1 where the row's method tends to be better in a metric, -1 where worse, 0 where neither.
        p: (M, M, K) of the test over images; 1 on the diagonal.
        adjusted: (M, M, K) after Holm's correction over all pairs and metrics.
        overall_ahead: (M, M) as `ahead`, for the mean ranks over all metrics.
        overall_p: (M, M).
        overall_adjusted: (M, M) after Holm's correction over all pairs.
        images: how many the tests are over.
    """

    ahead: Array
    p: Array
    adjusted: Array
    overall_ahead: Array
    overall_p: Array
    overall_adjusted: Array
    images: int

    @property
    def significant(self) -> Array:
        """(M, M, K) `ahead` where that is significant, 0 elsewhere."""
        return np.where(self.adjusted < ALPHA, self.ahead, 0)

    @property
    def overall_significant(self) -> Array:
        """(M, M) `overall_ahead` where that is significant, 0 elsewhere."""
        return np.where(self.overall_adjusted < ALPHA, self.overall_ahead, 0)

    def better(self) -> Array:
        """(M, M) in how many metrics the row's method is significantly better than the column's."""
        return np.asarray((self.significant > 0).sum(axis=2))

    @property
    def images_needed(self) -> int:
        """With fewer images no difference in a single metric can be significant, however large it is."""
        methods, _, metrics = self.p.shape
        return images_needed(math.comb(methods, 2) * metrics)

    @property
    def overall_images_needed(self) -> int:
        """The same for the mean ranks over all metrics."""
        return images_needed(math.comb(len(self.p), 2))


def compare_pairs(scores: Array, mean_ranks: Array) -> Pairs:
    """Tests every pair of methods in every metric, and over all metrics.

    Args:
        scores: (M, P, K), the higher the better; images where one of the two has none are left out.
        mean_ranks: (M, P) the mean rank over all metrics, the lower the better.
    """
    methods, images, metrics = scores.shape
    ahead, p = np.zeros((methods, methods, metrics)), np.ones((methods, methods, metrics))
    overall_ahead, overall_p = np.zeros((methods, methods)), np.ones((methods, methods))
    for one, other in combinations(range(methods), 2):
        for metric in range(metrics):
            found = signed_rank_test(scores[one, :, metric], scores[other, :, metric])
            _set_pair(ahead[..., metric], p[..., metric], one, other, found)
        _set_pair(overall_ahead, overall_p, one, other, signed_rank_test(-mean_ranks[one], -mean_ranks[other]))
    return Pairs(ahead, p, _correct(p), overall_ahead, overall_p, _correct(overall_p), images)


def _set_pair(ahead: Array, p: Array, one: int, other: int, found: tuple[int, float]) -> None:
    ahead[one, other], p[one, other] = found
    ahead[other, one], p[other, one] = -found[0], found[1]


def signed_rank_test(one: Array, other: Array) -> tuple[int, float]:
    """Wilcoxon's signed-rank test of paired scores (P,), two-sided.

    Equal pairs and pairs with a NaN are left out. Differences of the same size share the mean of their ranks. For few
    pairs the p-value is exact under these ties: the share of all 2^n choices of signs whose sum of positive ranks is as
    far out as the one found.

    Returns:
        1 if `one` tends to be higher, -1 if lower, 0 if neither; and the p-value, 1 if no pair is left.
    """
    left = ~same(one, other) & ~np.isnan(one) & ~np.isnan(other)
    difference = one[left] - other[left]
    if not difference.size:
        return 0, 1.0
    from scipy import stats  # noqa: PLC0415  # it takes longer to import than all else that a --help needs

    # Rounding errors must not tell differences of the same size apart. Doubled, as a mean rank can be a half.
    ranks = np.rint(2 * stats.rankdata([float(f"{size:.9g}") for size in np.abs(difference)])).astype(np.int64)
    plus, total = int(ranks[difference > 0].sum()), int(ranks.sum())
    ahead = int(np.sign(2 * plus - total))
    if difference.size > _EXACT:
        return ahead, float(stats.wilcoxon(ranks * np.sign(difference), correction=True).pvalue)
    # scipy's exact distribution knows no ties, and counting 2^n signs one by one ends with some twenty images.
    ways = np.zeros(total + 1)
    ways[0] = 1
    for rank in ranks:
        ways[rank:] = ways[rank:] + ways[: total + 1 - rank]
    tail = ways[: min(plus, total - plus) + 1].sum()
    return ahead, float(min(1.0, 2 * tail / ways.sum()))


def holm(p: Array) -> Array:
    """Holm's step-down correction of p-values (T,): the chance of a single false finding among all stays below alpha.

    scipy has none: its `false_discovery_control` bounds the share of false findings, which is less.

    Returns:
        (T,) adjusted p-values, to be compared with alpha itself.
    """
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1)
    return adjusted


def _correct(p: Array) -> Array:
    """Holm's correction of all pairs' p-values (M, M, …); 1 on the diagonal."""
    upper = np.triu_indices(len(p), 1)
    adjusted = np.ones_like(p)
    adjusted[upper] = holm(p[upper].ravel()).reshape(p[upper].shape)
    adjusted.swapaxes(0, 1)[upper] = adjusted[upper]
    return adjusted


def images_needed(tests: int) -> int:
    """The fewest images with which the smallest of `tests` corrected p-values can fall below alpha.

    The smallest p-value of n images is 2 / 2^n, when all differences have one sign, and Holm's first step multiplies
    it by the number of tests.
    """
    return math.floor(math.log2(2 * tests / ALPHA)) + 1


def same(one: Array, other: Array) -> Array:
    """Where scores are equal but for rounding; two NaN are equal."""
    with np.errstate(invalid="ignore"):
        difference = np.abs(one - other)
        near = np.isfinite(difference) & (difference <= TIE * np.maximum(np.abs(one), np.abs(other)))
    return np.asarray(near | (one == other) | (np.isnan(one) & np.isnan(other)))
