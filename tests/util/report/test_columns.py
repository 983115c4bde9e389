import math

from util.report.columns import make_columns


def test_mean_and_sd_are_of_the_finite_values_and_the_best_may_be_infinite():
    rows = [{"PSNR": 30.0}, {"PSNR": 34.0}, {"PSNR": math.inf}, {"PSNR": math.nan}, {}]
    (column,) = make_columns(rows, {"PSNR": "higher"})
    assert (column.mean, column.sd, column.finite) == (32.0, math.sqrt(8), 2)
    assert column.best == math.inf


def test_best_follows_the_direction():
    rows = [
        {"up": 1.0, "down": 1.0, "none": 1.0, "same": 2.0, "zero": -0.5},
        {"up": 3.0, "down": 3.0, "none": 3.0, "same": 2.0, "zero": 0.6},
    ]
    columns = make_columns(rows, {"up": "higher", "down": "lower", "same": "higher", "zero": "zero"})
    assert [(column.name, column.best) for column in columns] == [
        ("up", 3.0),
        ("down", 1.0),
        ("none", None),
        ("same", None),
        ("zero", -0.5),
    ]
    assert [column.arrow for column in columns] == ["↑", "↓", "", "↑", "→0"]


def test_one_value_has_no_spread_and_none_has_no_mean():
    one, none = make_columns([{"a": 1.0, "b": math.nan}], {"a": "higher"})
    assert math.isnan(one.sd)
    assert math.isnan(none.mean)
    assert none.text(none.mean) == "nan"


def test_all_values_of_a_column_have_the_same_decimals():
    small, large, tiny = make_columns(
        [{"s": 0.98765432, "l": 12345.678, "t": 1.5e-9}, {"s": 0.5, "l": 1.0, "t": 0.0}], {}
    )
    assert (small.text(0.98765432), small.text(0.5)) == ("0.98765", "0.50000")
    assert (large.text(12345.678), large.text(1.0)) == ("12346", "1")
    assert tiny.text(1.5e-9) == "1.5000e-09"
    assert (small.text(math.inf), small.text(-math.inf)) == ("∞", "-∞")
