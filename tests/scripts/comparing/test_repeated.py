import csv
import json
import math

import pytest

from engine.fusing.results import ItemResult, write_tables
from scripts.comparing.repeated import RepeatedSet, read_tested, read_validated, table_text, write_repeated
from util.errors import UserError

MEANS = {0: {"EN": 6.0, "QSF": -0.5}, 1: {"EN": 7.0, "QSF": math.nan}, 7: {"EN": 8.5, "QSF": 0.5}}
MEANINGS = {"EN": ("higher", "entropy"), "QSF": ("zero", "ratio")}


def test_the_table_has_a_column_per_seed_and_the_spread_of_a_sample():
    lines = table_text([RepeatedSet("tno", MEANS, MEANINGS)]).splitlines()
    assert lines[0] == "tno"
    assert lines[1].split() == ["metric", "seed", "0", "seed", "1", "seed", "7", "mean", "±", "sd"]
    assert lines[2].split() == ["EN", "↑", "6.0000", "7.0000", "8.5000", "7.1667", "±", "1.2583"]
    assert lines[3].split() == [
        "QSF",
        "→0",
        *("-0.50000", "nan", "0.50000"),
        *("0.00000", "±", "0.70711"),
        "(2",
        "finite)",
    ]


def test_one_seed_has_no_spread(tmp_path):
    one = RepeatedSet("tno", {3: {"EN": 6.0}}, MEANINGS)
    assert table_text([one]).splitlines()[2].split() == ["EN", "↑", "6.0000", "6.0000", "±", "n/a"]
    write_repeated(tmp_path, "city", {}, [one])
    assert (tmp_path / "repeated.csv").read_text() == "set,metric,seed 3,mean,sd,finite\ntno,EN,6,6,nan,1\n"
    assert json.loads((tmp_path / "repeated.json").read_text())["sets"]["tno"]["summary"]["EN"]["sd"] is None
    assert "One seed has no standard deviation" in (tmp_path / "tno" / "index.html").read_text()


def test_files(tmp_path):
    sets = [
        RepeatedSet("tno", MEANS, MEANINGS),
        RepeatedSet("<b>", {0: {"SD": 1.0}, 1: {"SD": 2.0}, 7: {}}, {"SD": ("higher", "")}),
    ]
    written = write_repeated(tmp_path / "new", "city, 3 seeds", {"seeds": "0 1 7"}, sets)
    assert all(path.is_file() for path in written)
    with (tmp_path / "new" / "repeated.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["set"], row["metric"]) for row in rows] == [("tno", "EN"), ("tno", "QSF"), ("<b>", "SD")]
    assert float(rows[0]["sd"]) == pytest.approx(1.25830573921)
    assert (rows[1]["seed 1"], rows[1]["finite"]) == ("nan", "2")
    assert (rows[2]["seed 1"], rows[2]["seed 7"]) == ("2", "")
    content = json.loads((tmp_path / "new" / "repeated.json").read_text())
    assert content["facts"] == {"seeds": "0 1 7"}
    assert content["sets"]["tno"]["seeds"]["7"] == {"EN": 8.5, "QSF": 0.5}
    entry = content["sets"]["tno"]["summary"]["QSF"]
    assert {name: entry[name] for name in ("mean", "finite", "better", "definition")} == {
        **{"mean": 0.0, "finite": 2, "better": "zero", "definition": "ratio"}
    }
    page = (tmp_path / "new" / "tno" / "index.html").read_text()
    assert "<h1>city, 3 seeds, tno</h1>" in page
    assert "± 1.2583" in page
    assert "seed 7" in page


def test_what_test_py_measured_is_read(tmp_path):
    for seed, values in ((0, (6.0, 8.0)), (1, (math.inf, math.inf)), (2, (math.nan, math.nan))):
        pairs = [
            ItemResult(f"p{n}", (1, 1), {}, {"EN": v, "PSNR@reference_average": 1.0}) for n, v in enumerate(values)
        ]
        write_tables(tmp_path / str(seed), pairs)
    found = read_tested("tno", {seed: tmp_path / str(seed) for seed in range(3)})
    assert [found.means[seed]["EN"] for seed in (0, 1)] == [7.0, math.inf]
    assert math.isnan(found.means[2]["EN"])
    assert found.meanings["PSNR@reference_average"][0] == "higher"
    assert "∞" in table_text([found])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"summary": {"EN": {}}}', '{"summary": {"EN": {"mean": "x"}}}'])
def test_another_file_is_named(tmp_path, text):
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(UserError, match=r"metrics\.json: cannot be read as the values of a test"):
        read_tested("tno", {0: tmp_path})


def test_the_validation_is_that_of_the_last_epoch(tmp_path):
    records = [
        {"kind": "validation", "epoch": 1, "samples": 4, "PSNR": 20.0},
        {"kind": "losses", "epoch": 2, "samples": 8, "G_L1": 1.0},
        {"kind": "validation", "epoch": 2, "samples": 8, "PSNR": "inf", "PSNR_average": 22.0},
        {"kind": "losses", "epoch": 3, "samples": 9, "G_L1": 2.0},
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    found = read_validated("validation", {0: tmp_path, 1: tmp_path / "none"})
    assert found.means == {0: {"PSNR": math.inf, "PSNR_average": 22.0}, 1: {}}
    assert found.meanings["PSNR"][0] == "higher"
