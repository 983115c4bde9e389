"""The page of a comparison of methods: who is best, how sure that is, and the images behind each number."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dominate import tags
from dominate.util import raw

from util.files import write_text
from util.report.columns import ARROWS, MEANINGS
from util.report.comparison_tables import MetricText, leaderboard, mean_legend, mean_table, pair_table, value_columns
from util.report.page import (
    SORTABLE,
    fact_list,
    image_url,
    new_page,
    page_header,
    render_page,
    script_json,
    thumbnail_size,
)
from util.report.verdict import count_text, verdict
from util.statistics.ranking import CONFIDENCE, Overall, SetRanking
from util.statistics.significance import ALPHA

STYLES = ("common.css", "viewer.css", "result_page.css", "comparison_page.css")
SCRIPTS = (*SORTABLE, "viewer.js", "comparison_page.js")
_DIGITS = 7  # of the values that the page's script shows; the tables on disk have all


@dataclass(frozen=True)
class ComparedImages:
    """The images of one scene; paths are relative to the page, with forward slashes.

    Attributes:
        fused: (M,) of each method, in their order.
        others: label ("source ir", "reference") → path.
        size: width and height as text, for example "520 × 390".
    """

    fused: Sequence[str]
    others: Mapping[str, str]
    size: str = ""


@dataclass(frozen=True)
class ComparedSet:
    """One set of scenes.

    Attributes:
        name: any text.
        ranking: what its values say.
        images: (P,) of each scene, in the order of `ranking.of.images`.
    """

    name: str
    ranking: SetRanking
    images: Sequence[ComparedImages]


def write_comparison_page(
    path: Path,
    *,
    title: str,
    facts: Mapping[str, str],
    sets: Sequence[ComparedSet],
    overall: Overall,
    metrics: Mapping[str, MetricText],
    notes: Sequence[str] = (),
) -> None:
    """Writes the page, whole or not at all. It is one file that refers to nothing but the images.

    Args:
        path: the page; its folder is made when missing.
        title: the page's title.
        facts: what a reader should know, in order.
        sets: the sets, all with the same methods.
        overall: the order of the methods over all sets.
        metrics: metric → what to know of it.
        notes: remarks, shown above the tables.

    Raises:
        ValueError: when an image's path is absolute or leaves the page's folder.
    """
    page = new_page(title, STYLES, SCRIPTS)
    main = page.main.add(tags.main())
    main.add(page_header(title, fact_list(facts)))
    if notes:
        main.add(tags.ul(*(tags.li(note) for note in notes), cls="notes"))
    main.add(_leaderboard(sets, overall))
    for number, one in enumerate(sets):
        main.add(_set_section(number, one, metrics, alone=len(sets) == 1))
    main.add(_images_section(), _metric_list(sets, metrics), _reading())
    content = [_set_data(one, metrics) for one in sets]
    main.add(tags.script(raw(script_json(content)), type="application/json", id="data"))
    write_text(path, render_page(page))


def _leaderboard(sets: Sequence[ComparedSet], overall: Overall) -> tags.section:
    section = tags.section(tags.h2("Leaderboard"), aria_label="Leaderboard")
    several = len(sets) > 1
    if several:
        section.add(tags.p(f"Over {len(sets)} sets, each of which counts the same.", cls="hint"))
    else:
        section.add(verdict(sets[0].ranking))
    per_set = {one.name: one.ranking.overall.mean_rank for one in sets} if several else {}
    section.add(
        leaderboard(sets[0].ranking.of.methods, overall, per_set),
        tags.p(
            "Several metrics measure nearly the same thing, and a family of metrics counts as often as it has members: "
            "the order over all metrics is one opinion among many. --metrics chooses others.",
            cls="hint below",
        ),
    )
    return section


def _set_section(number: int, one: ComparedSet, metrics: Mapping[str, MetricText], *, alone: bool) -> tags.section:
    section = tags.section(cls="set", aria_label=one.name)
    heading = tags.h3
    if alone:
        heading = tags.h2
    else:
        section.add(
            tags.h2(one.name, tags.span(_extent(one.ranking), cls="size")),
            verdict(one.ranking),
            leaderboard(one.ranking.of.methods, one.ranking.overall, {}, label=f"Leaderboard of {one.name}"),
        )
    section.add(heading("Mean values"), mean_legend(one.ranking), mean_table(one.ranking, metrics, number))
    section.add(heading("Each against each"), _pair_legend(one.ranking), pair_table(one.ranking))
    return section


def _extent(ranking: SetRanking) -> str:
    return f"{count_text(len(ranking.of.images), 'image')}, {count_text(len(ranking.of.metrics), 'metric')}"


def _pair_legend(ranking: SetRanking) -> tags.p:
    pairs, count = ranking.pairs, count_text(len(ranking.of.metrics), "metric")
    legend = tags.p(f"In how many of {count} the row's mean is better than the column's", cls="legend")
    if pairs.images >= pairs.images_needed:
        legend.add(
            f"; below, in how many the images show a significant difference: better : worse (α\u00a0=\u00a0{ALPHA}, "
            "corrected for all pairs and metrics)"
        )
    if pairs.images >= pairs.overall_images_needed:
        legend.add("; ", tags.span("★", cls="star"), " significantly better over all metrics")
    legend.add("; Δ by how much the row's means are better (+) or worse (−), in the median metric.")
    if pairs.images < pairs.images_needed:
        legend.add(
            tags.strong(
                f" With {count_text(pairs.images, 'image')} no difference in a single metric can be significant "
                "once it is corrected for all pairs and metrics, however large: that takes "
                f"{pairs.images_needed} images."
            )
        )
    return legend


def _images_section() -> tags.section:
    """Filled by the script: hundreds of cards per metric would make a heavy page."""
    return tags.section(
        tags.h2("Images behind the numbers"),
        tags.noscript(tags.p("Scripts, which are switched off, show them here; they lie in the folder images.")),
        tags.div(
            tags.label(tags.span("Set", cls="label"), tags.select(id="set"), id="set-label"),
            tags.label(tags.span("Metric", cls="label"), tags.select(id="metric")),
            tags.label(tags.span("First", cls="label"), tags.select(id="order")),
            thumbnail_size(),
            tags.span("Click an image: ", tags.kbd("1"), tags.kbd("2"), tags.kbd("3"), " flip", cls="hint"),
            cls="toolbar needs-script",
        ),
        tags.p(id="chosen", cls="legend needs-script"),
        tags.div(id="cards"),
        tags.button("Show more", type="button", id="more", hidden=True),
        id="images",
        aria_label="Images behind the numbers",
    )


def _metric_list(sets: Sequence[ComparedSet], metrics: Mapping[str, MetricText]) -> tags.details:
    ways = {name: way for one in sets for name, way in zip(one.ranking.of.metrics, one.ranking.of.better, strict=True)}
    rows = tags.tbody()
    for name, way in ways.items():
        text = metrics.get(name, MetricText("", ""))
        convention = tags.td(text.text)
        if text.defective:
            convention.add(tags.span(f"Defective: {text.defective}", cls="defect-text"))
        rows.add(
            tags.tr(
                tags.th(name, scope="row"), tags.td(ARROWS[way], title=MEANINGS[way]), tags.td(text.title), convention
            )
        )
    return tags.details(
        tags.summary("The metrics"),
        tags.div(tags.table(rows, cls="metric-list"), cls="scroll"),
        cls="more",
    )


def _reading() -> tags.details:
    items = {
        "Mean rank": "In every image and metric the methods are ranked, 1 for the best; equal values share the mean "
        "of their ranks, and a method without a value where another has one comes last. Averaged over the images, "
        "then over the metrics.",
        "Interval": f"Where the mean rank lies in {100 * CONFIDENCE:.0f} % of the resamples: images drawn anew, with "
        "replacement, from the same set (percentile bootstrap). It says what other images of this kind could change, "
        "and nothing of other kinds, nor of the choice of metrics.",
        "± metrics, ± images": "Standard deviation of the mean ranks in the single metrics and in the single "
        "images: a small one means that the method is as good in most of them.",
        "Won": "In how many metrics the method has the best mean value. Over several sets those of each set are added: "
        "a metric that is measured on two sets counts twice.",
        "First in": "The share of the resamples in which the method has the best mean rank of all.",
        "Significant": "Wilcoxon's signed-rank test over the images, two-sided, corrected by Holm's method for all "
        "pairs of methods and all metrics of the set together; over all metrics it tests the mean ranks of the single "
        "images, corrected for all pairs. Images on which one of the two has no value are left out of the test, "
        f"while they count as last for the rank. α\u00a0=\u00a0{ALPHA}.",
        "Means": "Over the images where all methods have a finite value: means of the same images for all. A "
        "method that has none in a metric is left out there. Where values near zero are best they are means of the "
        "distance from zero. A mean and the test may disagree: a few outliers move a mean, and not the test.",
        "!": "A published definition that is known to be defective; it is computed as published, so that values can be "
        "compared with those of papers.",
    }
    return tags.details(tags.summary("How to read this page"), fact_list(items), cls="more reading")


def _set_data(one: ComparedSet, metrics: Mapping[str, MetricText]) -> dict[str, Any]:
    """What the script needs to show the images of a set."""
    of = one.ranking.of
    return {
        "name": one.name,
        "methods": of.methods,
        "order": one.ranking.overall.order(),
        "metrics": of.metrics,
        "titles": [metrics[name].title if name in metrics else "" for name in of.metrics],
        "better": of.better,
        "decimals": [column.decimals for column in value_columns(one.ranking)],
        "scenes": [
            {
                "name": name,
                "size": images.size,
                "fused": [image_url(path) for path in images.fused],
                "others": [[label, image_url(path)] for label, path in images.others.items()],
            }
            for name, images in zip(of.images, one.images, strict=True)
        ],
        "values": [[[_plain(value) for value in scene] for scene in method] for method in of.values.tolist()],
        "ranks": [[[_plain(rank) for rank in scene] for scene in method] for method in one.ranking.ranks.tolist()],
    }


def _plain(value: float) -> float | int | str:
    """A number that JSON can hold, or the name by which JavaScript's `Number` knows what it cannot."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    short = float(f"{value:.{_DIGITS}g}")
    return int(short) if short.is_integer() and abs(short) < 10**_DIGITS else short
