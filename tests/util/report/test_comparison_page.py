import json
import math
import re
from html import unescape

import numpy as np
import pytest

from util.report.comparison_page import ComparedImages, ComparedSet, write_comparison_page
from util.report.comparison_tables import MetricText
from util.report.verdict import distance_text, percent, signed_percent, verdict
from util.statistics.ranking import rank_over_sets, rank_set, take_comparable

NASTY = '<img src=x onerror="alert(1)">\' & ü </script><!--<script> #1 50%'
BETTER = {"EN": "higher", "MSE": "lower", "Bias": "zero"}
TEXTS = {"EN": MetricText("entropy", "base 2"), "MSE": MetricText("error", "mean", "it <b>breaks</b>")}


def values(methods, images, step=1.0):
    """Every method is better than the next one in all metrics and images, the more the later the image."""
    return {
        method: {
            f"scene {p}": {
                "EN": 9 - step * place * (1 + p / 10),
                "MSE": 1 + step * place * (1 + p / 10),
                "Bias": -0.125 - step * place,
            }
            for p in range(images)
        }
        for place, method in enumerate(methods)
    }


def compared(name, measured):
    ranking = rank_set(take_comparable(measured, BETTER), np.random.default_rng(0), 200)
    scenes = []
    for number, _ in enumerate(ranking.of.images):
        paths = [f"images/{method} #{number}.png" for method in range(len(measured))]
        scenes.append(ComparedImages(paths, {"source ir": paths[0]}, "32 × 24"))
    return ComparedSet(name, ranking, scenes)


def write(path, *sets, **changes):
    overall = rank_over_sets([one.ranking for one in sets])
    arguments = {"title": "T", "facts": {"Seed": "0"}, "metrics": TEXTS, "sets": sets, "overall": overall}
    write_comparison_page(path, **{**arguments, **changes})
    return path.read_text(encoding="utf-8")


def plain(html):
    return unescape(re.sub(r"<[^>]*>", "", html))


def table(kind, html):
    return re.search(rf'<table class="{kind}".*?</table>', html, flags=re.DOTALL)[0]


def embedded(text):
    return json.loads(re.search(r'<script id="data" type="application/json">(.*?)</script>', text)[1])


@pytest.fixture
def page(tmp_path):
    return write(tmp_path / "new" / "index.html", compared("lytro", values("BAC", 12)))


def test_leaderboard_has_the_best_first(page):
    rows = re.findall(r'<tr><td class="number">(\d)</td><th scope="row" title=".">(.)</th>(.*?)</tr>', page)
    assert [row[:2] for row in rows] == [("1", "B"), ("2", "A"), ("3", "C")]
    assert [re.findall(r">([^<>]+)<", row[2]) for row in rows][:2] == [
        ["1.00", "1.00 – 1.00", "0.00", "0.00", "3", "100 %"],
        ["2.00", "2.00 – 2.00", "0.00", "0.00", "0", "0 %"],
    ]
    assert "--low: 50.00%; --mean: 50.00%; --high: 50.00%" in rows[1][2]


def test_verdict_is_as_sure_as_the_test(tmp_path, page):
    sentence = "by more than chance would explain (p = 0.001): its means are 61 % better in the median metric."
    assert f"B comes first, before A, {sentence}" in plain(page)
    few = plain(write(tmp_path / "few.html", compared("lytro", values("AB", 5))))
    assert "Whether that is chance cannot be said from 5 images: 6 or more are needed, and intervals" in few
    noise = values("AB", 6, step=0)
    for number, image in enumerate(noise["A"].values()):
        image["EN"] += 1 if number else -1
    even = plain(write(tmp_path / "even.html", compared("lytro", noise)))
    assert "A comes first, before B, but by no more than chance may explain (p = 0.22)." in even


def test_means_name_best_second_and_direction(page):
    means = table("sortable n-last means", page)
    heads = re.findall(r'<th class="number".*?</th>', means, flags=re.DOTALL)
    assert [plain(head) for head in heads] == ["EN↑", "MSE↓!", "Bias→0"]
    assert 'title="error\nmean\nlower is better\nDefective: it &lt;b&gt;breaks&lt;/b&gt;"' in heads[1]
    assert re.findall(r'<tr data-method="(\d)">', means) == ["0", "1", "2"]
    marks = re.findall(r'<a(?: class="([^"]*)")? href="#images">([^<]*)</a>', means)
    assert marks[0] == ("best", "9.0000")
    assert [mark[0] for mark in marks] == ["best"] * 3 + ["second"] * 3 + [""] * 3
    assert marks[2] == ("best", "0.1250")  # the distance from zero


def test_a_difference_that_may_be_chance_is_marked_only_where_it_could_be_shown(tmp_path):
    noise = values("AB", 12, step=0)
    for number, image in enumerate(noise["A"].values()):
        image["EN"] += 1 if number % 3 else -1
    text = write(tmp_path / "noise.html", compared("lytro", noise))
    assert text.count('class="remark" title="no significant difference') == 1
    assert "⇅" not in text
    few = write(tmp_path / "few.html", compared("lytro", values("AB", 6)))
    assert "≈" not in few
    assert "With 6 images no difference in a single metric can be significant" in plain(few)
    assert 'class="sure"' not in few
    assert 'class="star"' in few  # over all metrics six are enough for two methods


def test_pairs(page):
    rows = re.findall(r'<tr><th scope="row" title=".">(.)</th>(.*?)</tr>', table("pairs", page), flags=re.DOTALL)
    cells = [(name, [plain(cell) for cell in re.findall(r"<td.*?</td>", row, flags=re.DOTALL)]) for name, row in rows]
    assert cells == [
        ("B", ["·", "3★3 : 0Δ +61 %", "3★3 : 0Δ +76 %"]),
        ("A", ["00 : 3Δ −61 %", "·", "3★3 : 0Δ +38 %"]),
        ("C", ["00 : 3Δ −76 %", "00 : 3Δ −38 %", "·"]),
    ]
    assert "significantly better in 0, worse in 3, not significant in 0\nits means are 61 % worse in the median" in page


def outlier():
    """Of 20 images B is better in 19, and A by far in one, so that its mean is better."""
    of_a = [9.9] * 19 + [85.9]
    return {
        "A": {f"scene {number}": {"EN": value} for number, value in enumerate(of_a)},
        "B": {f"scene {number}": {"EN": 10.0} for number, _ in enumerate(of_a)},
    }


def test_a_mean_that_the_test_contradicts_is_marked(tmp_path):
    text = write(tmp_path / "index.html", compared("lytro", outlier()))
    sentence = "by more than chance would explain (p < 0.001), although its means are 27 % worse in the median metric."
    assert f"B comes first, before A, {sentence}" in plain(text)
    rows = re.findall(r"<tr data-method.*?</tr>", table("sortable n-last means", text), flags=re.DOTALL)
    assert re.findall(r'class="(best|second|remark)"[^>]*>([^<]*)<', rows[0]) == [("second", "10.000"), ("remark", "⇅")]
    assert re.findall(r'class="(best|second|remark)"[^>]*>([^<]*)<', rows[1]) == [("best", "13.700")]
    assert "⇅ significantly better than the best over the images, though its mean is worse." in plain(text)
    cells = re.findall(r"<td.*?</td>", table("pairs", text), flags=re.DOTALL)
    assert [plain(cell) for cell in cells] == ["·", "0★1 : 0Δ −27 %", "10 : 1Δ +27 %", "·"]


def test_a_first_place_that_the_test_contradicts_is_called_so():
    """B is ahead of A by a tenth of a rank in 19 images, and last in one."""
    metrics = [f"m{number}" for number in range(20)]
    measured = {
        method: {f"scene {number}": dict.fromkeys(metrics, -float(place)) for number in range(20)}
        for place, method in enumerate("ABCDEFGHIJ")
    }
    for number in range(19):
        measured["A"][f"scene {number}"] |= dict.fromkeys(metrics[:11], -1.5)
    measured["B"]["scene 19"] |= dict.fromkeys(metrics, -9.5)
    ranking = rank_set(take_comparable(measured, dict.fromkeys(metrics, "higher")), np.random.default_rng(0), 100)
    sentence = (
        "A comes first, before B by the mean rank, although over the images it is significantly behind (p = 0.002)."
    )
    assert plain(verdict(ranking).render(pretty=False)) == sentence


def test_methods_of_the_same_mean_rank_share_the_first_place(tmp_path):
    measured = values("ABCD", 12)
    measured["B"] = measured["C"] = measured["A"]
    text = write(tmp_path / "index.html", compared("lytro", measured))
    assert "A, B and C share the first place." in plain(text)
    rows = re.findall(r'<tr><td class="number">(\d)</td><th scope="row" title=".">(.)</th>(<td.*?</td>)', text)
    assert [row[:2] for row in rows] == [("1", "A"), ("1", "B"), ("1", "C"), ("4", "D")]
    assert ["<strong>" in row[2] for row in rows] == [True, True, True, False]
    measured.pop("C")
    assert "A and B share the first place." in plain(write(tmp_path / "two.html", compared("lytro", measured)))


@pytest.mark.parametrize(
    ("share", "text", "signed"),
    [
        (0.996, "100 %", "+100 %"),
        (1.44, "144 %", "+144 %"),
        (0.994, "99 %", "+99 %"),
        (0.0123, "1.2 %", "+1.2 %"),
        (0.0001, "0.01 %", "+0.01 %"),
        (0.00001, "< 0.01 %", "< +0.01 %"),
        (0.0, "0 %", "0 %"),
        (math.nan, "–", "–"),
    ],
)
def test_shares(share, text, signed):
    assert (percent(share), signed_percent(share)) == (text, signed)


def test_shares_below_zero():
    assert (signed_percent(-0.00001), signed_percent(-0.5)) == ("> −0.01 %", "−50 %")
    assert distance_text(-0.00001) == "its means are less than 0.01 % worse in the median metric"
    assert distance_text(0.0) == "its means are the same in the median metric"


def test_a_method_without_a_value_shows_a_dash_and_no_distance(tmp_path):
    measured = values("ABC", 7)
    measured["C"] = {name: dict.fromkeys(image, math.nan) for name, image in measured["C"].items()}
    text = write(tmp_path / "index.html", compared("lytro", measured))
    rows = re.findall(r'<tr data-method="(\d)">(.*?)</tr>', table("sortable n-last means", text), flags=re.DOTALL)
    assert [(method, row.count("<a ")) for method, row in rows] == [("0", 3), ("1", 3), ("2", 0)]
    assert rows[2][1].count(">–<") == 3
    measured.pop("B")
    without = plain(write(tmp_path / "two.html", compared("lytro", measured)))
    assert "A comes first, before C, by more than chance would explain (p = 0.016)." in without
    assert "Δ –" in without


def test_one_is_not_called_several_and_won_is_over_all_sets(tmp_path):
    sets = [compared(name, values("AB", 1)) for name in ("one", "two")]
    text = write(tmp_path / "index.html", *sets)
    assert "1 image, 3 metrics" in text
    assert "With 1 image no difference" in text
    assert "1 images" not in text
    assert 'title="best mean value, in so many of 6 metrics, those of all sets together"' in text
    assert text.count('title="best mean value, in so many of 3 metrics"') == 2
    assert "Over several sets those of each set are added" in text


def test_several_sets_have_a_leaderboard_each_and_one_for_all(tmp_path):
    text = write(tmp_path / "index.html", compared("one", values("AB", 3)), compared("two", values("AB", 9)))
    assert text.count('class="sortable asc n-last leaderboard"') == 3
    assert "Over 2 sets, each of which counts the same." in text
    assert [len(one["scenes"]) for one in embedded(text)] == [3, 9]


def test_the_data_say_what_the_script_shows(tmp_path):
    measured = values("AB", 2)
    measured["B"]["scene 0"] |= {"EN": math.inf, "MSE": math.nan}
    (data,) = embedded(write(tmp_path / "index.html", compared("lytro", measured)))
    assert data["values"] == [[[9, 1, -0.125], [9, 1, -0.125]], [["Infinity", "NaN", -1.125], [7.9, 2.1, -1.125]]]
    assert data["ranks"] == [[[2, 1, 1], [1, 1, 1]], [[1, 2, 2], [2, 2, 2]]]
    assert data["scenes"][1]["fused"] == ["images/0%20%231.png", "images/1%20%231.png"]
    assert data["titles"] == ["entropy", "error", ""]


def test_every_text_is_escaped(tmp_path):
    measured = {NASTY: values("A", 2)["A"], "B": {}}
    measured[NASTY][NASTY] = measured["B"][NASTY] = measured[NASTY].pop("scene 0")
    measured["B"]["scene 1"] = {"EN": 1.0}
    text = write(
        tmp_path / "index.html",
        *(compared(name, measured) for name in (NASTY, "other")),
        title=NASTY,
        facts={NASTY: NASTY},
        metrics={"EN": MetricText(NASTY, NASTY, NASTY)},
        notes=[NASTY],
    )
    assert "<img" not in re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert text.count("</script>") == text.count("<script")
    assert embedded(text)[0]["methods"] == [NASTY, "B"]


def test_an_image_outside_of_the_page_is_refused(tmp_path):
    one = compared("lytro", values("AB", 1))
    outside = ComparedSet("lytro", one.ranking, [ComparedImages(["../a.png", "b.png"], {})])
    with pytest.raises(ValueError, match=r"\.\./a\.png"):
        write(tmp_path / "index.html", outside)
    assert not (tmp_path / "index.html").exists()
