"""What both pages share: the shell of a page with its styles and scripts inside, and how it comes to disk."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

import dominate
from dominate import tags
from dominate.util import raw

ASSETS = Path(__file__).parent / "assets"
SORTABLE = ("vendor/sortable-tablesort/sortable.min.js", "vendor/sortable-tablesort/sortable.a11y.min.js")
"""The scripts of tables of the class `sortable`."""
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def new_page(title: str, styles: Sequence[str], scripts: Sequence[str]) -> dominate.document:
    """An empty page with its styles and scripts inside, so that it opens from disk and needs no network.

    A content security policy allows exactly these scripts: even a text that slipped through the escaping could not
    run.

    Args:
        title: the page's title, any text.
        styles: CSS files below `assets/`, in order.
        scripts: JavaScript files below `assets/`, in order; run after the body is there.

    Returns:
        The page; add to its `main`, render it with `render_page`.
    """
    codes = [(ASSETS / name).read_text(encoding="utf-8") for name in scripts]
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'" for code in codes)
    page = dominate.document(title=title, lang="en")
    page.head.add(
        tags.meta(charset="utf-8"),
        tags.meta(
            http_equiv="Content-Security-Policy",
            content=f"script-src {hashes}; connect-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'",
        ),
        tags.meta(name="viewport", content="width=device-width, initial-scale=1"),
        tags.meta(name="color-scheme", content="light dark"),
        tags.link(rel="icon", href="data:,"),
        tags.style(raw("\n".join((ASSETS / name).read_text(encoding="utf-8") for name in styles))),
    )
    page.footer.add(*(tags.script(raw(code)) for code in codes))
    return page


def render_page(page: dominate.document) -> str:
    """The page as HTML text. Without indentation, which would double the size of a page with hundreds of rows."""
    return str(page.render(pretty=False)) + "\n"


def fact_list(facts: Mapping[str, str]) -> tags.dl:
    """Facts as a definition list."""
    return tags.dl(*(tags.div(tags.dt(str(name)), tags.dd(str(value))) for name, value in facts.items()), cls="facts")


def page_header(title: str, *content: tags.html_tag) -> tags.header:
    """The head of a page: its title and what belongs below."""
    return tags.header(tags.h1(title), *content, cls="page-head")


def image_url(path: str) -> str:
    """A path relative to the page, with forward slashes and any other characters, as an URL.

    Raises:
        ValueError: when the path is empty, absolute or leaves the page's folder.
    """
    parts = PurePosixPath(path)
    if not parts.parts or parts.is_absolute() or ".." in parts.parts:
        raise ValueError(f"{path!r}: an image's path must be relative to the page and stay in its folder")
    return quote(parts.as_posix().encode("utf-8", "surrogateescape"), safe="/")


def scrolling(table: tags.table, label: str) -> tags.div:
    """A table that scrolls by itself; `label` says what it is to who cannot see it."""
    return tags.div(table, cls="scroll", tabindex="0", role="region", aria_label=label)


def thumbnail_size() -> tags.label:
    """The slider for the size of thumbnails."""
    slider = tags.input_(type="range", id="thumb", min="100", max="640", step="20", value="240")
    return tags.label(tags.span("Thumbnails", cls="label"), slider)


def sort_key(value: float) -> str:
    """What the sort script reads; an empty key (nan) always goes last."""
    return "" if math.isnan(value) else repr(float(value)).replace("inf", "Infinity")


def script_json(content: Any) -> str:
    """JSON that can stand in a script element: no text of it can end the element.

    Raises:
        ValueError: NaN or infinity, which JSON does not know.
    """
    return json.dumps(content, allow_nan=False, separators=(",", ":")).translate(_ESCAPES)
