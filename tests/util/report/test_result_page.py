import math
import re

import pytest

from util.report.result_page import ResultRow, write_result_page

NASTY = '<img src=x onerror="alert(1)">\' & ü </script> #1 50%'


def write(path, **changes):
    arguments = {
        "title": "A test",
        "facts": {"Network": "IFCNN"},
        "rows": [
            ResultRow("pair-10", {"fused": "images/a b.png"}, {"EN": 7.0, "MSE": 0.5}, "520 x 390"),
            ResultRow("pair-9", {"fused": "images/c.png"}, {"EN": math.nan, "MSE": 0.25}),
        ],
        "directions": {"EN": "higher", "MSE": "lower"},
    }
    write_result_page(path, **{**arguments, **changes})
    return path.read_text(encoding="utf-8")


def test_content(tmp_path):
    text = write(tmp_path / "new" / "index.html", notes=["one was skipped"])
    assert "<h1>A test</h1>" in text
    assert "<dt>Network</dt><dd>IFCNN</dd>" in text
    assert "<li>one was skipped</li>" in text
    assert 'href="images/a%20b.png"' in text
    assert '<img alt="fused of pair-9" decoding="async" loading="lazy" src="images/c.png">' in text
    assert "--shape: 520 / 390" in text
    assert "higher is better" in text
    assert "lower is better" in text
    assert "1 of 2 are finite" in text


def test_metrics_are_explained_where_one_points_at_them(tmp_path):
    text = write(tmp_path / "index.html", explanations={"EN": 'entropy, in "bits"'})
    assert text.count('title="entropy, in &quot;bits&quot;"') == 2  # in the summary and in the table


def test_best_value_is_marked_and_nan_sorts_last(tmp_path):
    text = write(tmp_path / "index.html")
    cells = re.findall(r'<td class="number" data-sort="([^"]*)" title="([^"]*)">(.*?)</td>', text)
    assert cells == [
        ("7.0", "7.0", "7.0000"),
        ("0.5", "0.5", "0.50000"),
        ("", "nan", "nan"),
        ("0.25", "0.25", '<strong class="best">0.25000</strong>'),
    ]


def test_names_sort_naturally(tmp_path):
    text = write(tmp_path / "index.html")
    assert re.findall(r'<th data-sort="(\d+)" scope="row"><a [^>]*>([^<]*)<', text) == [
        ("1", "pair-10"),
        ("0", "pair-9"),
    ]


def test_every_text_is_escaped(tmp_path):
    text = write(
        tmp_path / "index.html",
        title=NASTY,
        facts={NASTY: NASTY},
        rows=[ResultRow(NASTY, {NASTY: f"images/{NASTY}.png".replace("</", "")}, {NASTY: 1.0}, NASTY)] * 2,
        directions={NASTY: "higher"},
        notes=[NASTY],
    )
    body = re.sub(r"<(script|style)>.*?</\1>", "", text, flags=re.DOTALL)
    assert "<img src=x" not in body
    assert 'onerror="' not in body
    assert body.count("&lt;img src=x onerror=&quot;alert(1)&quot;&gt;") > 10


def test_no_rows_and_rows_without_images_or_values(tmp_path):
    assert "0 of 0" in write(tmp_path / "index.html", rows=[])
    text = write(tmp_path / "index.html", rows=[ResultRow("a", values={"EN": 1.0}), ResultRow("b", values={"SD": 1.0})])
    assert '<td class="number absent" data-sort="">–</td>' in text
    assert 'id="cards"' not in text
    assert 'id="values"' not in write(tmp_path / "index.html", rows=[ResultRow("a", {"fused": "a.png"})])


def test_a_bad_path_leaves_no_page(tmp_path):
    with pytest.raises(ValueError, match="stay in its folder"):
        write(tmp_path / "index.html", rows=[ResultRow("a", {"fused": "../a.png"})])
    assert list(tmp_path.iterdir()) == []
