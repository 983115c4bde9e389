"""The page of a test: every value and every image, to be sorted, filtered and compared at the same position."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dominate import tags

from util.files import natural_key, write_text
from util.report.columns import Column, make_columns
from util.report.page import (
    SORTABLE,
    fact_list,
    image_url,
    new_page,
    page_header,
    render_page,
    scrolling,
    sort_key,
    thumbnail_size,
)
from util.statistics.direction import Better

STYLES = ("common.css", "viewer.css", "result_page.css")
SCRIPTS = (*SORTABLE, "viewer.js", "result_page.js")


@dataclass(frozen=True)
class ResultRow:
    """One test sample.

    Attributes:
        name: its name, any text.
        images: label ("source 1", "fused", "target") -> path relative to the page with forward slashes, in the order
            to be shown.
        values: metric -> value, may be nan or infinite.
        size: its width and height as text, for example "520 x 520".
    """

    name: str
    images: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    size: str = ""


def write_result_page(
    path: Path,
    *,
    title: str,
    facts: Mapping[str, str],
    rows: Sequence[ResultRow],
    directions: Mapping[str, Better],
    explanations: Mapping[str, str] | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Writes the page, whole or not at all. It is one file that refers to nothing but the images.

    Args:
        path: the page; its folder is made when missing.
        title: the page's title.
        facts: what a reader should know about the test, in order.
        rows: the samples, in order.
        directions: metric -> which values are better; a metric that is not there has no best.
        explanations: metric -> what it is, in a few words; shown where one points at its name.
        notes: remarks, shown above the values.

    Raises:
        ValueError: when an image's path is absolute or leaves the page's folder.
    """
    columns = make_columns([row.values for row in rows], directions)
    known = explanations or {}
    page = new_page(title, STYLES, SCRIPTS)
    main = page.main.add(tags.main())
    main.add(page_header(title, fact_list(facts)))
    if notes:
        main.add(tags.ul(*(tags.li(note) for note in notes), cls="notes"))
    if columns:
        main.add(_summary(columns, known, len(rows)))
    main.add(_toolbar(len(rows)))
    if columns:
        main.add(_table(columns, known, rows))
    if any(row.images for row in rows):
        main.add(
            tags.section(
                tags.h2("Images"),
                tags.div(*(_card(columns, index, row) for index, row in enumerate(rows)), id="cards"),
                aria_label="Images",
            )
        )
    write_text(path, render_page(page))


def _summary(columns: Sequence[Column], explanations: Mapping[str, str], count: int) -> tags.section:
    """Mean and spread of every metric."""
    section = tags.section(tags.h2("Mean ± standard deviation"), aria_label="Summary")
    tiles = section.add(tags.div(cls="tiles"))
    for column in columns:
        tile = tiles.add(tags.div(cls="tile"))
        tile.add(_metric_name(column, explanations, tags.div(cls="tile-name")))
        value = tile.add(tags.div(tags.span(column.text(column.mean), cls="tile-mean"), cls="tile-value"))
        if not math.isnan(column.sd):
            value.add(tags.span(f"± {column.text(column.sd)}", cls="tile-sd"))
        if column.finite < count:
            tile.add(tags.div(f"{column.finite} of {count} are finite", cls="tile-note"))
    return section


def _metric_name(column: Column, explanations: Mapping[str, str], tag: tags.html_tag) -> tags.html_tag:
    tag.add(column.name)
    if column.name in explanations:
        tag["title"] = explanations[column.name]
    if column.arrow:
        tag.add(tags.span(column.arrow, cls="arrow", title=column.meaning, aria_label=column.meaning, role="img"))
    return tag


def _toolbar(count: int) -> tags.div:
    """Filter and thumbnail size; of use only with scripts, so hidden without."""
    return tags.div(
        tags.label(
            tags.span("Filter", cls="label"), tags.input_(type="search", id="filter", placeholder="part of a name")
        ),
        tags.output(f"{count} of {count}", id="count"),
        thumbnail_size(),
        tags.span("Click an image to compare: ", tags.kbd("1"), tags.kbd("2"), tags.kbd("3"), " flip", cls="hint"),
        cls="toolbar needs-script",
        role="search",
    )


def _table(columns: Sequence[Column], explanations: Mapping[str, str], rows: Sequence[ResultRow]) -> tags.section:
    """The values. The sort script takes `data-sort`; an empty one (nan, nothing) always goes last."""
    head = tags.tr(tags.th("Name", scope="col"))
    for column in columns:
        head.add(_metric_name(column, explanations, tags.th(scope="col", cls="number")))
    body = tags.tbody()
    in_order = sorted(range(len(rows)), key=lambda index: natural_key(rows[index].name))
    places = {index: place for place, index in enumerate(in_order)}
    for index, row in enumerate(rows):
        name = tags.th(
            tags.a(row.name, href=f"#sample-{index}") if row.images else row.name,
            scope="row",
            data_sort=str(places[index]),
        )
        body.add(tags.tr(name, *(_cell(column, row) for column in columns), data_index=str(index)))
    return tags.section(
        tags.h2("Values"),
        tags.p(
            tags.span("Click a heading to sort. ", cls="hint"),
            "The best value of a column is ",
            tags.strong("marked", cls="best"),
            ".",
        ),
        scrolling(tags.table(tags.thead(head), body, cls="sortable n-last", id="values"), "Table of values"),
        aria_label="Values",
    )


def _cell(column: Column, row: ResultRow) -> tags.td:
    if column.name not in row.values:
        return tags.td("–", cls="number absent", data_sort="")
    value = float(row.values[column.name])
    cell = tags.td(cls="number", data_sort=sort_key(value), title=repr(value))
    text = column.text(value)
    cell.add(tags.strong(text, cls="best") if value == column.best else text)
    return cell


def _card(columns: Sequence[Column], index: int, row: ResultRow) -> tags.article:
    """One sample with its images. The box of an image has its final shape before the image is there."""
    card = tags.article(id=f"sample-{index}", cls="card", data_index=str(index), data_name=row.name)
    card.add(tags.header(tags.h3(row.name), tags.span(row.size, cls="size") if row.size else ""))
    values = card.add(tags.ul(cls="card-values"))
    for column in columns:
        if column.name in row.values:
            value = float(row.values[column.name])
            text = column.text(value)
            best = value == column.best
            values.add(
                tags.li(tags.span(column.name, cls="label"), tags.strong(text, cls="best") if best else tags.span(text))
            )
    shape = _aspect_ratio(row.size)
    images = card.add(tags.div(cls="shots", **({"style": f"--shape: {shape}"} if shape else {})))
    for label, path in row.images.items():
        url = image_url(path)
        image = tags.img(src=url, alt=f"{label} of {row.name}", loading="lazy", decoding="async")
        images.add(tags.figure(tags.a(image, href=url, cls="shot", data_label=label), tags.figcaption(label)))
    return card


def _aspect_ratio(size: str) -> str:
    """The CSS aspect ratio of a size such as "520 x 390"; empty when there is none."""
    match = re.match(r"\s*(\d+)\s*[x×]\s*(\d+)", size)
    return f"{match[1]} / {match[2]}" if match and int(match[1]) and int(match[2]) else ""
