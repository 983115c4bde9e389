import csv
import json
import math

import pytest

from util.metrics.tables import mean_values, summarise, write_csv, write_json, write_latex

ROWS = [{"EN": 6.5, "PSNR@reference": math.inf}, {"EN": 7.0, "PSNR@reference": 30.0}, {"EN": math.nan, "QSF": -1e-7}]


def test_means_are_over_what_is_finite_and_that_is_counted():
    assert mean_values(ROWS) == {"EN": 6.75, "PSNR@reference": 30.0, "QSF": -1e-7}
    summary = summarise(ROWS)
    assert summary["EN"]["sd"] == pytest.approx(0.5 / math.sqrt(2))
    assert [summary[name]["finite"] for name in summary] == [2, 1, 1]
    assert [summary[name]["better"] for name in summary] == ["higher", "higher", "zero"]
    assert math.isnan(summary["QSF"]["sd"])
    assert "entropy" in summary["EN"]["definition"].lower()


def test_the_mean_of_nothing_but_infinity_is_infinity(tmp_path):
    rows = [{"PSNR": math.inf, "EN": math.inf, "SD": math.nan, "AG": -math.inf, "QSF": math.inf} for _ in range(2)]
    rows[0] |= {"EN": -math.inf, "QSF": math.nan}
    means = mean_values(rows)
    assert (means["PSNR"], means["AG"]) == (math.inf, -math.inf)
    assert all(math.isnan(means[name]) for name in ("EN", "SD", "QSF"))
    summary = summarise(rows)["PSNR"]
    assert (summary["mean"], summary["finite"]) == (math.inf, 0)
    assert math.isnan(summary["sd"])
    write_latex(tmp_path / "m.tex", {"a": rows})
    assert (tmp_path / "m.tex").read_text().splitlines()[1] == r"a & $\infty$ & -- & -- & $-\infty$ & -- \\"


def test_latex_names_stay_in_their_cell(tmp_path):
    write_latex(tmp_path / "m.tex", {"a <b>\n\n|\tc|": [{"EN": 1.0}]})
    row = (tmp_path / "m.tex").read_text().splitlines()[1:]
    assert row == [r"a \textless{}b\textgreater{} \textbar{} c\textbar{} & 1.000 \\"]


def test_csv_keeps_twelve_digits_and_empty_cells(tmp_path):
    rows = [(("a, b", "x"), {"EN": 1 / 3}), (("c", "y"), {"SD": math.nan, "EN": math.inf})]
    write_csv(tmp_path / "m.csv", ("method", "name"), rows)
    with (tmp_path / "m.csv").open(newline="", encoding="utf-8") as file:
        found = list(csv.reader(file))
    assert found == [["method", "name", "EN", "SD"], ["a, b", "x", "0.333333333333", ""], ["c", "y", "inf", "nan"]]


def test_json_is_strict(tmp_path):
    write_json(tmp_path / "m.json", {"a": [math.nan, math.inf, -math.inf, 1.5], "é": {"b": 1}})
    text = (tmp_path / "m.json").read_text(encoding="utf-8")

    def refuse(word):
        raise AssertionError(word)

    assert json.loads(text, parse_constant=refuse) == {"a": [None, "inf", "-inf", 1.5], "é": {"b": 1}}


def test_latex_rows_have_four_digits_and_escaped_names(tmp_path):
    write_latex(tmp_path / "m.tex", {"ours_50%": ROWS, "other": [{"EN": 0.012345, "PSNR@reference": 12345.6}]})
    heading, ours, other = (tmp_path / "m.tex").read_text(encoding="utf-8").splitlines()
    assert heading == (r"Method & EN $\uparrow$ & PSNR@reference $\uparrow$ & QSF $\to 0$ \\ \hline")
    assert ours == r"ours\_50\% & 6.750 & 30.00 & -1.0e-07 \\"
    assert other == r"other & 0.01235 & 12346 & -- \\"
