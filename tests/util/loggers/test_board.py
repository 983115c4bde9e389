import math

import numpy as np

from util.loggers.board import LONGEST, Board, Chart
from util.loggers.events import TrainingEvent


def losses(samples, **values):
    return TrainingEvent("losses", samples, 1, values=values)


def test_values_are_sorted_into_charts():
    board = Board("run", {"model": "pix2pix"})
    board.add(losses(4, G_L1=2.0, D_real=0.5, lr=2e-4, samples_per_s=30.0))
    values = {"PSNR": 20.0, "PSNR_average": 19.0, "rate_average": 3.0}
    board.add(TrainingEvent("validation", 4, 1, values=values))
    windows = board.take_changes()
    charts = {name: window.names() for name, window in windows.items() if isinstance(window, Chart)}
    assert charts == {
        "losses": ["G_L1", "D_real"],
        "learning rate": ["lr"],
        "samples per second": ["samples_per_s"],
        "validation PSNR": ["PSNR", "PSNR_average"],
        "validation rate_average": ["rate_average"],
    }
    assert next(iter(windows)) == "about"
    assert dict(windows["about"].facts)["model"] == "pix2pix"
    assert dict(windows["about"].facts)["last record"].startswith("epoch 1, 4 samples")


def test_only_what_has_changed_is_taken_until_everything_is_asked_for():
    board = Board("run", {})
    board.add(losses(2, G=1.0, lr=0.1))
    board.add(TrainingEvent("images", 2, 1, images={"fused": np.zeros((2, 3, 3), np.uint8)}))
    assert list(board.take_changes()) == ["about", "losses", "image fused", "learning rate"]
    assert not board.has_changes()
    board.add(losses(4, G=2.0))
    assert list(board.take_changes()) == ["about", "losses"]
    board.touch_all()
    assert list(board.take_changes()) == ["about", "losses", "image fused", "learning rate"]


def test_what_was_taken_does_not_change_afterwards():
    board = Board("run", {})
    board.add(losses(2, G=1.0))
    taken = board.take_changes()["losses"]
    board.add(losses(4, G=1.0))
    assert len(taken.rows) == 1


def test_values_that_are_not_finite_or_not_there_are_gaps():
    chart = Chart("x", [(2, {"a": 1.0, "b": math.inf}), (4, {"a": math.nan}), (6, {"a": -math.inf, "b": 3.0})])
    samples, values = chart.columns()
    assert samples.tolist() == [2, 4, 6]
    np.testing.assert_array_equal(values, [[1, np.nan], [np.nan, np.nan], [np.nan, 3]])


def test_long_curves_are_thinned_but_end_where_they_end():
    chart = Chart("x", [(number, {"a": float(number)}) for number in range(2 * LONGEST + 2)])
    samples, values = chart.columns()
    assert len(samples) <= LONGEST
    assert samples[-1] == 2 * LONGEST + 1
    assert len(set(np.diff(samples))) == 1
    assert values[:, 0].tolist() == samples.tolist()


def test_a_chart_that_grows_for_ever_keeps_a_bounded_number_of_rows_and_its_newest():
    chart = Chart("x")
    for number in range(20 * LONGEST + 3):
        chart.add(number, {"a": 1.0} if number else {"first": 1.0})
        assert chart.rows[-1][0] == number
        assert len(chart.rows) <= 2 * LONGEST + 1
    assert chart.names() == ["first", "a"], "a name whose only row is gone is still a curve"
    samples, _ = chart.columns()
    assert samples[-1] == 20 * LONGEST + 2
    assert LONGEST / 2 < len(samples) <= LONGEST
    assert len(set(np.diff([row for row, _ in chart.rows[:-1]]))) == 1, "thinned alike"


def test_the_end_is_its_state():
    board = Board("run", {})
    assert dict(board.take_changes()["about"].facts)["state"] == "running"
    board.add(TrainingEvent("end", 4, 1, text="stopped after 4 samples: no space", whole=False))
    assert dict(board.take_changes()["about"].facts)["state"] == "stopped after 4 samples: no space"
