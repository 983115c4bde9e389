"""A comparison of methods as files: tables, images and the page that shows them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data.scenes.fused_items import FusedItem
from scripts.comparing.compared_images import check_images, file_names, remove_others, write_images
from util.errors import one_line
from util.metrics import METRICS, REFERENCE_SUFFIX, describe
from util.metrics.measuring import Values
from util.metrics.tables import metric_names, write_csv, write_json
from util.report.comparison_page import ComparedSet, write_comparison_page
from util.report.comparison_tables import MetricText
from util.statistics.direction import Better
from util.statistics.ranking import Overall, SetRanking, rank_over_sets, rank_set, take_comparable

_PAGE, _TABLE = "index.html", "compare.json"


@dataclass(frozen=True)
class SetResult:
    """What came out for one set of scenes.

    Attributes:
        name: of the set.
        items: method → its images.
        values: method → item's name → metric → value.
        ranking: of the methods.
    """

    name: str
    items: Mapping[str, Sequence[FusedItem]]
    values: Mapping[str, Mapping[str, Values]]
    ranking: SetRanking


@dataclass(frozen=True)
class Comparison:
    """Methods compared on one set or more.

    Attributes:
        sets: one or more, with the same methods in the same order.
        overall: the order over all sets.
        seed: of the resampling.
        resamples: how many.
    """

    sets: Sequence[SetResult]
    overall: Overall
    seed: int
    resamples: int


def compare_sets(
    measured: Mapping[str, tuple[Mapping[str, Sequence[FusedItem]], Mapping[str, Mapping[str, Values]]]],
    *,
    seed: int,
    resamples: int,
) -> Comparison:
    """Ranks the methods on each set and over all.

    Args:
        measured: set → its items and values, as in `SetResult`.
        seed: of the resampling.
        resamples: how many.

    Raises:
        UserError: a set with nothing to compare.
    """
    rng = np.random.default_rng(seed)
    sets = []
    for name, (items, values) in measured.items():
        metrics = metric_names(row for rows in values.values() for row in rows.values())
        better: dict[str, Better] = {metric: describe(metric)[0] for metric in metrics}
        sets.append(SetResult(name, items, values, rank_set(take_comparable(values, better), rng, resamples)))
    return Comparison(sets, rank_over_sets([one.ranking for one in sets]), seed, resamples)


def write_comparison(folder: Path, comparison: Comparison, skipped: Sequence[str] = ()) -> None:
    """Writes ranks.csv, metrics.csv, compare.json, the images and index.html.

    What an earlier comparison left in the folder is replaced: its page goes first and the new one comes last, so that
    no page ever shows images that are not its own; its images that the new one does not show are removed.

    Args:
        folder: where they go; made when missing.
        comparison: what came out.
        skipped: a line on each image that could not be used.

    Raises:
        UserError: an image that cannot be read, a place that cannot be written to, or a symbolic link or an image of
            the comparison where its copies would go; nothing has been written in the last two cases.
    """
    check_images(folder, (item for one in comparison.sets for items in one.items.values() for item in items))
    again = (folder / _TABLE).is_file()
    (folder / _PAGE).unlink(missing_ok=True)
    folders = file_names(one.name for one in comparison.sets)
    sets = [
        ComparedSet(one.name, one.ranking, write_images(folder, name, one.items, one.ranking.of.images))
        for one, name in zip(comparison.sets, folders, strict=True)
    ]
    _write_tables(folder, comparison)
    _write_page(folder / _PAGE, comparison, sets, skipped)
    # Where no comparison was before, files below images/ are not ours to remove.
    if again:
        shown = [scene for one in sets for scene in one.images]
        remove_others(folder, (path for scene in shown for path in (*scene.fused, *scene.others.values())))


def _write_page(path: Path, comparison: Comparison, sets: Sequence[ComparedSet], skipped: Sequence[str]) -> None:
    metrics = list(dict.fromkeys(name for one in comparison.sets for name in one.ranking.of.metrics))
    images = sum(len(one.ranking.of.images) for one in comparison.sets)
    facts = {
        "Sets": ", ".join(one.name for one in comparison.sets),
        "Methods": str(len(comparison.sets[0].items)),
        "Images per method": str(images),
        "Metrics": str(len(metrics)),
        "Measured on": _measured_on(metrics),
        "Resamples": f"{comparison.resamples} (seed {comparison.seed})",
    }
    write_comparison_page(
        path,
        title="Comparison of fusion methods",
        facts=facts,
        sets=sets,
        overall=comparison.overall,
        metrics={name: _metric_text(name) for name in metrics},
        notes=[*remarks(comparison), *(f"Skipped: {line}" for line in skipped)],
    )


def _measured_on(metrics: Sequence[str]) -> str:
    """See `compute_metrics`."""
    against = [name.endswith(REFERENCE_SUFFIX) for name in metrics]
    grey = [] if all(against) else ["grey (luma), in whole levels"]
    return "; ".join([*grey, *(["against a reference all channels"] if any(against) else [])])


def remarks(comparison: Comparison) -> list[str]:
    """What a reader must know of values that are missing."""
    lines = []
    for one in comparison.sets:
        ranking, of = one.ranking, one.ranking.of
        if of.left_out:
            lines.append(f"{one.name}: left out, as not all methods have it: {', '.join(of.left_out)}.")
        for method, name in enumerate(of.methods):
            missing = {metric: int(n) for metric, n in zip(of.metrics, ranking.undefined[method], strict=True) if n}
            if missing:
                counts = ", ".join(f"{metric} on {count}" for metric, count in missing.items())
                lines.append(f"{one.name}: {name} has no value, where others have, and ranks last there: {counts}.")
        partial = [
            f"{metric} over {count}"
            for metric, count in zip(of.metrics, ranking.counted.tolist(), strict=True)
            if count < len(of.images)
        ]
        if partial:
            lines.append(
                f"{one.name}: means over fewer than {len(of.images)} images, since a value is not finite for some "
                f"method on the others: {', '.join(partial)}."
            )
    return lines


def leaderboard_text(comparison: Comparison) -> str:
    """The leaderboard for a terminal."""
    overall = comparison.overall
    methods = [one_line(method) for method in comparison.sets[0].ranking.of.methods]
    width = max(6, *(len(method) for method in methods))
    lines = [f" #  {'method':<{width}}  mean rank  95 % interval  ± metrics  ± images  won  first in"]
    positions = overall.positions()
    for method in overall.order():
        low, high = overall.interval[:, method]
        interval = "–" if math.isnan(low) else f"{low:5.2f} – {high:5.2f}"
        lines.append(
            f"{positions[method]:2d}  {methods[method]:<{width}}  {overall.mean_rank[method]:9.2f}  {interval:>13}  "
            f"{_known(overall.spread_over_metrics[method], '.2f'):>9}  "
            f"{_known(overall.spread_over_images[method], '.2f'):>8}  "
            f"{overall.won[method]:3d}  {_known(overall.first[method], '.0%').replace('%', ' %'):>8}"
        )
    return "\n".join(lines)


def _known(value: float, form: str) -> str:
    """A number in this form, a dash where there is none."""
    return "–" if math.isnan(value) else format(value, form)


def _metric_text(name: str) -> MetricText:
    base = METRICS.get(name.partition("@")[0])
    text = describe(name)[1]
    if base is None or name.endswith(REFERENCE_SUFFIX):
        return MetricText("", text)
    return MetricText(base.title, text, "" if "@" in name else base.defective)


def _write_tables(folder: Path, comparison: Comparison) -> None:
    methods = comparison.sets[0].ranking.of.methods
    ranks = []
    for method in comparison.overall.order():
        row = _figures(comparison.overall, method)
        for one in comparison.sets if len(comparison.sets) > 1 else ():
            row |= {f"{one.name}: {name}": value for name, value in _figures(one.ranking.overall, method).items()}
        ranks.append(((methods[method],), row))
    write_csv(folder / "ranks.csv", ("method",), ranks)
    rows = [
        ((one.name, method, item), values)
        for one in comparison.sets
        for method, items in one.values.items()
        for item, values in items.items()
    ]
    write_csv(folder / "metrics.csv", ("set", "method", "name"), rows)
    content = {
        "seed": comparison.seed,
        "resamples": comparison.resamples,
        "overall": {name: _figures(comparison.overall, method) for method, name in enumerate(methods)},
        "sets": {one.name: _set_content(one.ranking) for one in comparison.sets},
    }
    write_json(folder / _TABLE, content)


def _figures(overall: Overall, method: int) -> dict[str, float]:
    return {
        "mean_rank": float(overall.mean_rank[method]),
        "low": float(overall.interval[0, method]),
        "high": float(overall.interval[1, method]),
        "spread_over_metrics": float(overall.spread_over_metrics[method]),
        "spread_over_images": float(overall.spread_over_images[method]),
        "metrics_won": int(overall.won[method]),
        "first_in": float(overall.first[method]),
    }


def _set_content(ranking: SetRanking) -> dict[str, Any]:
    of, pairs = ranking.of, ranking.pairs
    overall = pairs.overall_ahead, pairs.overall_p, pairs.overall_adjusted
    by_metric = pairs.ahead, pairs.p, pairs.adjusted
    return {
        "images": of.images,
        "left_out": of.left_out,
        "images_needed": {"metrics": pairs.images_needed, "overall": pairs.overall_images_needed},
        "overall": {name: _figures(ranking.overall, method) for method, name in enumerate(of.methods)},
        "metrics": {
            metric: {
                "better": of.better[k],
                "images": int(ranking.counted[k]),
                "methods": {name: _metric_content(ranking, method, k) for method, name in enumerate(of.methods)},
            }
            for k, metric in enumerate(of.metrics)
        },
        "pairs": [
            {
                "one": of.methods[one],
                "other": of.methods[other],
                "distance": ranking.distance(one, other),
                "overall": _pair_content(overall, one, other),
                "metrics": {name: _pair_content(by_metric, one, other, k) for k, name in enumerate(of.metrics)},
            }
            for one, other in itertools.combinations(range(len(of.methods)), 2)
        ],
    }


def _pair_content(values: Sequence[npt.NDArray[Any]], *index: int) -> dict[str, float]:
    """Which of two methods is better, as 1, -1 or 0, and the p-values of that."""
    ahead, p, adjusted = (array[index].item() for array in values)
    return {"ahead": int(ahead), "p": p, "p_adjusted": adjusted}


def _metric_content(ranking: SetRanking, method: int, metric: int) -> dict[str, Any]:
    return {
        "mean": float(ranking.mean[method, metric]),
        "sd": float(ranking.sd[method, metric]),
        "interval": ranking.mean_interval[:, method, metric].tolist(),
        "rank_of_mean": float(ranking.rank_of_mean[method, metric]),
        "mean_rank": float(ranking.mean_rank[method, metric]),
        "without_value": int(ranking.undefined[method, metric]),
    }
