"""Which method is best over many images and metrics, and how sure that is: ranks, spreads, bootstrap intervals.

The overall figure is the mean over all metrics of a method's mean rank over all images, with its spreads, as in the
evaluation of GSGIF-GAN (overall mean rank and its stability). Arrays are (methods, images, metrics), in that order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from util.errors import UserError
from util.statistics.direction import Better
from util.statistics.significance import Pairs, compare_pairs, same

Array = npt.NDArray[Any]

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Comparable:
    """The values of one set of images, of those images only that all methods have.

    Attributes:
        methods: names, M of them.
        images: names, P of them.
        metrics: names, K of them.
        better: which values are better, K of them.
        values: (M, P, K) float64; NaN where a metric is not defined.
        left_out: the images that some methods have, but not all.
    """

    methods: tuple[str, ...]
    images: tuple[str, ...]
    metrics: tuple[str, ...]
    better: tuple[Better, ...]
    values: Array
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Overall:
    """The order of the methods over all metrics, in one set or over several.

    Attributes:
        mean_rank: (M,) mean over the metrics of the mean rank over the images; 1 is the best possible.
        interval: (2, M) its confidence interval; NaN with a single image.
        spread_over_metrics: (M,) standard deviation of the mean ranks in the single metrics; NaN for one metric.
        spread_over_images: (M,) standard deviation of the mean ranks in the single images; NaN for one image.
        won: (M,) in how many metrics the mean value is the best of all.
        metrics: of how many.
        first: (M,) the share of the resamples in which the method has the best mean rank; NaN with a single image.
        draws: (resamples, M) the mean ranks in the resamples.
    """

    mean_rank: Array
    interval: Array
    spread_over_metrics: Array
    spread_over_images: Array
    won: Array
    metrics: int
    first: Array
    draws: Array

    def positions(self) -> list[int]:
        """(M,) each method's position, 1 for the best; methods with the same mean rank share one: 1, 1, 3."""
        own, other = self.mean_rank[:, None], self.mean_rank[None, :]
        positions: list[int] = (1 + ((other < own) & ~same(own, other)).sum(axis=1)).tolist()
        return positions

    def order(self) -> list[int]:
        """The methods' numbers, the best first."""
        return np.argsort(self.positions(), kind="stable").tolist()


@dataclass(frozen=True)
class SetRanking:
    """What the values of one set say of the methods.

    Attributes:
        of: the values.
        ranks: (M, P, K), see `rank_methods`.
        undefined: (M, K) on how many images a method has no value where another one has.
        counted: (K,) how many images the means are over: those where all methods have a finite value, but for methods
            that have none on any image.
        mean: (M, K) of the values, or of their distances from zero where those are what counts: values on both sides
            of it must not make up for each other. Infinite where all values are the same infinity; NaN where no
            image counts, and for a method that has no finite value.
        sd: (M, K) their sample standard deviation (ddof = 1); NaN for fewer than two images.
        mean_interval: (2, M, K) confidence interval of the mean; NaN for fewer than two images.
        rank_of_mean: (M, K) the methods in the order of their means.
        mean_rank: (M, K) the mean rank over the images.
        overall: over all metrics.
        pairs: which differences are significant.
    """

    of: Comparable
    ranks: Array
    undefined: Array
    counted: Array
    mean: Array
    sd: Array
    mean_interval: Array
    rank_of_mean: Array
    mean_rank: Array
    overall: Overall
    pairs: Pairs

    def distance(self, one: int, other: int) -> float:
        """How far `one` is ahead of `other`: the median over the metrics of the relative difference of their means.

        Many images make a tiny difference sure; this says whether it is one. A test over images and a mean may
        disagree, too: a single outlier moves the mean alone.

        Returns:
            Positive where `one` is better; NaN where both have a finite mean in no metric.
        """
        scores = score_values(self.mean[[one, other]], self.of.better)
        scores = scores[:, np.isfinite(scores).all(axis=0)]
        largest = np.abs(scores).max(axis=0)
        ahead = np.divide(scores[0] - scores[1], largest, out=np.zeros_like(largest), where=largest > 0)
        return float(np.median(ahead)) if ahead.size else float("nan")


def take_comparable(
    values: Mapping[str, Mapping[str, Mapping[str, float]]], better: Mapping[str, Better]
) -> Comparable:
    """Takes the images that all methods have.

    Args:
        values: method → image → metric → value.
        better: metric → which values are better; the metrics to compare on, in order. One that no image has a value
            of is left out.

    Raises:
        UserError: fewer than two methods, no image that all of them have, or no metric with a value.
    """
    if len(values) < 2:
        raise UserError(f"a comparison needs two or more methods, not {len(values)}")
    everything = list(dict.fromkeys(image for images in values.values() for image in images))
    common = [image for image in everything if all(image in images for images in values.values())]
    if not common:
        raise UserError(f"there is no image that all methods have: {', '.join(values)}")
    array = np.array(
        [[[of[image].get(metric, np.nan) for metric in better] for image in common] for of in values.values()],
        dtype=np.float64,
    ).reshape(len(values), len(common), len(better))
    there: Array = np.asarray(~np.isnan(array).all(axis=(0, 1)))
    if not there.any():
        raise UserError("there is no metric with a value on any image")
    return Comparable(
        methods=tuple(values),
        images=tuple(common),
        metrics=tuple(metric for metric, known in zip(better, there, strict=True) if known),
        better=tuple(way for way, known in zip(better.values(), there, strict=True) if known),
        values=array[:, :, there],
        left_out=tuple(image for image in everything if image not in set(common)),
    )


def score_values(values: Array, better: Sequence[Better]) -> Array:
    """Turns values (…, K) into scores of which the higher is the better; NaN stays."""
    scores = {"higher": values, "lower": -values, "zero": -np.abs(values)}
    return np.stack([scores[way][..., metric] for metric, way in enumerate(better)], axis=-1)


def rank_methods(scores: Array) -> Array:
    """Ranks the methods by scores (M, …), 1 for the highest; methods with the same score share the mean of their ranks.

    As `scipy.stats.rankdata`, but scores that differ by rounding only are the same, and NaN ranks last.

    Returns:
        (M, …); NaN where no method has a score.
    """
    own, other = scores[:, None], scores[None, :]
    tied = same(own, other)
    ahead = ~tied & ((other > own) | (np.isnan(own) & ~np.isnan(other)))
    ranks = 1 + ahead.sum(axis=1) + (tied.sum(axis=1) - 1) / 2
    return np.where(np.isnan(scores).all(axis=0), np.nan, ranks)


def rank_set(of: Comparable, rng: np.random.Generator, resamples: int = 2000) -> SetRanking:
    """Ranks the methods on one set.

    The intervals are those of the percentile bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
    chapter 13): `rng` draws images with replacement, the same ones for all methods and metrics.
    """
    scores = score_values(of.values, of.better)
    ranks = rank_methods(scores)
    from_zero = np.array([way == "zero" for way in of.better])
    values = np.where(from_zero, np.abs(of.values), of.values)
    comparable, counted = _take_counted(values)
    count = len(of.images)
    draws = rng.multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float64)
    endless = np.isinf(values[:, 0]) & (values == values[:, :1]).all(axis=1)
    mean = np.where(endless, values[:, 0], _mean(comparable, axis=1))
    rank_of_mean = rank_methods(score_values(mean, of.better))
    mean_rank = _mean(ranks, axis=1)
    rank_draws = _mean(_resample(ranks, draws), axis=2)
    per_image = _mean(ranks, axis=2)
    overall = Overall(
        mean_rank=_mean(mean_rank, axis=1),
        interval=_interval(rank_draws) if count > 1 else np.full((2, len(of.methods)), np.nan),
        spread_over_metrics=_sd(mean_rank, axis=1),
        spread_over_images=_sd(per_image, axis=1),
        won=_is_best(rank_of_mean).sum(axis=1),
        metrics=len(of.metrics),
        first=_share_first(rank_draws) if count > 1 else np.full(len(of.methods), np.nan),
        draws=rank_draws,
    )
    return SetRanking(
        of=of,
        ranks=ranks,
        undefined=(np.isnan(of.values) & ~np.isnan(ranks)).sum(axis=1),
        counted=counted,
        mean=mean,
        sd=_sd(comparable, axis=1),
        mean_interval=np.where(counted > 1, _interval(_resample(comparable, draws)), np.nan),
        rank_of_mean=rank_of_mean,
        mean_rank=mean_rank,
        overall=overall,
        pairs=compare_pairs(scores, per_image),
    )


def rank_over_sets(sets: Sequence[SetRanking]) -> Overall:
    """The order over several sets of the same methods, in which each set counts the same, whatever its size.

    Mean ranks are averaged, spreads are root mean squares, metrics won are added up. The sets' images were drawn
    independently of each other.
    """
    parts = [one.overall for one in sets]
    draws = np.mean([part.draws for part in parts], axis=0)
    known = not any(np.isnan(part.interval).any() for part in parts)
    unknown = np.full(len(sets[0].of.methods), np.nan)
    return Overall(
        mean_rank=np.mean([part.mean_rank for part in parts], axis=0),
        interval=_interval(draws) if known else np.stack([unknown, unknown]),
        spread_over_metrics=np.sqrt(np.mean([part.spread_over_metrics**2 for part in parts], axis=0)),
        spread_over_images=np.sqrt(np.mean([part.spread_over_images**2 for part in parts], axis=0)),
        won=np.sum([part.won for part in parts], axis=0),
        metrics=sum(part.metrics for part in parts),
        first=_share_first(draws) if known else unknown,
        draws=draws,
    )


def _take_counted(values: Array) -> tuple[Array, Array]:
    """The values (M, P, K) that means are over, the others NaN, and over how many images (K,) they are."""
    finite = np.isfinite(values)
    able = finite.any(axis=1, keepdims=True)
    counts = (finite | ~able).all(axis=0) & able.any(axis=0)
    return np.where(counts & finite, values, np.nan), counts.sum(axis=0)


def _is_best(ranks: Array) -> Array:
    """Where a method has the best rank (M, K); nowhere if all are the same."""
    with np.errstate(invalid="ignore"):
        return (ranks == np.nanmin(ranks, axis=0, initial=np.inf)) & (ranks < (len(ranks) + 1) / 2)


def _share_first(draws: Array) -> Array:
    """The share of draws (B, M) in which each method has the lowest mean rank; those that tie share it."""
    lowest = same(draws, draws.min(axis=1, keepdims=True))
    return np.asarray((lowest / lowest.sum(axis=1, keepdims=True)).mean(axis=0))


def _interval(draws: Array) -> Array:
    """The middle 95 % of draws (B, …): (2, …)."""
    tail = (1 - CONFIDENCE) / 2
    never = np.isnan(draws).all(axis=0)
    return np.where(never, np.nan, np.nanquantile(np.where(never, 0, draws), [tail, 1 - tail], axis=0))


def _resample(values: Array, draws: Array) -> Array:
    """Means over drawn images.

    Args:
        values: (M, P, K); NaN is left out.
        draws: (B, P), how often each image is in a resample.

    Returns:
        (B, M, K); NaN where a resample has no value.
    """
    there = ~np.isnan(values)
    total = np.einsum("bp,mpk->bmk", draws, np.where(there, values, 0), optimize=True)
    count = np.einsum("bp,mpk->bmk", draws, there.astype(np.float64), optimize=True)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / count)


def _mean(values: Array, axis: int) -> Array:
    """Mean of what is not NaN; NaN where nothing is left."""
    return np.asarray(np.ma.masked_invalid(values).mean(axis=axis).filled(np.nan))


def _sd(values: Array, axis: int) -> Array:
    """Sample standard deviation (ddof = 1) of what is not NaN; NaN where fewer than two are left."""
    return np.asarray(np.ma.masked_invalid(values).std(axis=axis, ddof=1).filled(np.nan))
