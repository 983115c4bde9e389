"""The tables of the comparison page: the order of the methods, their means, and each against each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from dominate import tags

from util.report.columns import ARROWS, MEANINGS, Column, make_columns
from util.report.page import scrolling, sort_key
from util.report.verdict import count_text, distance_text, p_text, signed_percent
from util.statistics.direction import Better
from util.statistics.ranking import Array, Overall, SetRanking

_REMARKS = {
    "alike": ("≈", "no significant difference from the best"),
    "ahead": ("⇅", "significantly better than the best over the images, though its mean is worse"),
}
"""Behind a mean: what the test says of it and the best one, as a mark and in words."""


@dataclass(frozen=True)
class MetricText:
    """What a reader should know of a metric.

    Attributes:
        title: what it is called in words.
        text: the convention it is computed in.
        defective: what is wrong with the published definition; empty if nothing.
    """

    title: str
    text: str
    defective: str = ""


def leaderboard(
    methods: Sequence[str], overall: Overall, per_set: Mapping[str, Array], *, label: str = "Leaderboard"
) -> tags.div:
    """The methods, the best first.

    Args:
        methods: names.
        overall: their figures.
        per_set: set → (M,) mean ranks, as further columns.
        label: says what the table is to who cannot see it.
    """
    known = np.append(overall.interval[~np.isnan(overall.interval)], overall.mean_rank)
    start, end = math.floor(known.min()), math.ceil(known.max())
    head = tags.tr(
        tags.th("#", scope="col", cls="number"),
        tags.th("Method", scope="col"),
        tags.th("Mean rank", scope="col", cls="number", title="over all metrics and images; 1 is the best possible"),
        tags.th("95 % interval", scope="col", cls="number", title="if other images of this kind had been taken"),
        tags.th(tags.div(tags.span(str(start)), tags.span(str(end))), scope="col", cls="no-sort axis"),
        tags.th("± metrics", scope="col", cls="number", title="spread of its mean ranks in the single metrics"),
        tags.th("± images", scope="col", cls="number", title="spread of its mean ranks in the single images"),
        tags.th("Won", scope="col", cls="number", title=_won_of(overall, several=bool(per_set))),
        tags.th("First in", scope="col", cls="number", title="share of the resamples in which it is the best"),
        *(_column_heading(name, cls="number", title=f"mean rank on {name} alone") for name in per_set),
    )
    body = tags.tbody()
    positions = overall.positions()
    for method in overall.order():
        low, high = overall.interval[:, method]
        share = overall.first[method]
        row = tags.tr(
            tags.td(str(positions[method]), cls="number"),
            _row_heading(methods[method]),
            _number(overall.mean_rank[method], strong=positions[method] == 1),
            tags.td("–" if math.isnan(low) else f"{low:.2f} – {high:.2f}", cls="number", data_sort=sort_key(low)),
            tags.td(_bar(overall.mean_rank[method], low, high, (start, end)), cls="axis"),
            _number(overall.spread_over_metrics[method]),
            _number(overall.spread_over_images[method]),
            tags.td(str(int(overall.won[method])), cls="number"),
            tags.td("–" if math.isnan(share) else f"{100 * share:.0f} %", cls="number", data_sort=sort_key(share)),
            *(_number(ranks[method]) for ranks in per_set.values()),
        )
        body.add(row)
    return scrolling(tags.table(tags.thead(head), body, cls="sortable asc n-last leaderboard"), label)


def _won_of(overall: Overall, *, several: bool) -> str:
    metrics = count_text(overall.metrics, "metric")
    return f"best mean value, in so many of {metrics}{', those of all sets together' if several else ''}"


def _row_heading(name: str) -> tags.th:
    """A method's name, which the style cuts where it is long; so does `_column_heading`."""
    return tags.th(name, scope="row", title=name)


def _column_heading(name: str, **attributes: str) -> tags.th:
    return tags.th(tags.span(name, cls="name"), scope="col", **attributes)


def _number(value: float, *, strong: bool = False) -> tags.td:
    text = "–" if math.isnan(value) else f"{value:.2f}"
    return tags.td(tags.strong(text) if strong else text, cls="number", data_sort=sort_key(value))


def _bar(mean: float, low: float, high: float, axis: tuple[int, int]) -> tags.div:
    """The interval on an axis of mean ranks."""
    start, end = axis

    def place(rank: float) -> str:
        return f"{100 * (rank - start) / max(end - start, 1):.2f}%"

    low, high = (mean, mean) if math.isnan(low) else (low, high)
    style = f"--low: {place(low)}; --mean: {place(mean)}; --high: {place(high)}"
    return tags.div(
        tags.span(cls="bar-interval"), tags.span(cls="bar-mean"), cls="bar", style=style, aria_hidden="true"
    )


def value_columns(ranking: SetRanking) -> list[Column]:
    """How the values of each metric are written."""
    of = ranking.of
    return make_columns([dict(zip(of.metrics, means, strict=True)) for means in ranking.mean.tolist()], {})


def mean_table(ranking: SetRanking, texts: Mapping[str, MetricText], number: int) -> tags.div:
    """The mean of every metric (column) and method (row), the best overall first; `number` tells the script the set."""
    of, columns = ranking.of, value_columns(ranking)
    head = tags.tr(tags.th("Method", scope="col"))
    for name, better in zip(of.metrics, of.better, strict=True):
        head.add(_metric_heading(name, better, texts.get(name)))
    body = tags.tbody()
    for method in ranking.overall.order():
        row = body.add(tags.tr(_row_heading(of.methods[method]), data_method=str(method)))
        for metric, column in enumerate(columns):
            row.add(_mean_cell(ranking, column, method, metric))
    table = tags.table(tags.thead(head), body, cls="sortable n-last means", data_set=str(number))
    return scrolling(table, "Mean values")


def _metric_heading(name: str, better: Better, text: MetricText | None) -> tags.th:
    tip = [MEANINGS[better]]
    heading = tags.th(name, scope="col", cls="number")
    heading.add(tags.span(ARROWS[better], cls="arrow", aria_label=MEANINGS[better], role="img"))
    if text:
        tip = [text.title, text.text, *tip, *([f"Defective: {text.defective}"] if text.defective else [])]
        if text.defective:
            heading.add(tags.span("!", cls="defect", aria_label="defective definition", role="img"))
    heading["title"] = "\n".join(tip)
    return heading


def _mean_cell(ranking: SetRanking, column: Column, method: int, metric: int) -> tags.td:
    mean, sd = float(ranking.mean[method, metric]), float(ranking.sd[method, metric])
    if math.isnan(mean):
        return tags.td("–", cls="number absent", data_sort="")
    low, high = ranking.mean_interval[:, method, metric].tolist()
    facts = [
        f"mean {mean!r}",
        *([] if math.isnan(low) else [f"95 % interval {column.text(low)} – {column.text(high)}"]),
        f"mean rank over the images {ranking.mean_rank[method, metric]:.2f}",
    ]
    link = tags.a(column.text(mean), href="#images", cls=_place_class(ranking, method, metric))
    cell = tags.td(link, cls="number")
    if remark := against_best(ranking, method, metric):
        mark, words = _REMARKS[remark]
        cell.add(tags.span(mark, cls="remark", title=words))
        facts.append(words)
    if not math.isnan(sd):
        cell.add(tags.span(f"± {column.text(sd)}", cls="sd"))
    cell["title"] = "\n".join(facts)
    cell["data-sort"] = sort_key(mean)
    return cell


def _best(ranking: SetRanking, metric: int) -> list[int]:
    """The methods with the best mean; none if all are the same."""
    ranks = ranking.rank_of_mean[:, metric]
    return [] if (ranks == ranks[0]).all() else np.flatnonzero(ranks == ranks.min()).tolist()


def _place_class(ranking: SetRanking, method: int, metric: int) -> str:
    best, ranks = _best(ranking, metric), ranking.rank_of_mean[:, metric]
    if method in best:
        return "best"
    rest = [rank for other, rank in enumerate(ranks) if other not in best]
    # Two that share the first place leave no second one.
    return "second" if len(best) == 1 and ranks[method] == min(rest) else ""


def against_best(ranking: SetRanking, method: int, metric: int) -> Literal["alike", "ahead"] | None:
    """What the test says of a method whose mean is not the best; None where it says the same, or nothing.

    Returns:
        "alike" where no difference from any of the best is significant; with too few images that says nothing.
        "ahead" where the method is significantly better than one of them: a few outliers make a mean, not a test.
    """
    best, pairs = _best(ranking, metric), ranking.pairs
    if not best or method in best or math.isnan(ranking.mean[method, metric]):
        return None
    found = pairs.significant[method, best, metric]
    if (found > 0).any():
        return "ahead"
    return "alike" if pairs.images >= pairs.images_needed and not found.any() else None


def mean_legend(ranking: SetRanking) -> tags.p:
    """What the marks in the table of means say, those only that may be there."""
    of, pairs = ranking.of, ranking.pairs
    cells = [(method, metric) for method in range(len(of.methods)) for metric in range(len(of.metrics))]
    legend = tags.p("Mean ± standard deviation over the images. ", cls="legend")
    legend.add(tags.strong("Best", cls="best"), ", ", tags.span("second", cls="second"))
    there = {against_best(ranking, *cell) for cell in cells}
    if pairs.images >= pairs.images_needed:
        there.add("alike")
    for remark, (mark, words) in _REMARKS.items():
        if remark in there:
            legend.add(", ", tags.span(mark, cls="remark"), f" {words}")
    legend.add(". ", tags.span("Click a number for the images behind it.", cls="needs-script"))
    return legend


def pair_table(ranking: SetRanking) -> tags.div:
    """How often the row's method beats the column's."""
    names, order = ranking.of.methods, ranking.overall.order()
    head = tags.tr(
        tags.th("better than …", scope="col"),
        *(_column_heading(names[method], title=names[method]) for method in order),
    )
    body = tags.tbody()
    for one in order:
        row = body.add(tags.tr(_row_heading(names[one])))
        row.add(*(tags.td("·", cls="absent") if one == other else _pair_cell(ranking, one, other) for other in order))
    return scrolling(tags.table(tags.thead(head), body, cls="pairs"), "Each method against each other one")


def _pair_cell(ranking: SetRanking, one: int, other: int) -> tags.td:
    of, pairs = ranking.of, ranking.pairs
    wins, count = int((ranking.rank_of_mean[one] < ranking.rank_of_mean[other]).sum()), len(of.metrics)
    distance = ranking.distance(one, other)
    cell = tags.td(tags.span(str(wins), cls="wins"))
    facts = [f"{of.methods[one]} has a better mean than {of.methods[other]} in {wins} of {count_text(count, 'metric')}"]
    if pairs.images >= pairs.overall_images_needed:
        facts.append(f"over all metrics: {p_text(pairs.overall_adjusted[one, other])}")
        if pairs.overall_significant[one, other] > 0:
            cell.add(tags.span("★", cls="star"))
    if pairs.images >= pairs.images_needed:
        better = pairs.better()
        yes, no = int(better[one, other]), int(better[other, one])
        cell.add(tags.span(f"{yes} : {no}", cls="sure"))
        facts.append(f"significantly better in {yes}, worse in {no}, not significant in {count - yes - no}")
    cell.add(tags.span(f"Δ {signed_percent(distance)}", cls="apart"))
    if not math.isnan(distance):
        facts.append(distance_text(distance))
    cell["title"] = "\n".join(facts)
    cell["style"] = f"--share: {wins / count:.3f}"
    return cell
