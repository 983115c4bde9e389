r"""The page of a training: losses, validation and images, from disk, while it runs and afterwards.

The page opens from `file://`, where it may not fetch a file; what it can do is run a script or show a frame. A script
is a poor container: one torn line is a syntax error and hides all others. So the journal of the records is *text* in a
tiny HTML page: a head that posts the text to the page around it, then `<pre>` and one line of JSON per record. HTML has
no syntax errors: a file cut at any byte still shows everything before the cut, and the page skips lines that are no
whole JSON object. As `<`, `>` and `&` are written as `\u003c` and so on, no record can become markup, and none is ever
run.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from dominate import tags

from util.files import write_text
from util.journal import Entry, Journal, read_journal
from util.report.page import fact_list, image_url, new_page, page_header, render_page, script_json

STYLES = ("vendor/uplot/uPlot.min.css", "common.css", "viewer.css", "training_page.css")
RECORDS = "records.html"
# The text goes to whichever page shows this file in a frame: on file:// every file is an origin of its own.
HEAD = (
    '<!DOCTYPE html><meta charset="utf-8"><title>Training records</title>'
    '<script>addEventListener("load",()=>parent.postMessage(document.querySelector("pre").textContent,"*"))</script>'
    "<pre>\n"
)
_IN_JAVASCRIPT = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
SCRIPTS = ("vendor/uplot/uPlot.iife.min.js", "viewer.js", "charts.js", "training_page.js")


class TrainingPage:
    """Writes `index.html` once and then adds one line to `records.html` per event: each event costs the same."""

    def __init__(
        self,
        folder: Path,
        title: str,
        facts: Mapping[str, str],
        *,
        keep: Callable[[Entry], bool] | None = None,
        samples: int = 0,
    ) -> None:
        """Writes the page.

        Args:
            folder: where the page goes (`checkpoints/NAME/web`); made when missing. Images lie inside it.
            title: the page's title.
            facts: what a reader should know about the training, in order.
            keep: of a resumed training, which records ("kind", "samples", "epoch") were made before the point
                where it takes up; the others and torn lines go. None starts anew.
            samples: samples seen before the training starts or resumes.
        """
        before = read_journal(folder / RECORDS) if keep else []
        kept = [record for record in before if record.get("kind") != "finish" and keep and keep(record)]
        self._records = Journal(folder / RECORDS, kept, to_line=script_json, head=HEAD)
        self._samples = samples
        write_text(folder / "index.html", _page_text(title, facts))
        self._records.append({"kind": "start", "samples": self._samples, "time": _now()})

    def add_values(self, kind: str, samples: int, epoch: int, values: Mapping[str, float]) -> None:
        """Adds a point to the curves.

        Args:
            kind: "losses", where `lr` (or `lr_…`) and `samples_per_s` get their own charts and the others are grouped
                by what stands before the first underscore; or "validation", with a chart per name, in which
                `X_average` (the value of the plain average of the sources) is a reference line of `X`.
            samples: training samples seen so far.
            epoch: the epoch they belong to.
            values: name → value, may be nan or infinite.
        """
        self._add(kind, samples, epoch, values=_plain_values(values))

    def add_images(self, samples: int, epoch: int, images: Mapping[str, str]) -> None:
        """Adds a set of images, label → path relative to the folder, with forward slashes.

        Raises:
            ValueError: when a path leaves the folder.
        """
        self._add("images", samples, epoch, images=[[label, image_url(path)] for label, path in images.items()])

    def finish(self, status: str) -> None:
        """Says how the training ended, for example "finished" or "interrupted"."""
        self._records.append({"kind": "finish", "samples": self._samples, "status": status, "time": _now()})

    def _add(self, kind: str, samples: int, epoch: int, **content: object) -> None:
        self._samples = int(samples)
        self._records.append({"kind": kind, "samples": int(samples), "epoch": int(epoch), "time": _now(), **content})


def _plain_values(values: Mapping[str, float]) -> dict[str, float | str]:
    """Values that JSON can hold; those that are not finite as JavaScript's `Number` reads them."""
    numbers = {name: float(value) for name, value in values.items()}
    return {name: value if math.isfinite(value) else _IN_JAVASCRIPT[str(value)] for name, value in numbers.items()}


def _now() -> float:
    return round(time.time(), 1)


def _page_text(title: str, facts: Mapping[str, str]) -> str:
    """The page without its content, which the scripts make from the records."""
    page = new_page(title, STYLES, SCRIPTS)
    main = page.main.add(tags.main(id="training", data_records=RECORDS))
    status = tags.p(tags.span("no record yet", id="status"), tags.span(id="progress"), cls="status", role="status")
    main.add(
        page_header(title, status, fact_list(facts)),
        tags.noscript(tags.p("The curves are drawn by scripts, which are switched off in this browser.")),
        _toolbar(),
        tags.p(id="problem", cls="notes", hidden=True),
        tags.section(tags.h2("Losses"), tags.div(cls="charts", id="losses"), hidden=True),
        tags.section(tags.h2("Validation"), tags.div(cls="charts", id="validation"), hidden=True),
        _images(),
        tags.section(tags.h2("Learning rate and speed"), tags.div(cls="charts", id="pace"), hidden=True),
    )
    return render_page(page)


def _toolbar() -> tags.div:
    return tags.div(
        tags.label(
            tags.span("Smoothing", cls="label"),
            tags.input_(type="range", id="smoothing", min="0", max="0.995", step="0.005", value="0.9"),
            tags.output("0.90", id="smoothing-value"),
        ),
        tags.label(tags.input_(type="checkbox", id="log"), "Logarithmic losses"),
        tags.label(tags.input_(type="checkbox", id="follow"), "Reload every 30 s"),
        tags.span("Drag in a chart to zoom, double-click to see all", cls="hint"),
        cls="toolbar needs-script",
    )


def _images() -> tags.section:
    return tags.section(
        tags.h2("Images"),
        tags.div(
            tags.button("←", type="button", id="older", aria_label="Older images"),
            tags.input_(type="range", id="moment", min="0", max="0", value="0", aria_label="Moment of the images"),
            tags.button("→", type="button", id="newer", aria_label="Newer images"),
            tags.output(id="moment-text"),
            cls="stepper",
        ),
        tags.div(id="shots", cls="shots"),
        id="images",
        hidden=True,
    )
