import dataclasses
import itertools
import math
import warnings

import numpy as np
import pytest
from scipy import stats

from util.errors import UserError
from util.statistics.ranking import rank_methods, rank_over_sets, rank_set, score_values, take_comparable
from util.statistics.significance import compare_pairs, holm, images_needed, signed_rank_test


def table(*methods):
    """Values of methods A, B, …, each a list over the images of lists over the metrics m0, m1, …."""
    return {
        chr(65 + number): {
            f"p{image}": {f"m{metric}": value for metric, value in enumerate(values)}
            for image, values in enumerate(images)
        }
        for number, images in enumerate(methods)
    }


def ranking(*methods, better=("higher",), seed=0, resamples=200):
    ways = {f"m{metric}": way for metric, way in enumerate(better)}
    return rank_set(take_comparable(table(*methods), ways), np.random.default_rng(seed), resamples)


def noisy(shifts, images=20, metrics=3, seed=1):
    rng = np.random.default_rng(seed)
    return [(shift + rng.normal(size=(images, metrics))).tolist() for shift in shifts]


def test_ties_share_the_mean_of_their_ranks():
    assert rank_methods(np.array([3.0, 1.0, 3.0, 5.0])).tolist() == [2.5, 4.0, 2.5, 1.0]


def test_values_that_differ_by_rounding_are_equal():
    assert rank_methods(np.array([0.1 + 0.2, 0.3, 0.3 * (1 + 1e-6)])).tolist() == [2.5, 2.5, 1.0]


def test_infinite_values_are_values():
    assert rank_methods(np.array([math.inf, 40.0, math.inf, -math.inf])).tolist() == [1.5, 3.0, 1.5, 4.0]


def test_nan_ranks_last_and_a_cell_of_nan_has_no_rank():
    ranks = rank_methods(np.array([[math.nan, math.nan], [-math.inf, math.nan], [math.nan, math.nan]]))
    assert ranks[:, 0].tolist() == [2.5, 1.0, 2.5]
    assert np.isnan(ranks[:, 1]).all()


def test_every_direction():
    found = ranking([[1, 1, -0.1]], [[2, 2, 0.5]], [[3, 3, -2.0]], better=("higher", "lower", "zero"))
    assert found.ranks[:, 0].T.tolist() == [[3, 2, 1], [1, 2, 3], [1, 2, 3]]
    assert score_values(np.array([[2.0, 2.0, -2.0]]), ("higher", "lower", "zero")).tolist() == [[2, -2, -2]]


def test_only_images_of_all_methods_count():
    values = table([[1.0]] * 3, [[2.0]] * 2)
    assert take_comparable(values, {"m0": "higher"}).left_out == ("p2",)
    del values["B"]["p0"], values["B"]["p1"]
    with pytest.raises(UserError, match="no image that all methods have: A, B"):
        take_comparable(values, {"m0": "higher"})
    with pytest.raises(UserError, match="two or more methods"):
        take_comparable({"A": values["A"]}, {"m0": "higher"})


def test_a_metric_without_any_value_is_left_out():
    values = table([[math.nan, 1.0]], [[math.nan, 2.0]])
    assert take_comparable(values, {"m0": "higher", "m1": "lower", "m2": "zero"}).better == ("lower",)
    with pytest.raises(UserError, match="no metric with a value"):
        take_comparable(values, {"m0": "higher"})


def test_figures_by_hand():
    # ranks of A: image 0: 1, 2; image 1: 1, 1; image 2: 2, 1
    found = ranking([[3, 1], [3, 3], [1, 5]], [[1, 3], [1, 1], [3, 1]], better=("higher", "higher"))
    assert found.mean_rank.tolist() == [[pytest.approx(4 / 3)] * 2, [pytest.approx(5 / 3)] * 2]
    overall = found.overall
    assert overall.mean_rank.tolist() == pytest.approx([4 / 3, 5 / 3])
    assert overall.spread_over_metrics.tolist() == pytest.approx([0, 0])
    assert overall.spread_over_images.tolist() == pytest.approx([np.std([1.5, 1, 1.5], ddof=1)] * 2)
    assert found.mean.tolist() == [[pytest.approx(7 / 3), 3], [pytest.approx(5 / 3), pytest.approx(5 / 3)]]
    assert found.sd[0].tolist() == pytest.approx([np.std([3, 3, 1], ddof=1), 2])
    assert found.rank_of_mean.tolist() == [[1, 1], [2, 2]]
    assert overall.won.tolist() == [2, 0]
    assert overall.order() == [0, 1]


def test_means_are_over_the_images_that_are_defined_for_all():
    found = ranking([[1.0], [math.nan], [3.0]], [[2.0], [50.0], [math.inf]])
    assert (found.mean.tolist(), found.counted.tolist()) == ([[1.0], [2.0]], [1])
    assert found.undefined.tolist() == [[1], [0]]
    assert found.overall.mean_rank.tolist() == [2.0, 1.0]
    assert np.isnan(found.mean_interval).all()


def test_a_method_without_any_value_in_a_metric_leaves_the_others_their_means():
    nothing, some = [[math.nan, 1.0]] * 3, [[5.0, 2.0], [7.0, 2.0], [math.nan, 2.0]]
    found = ranking(nothing, some, [[1.0, 3.0]] * 3, better=("higher", "higher"))
    assert (found.counted.tolist(), found.mean[1:].tolist()) == ([2, 3], [[6.0, 2.0], [1.0, 3.0]])
    assert np.isnan(found.mean[0, 0]) and np.isnan(found.mean_interval[:, 0, 0]).all()
    assert found.rank_of_mean[:, 0].tolist() == [3.0, 1.0, 2.0]
    assert found.overall.won.tolist() == [0, 1, 1]


def test_a_mean_is_infinite_where_all_values_are():
    found = ranking([[math.inf]] * 2, [[30.0], [40.0]], [[math.inf], [20.0]])
    assert (found.mean.tolist(), found.rank_of_mean.tolist()) == ([[math.inf], [40.0], [20.0]], [[1.0], [2.0], [3.0]])
    both = ranking([[math.inf]] * 2, [[math.inf]] * 2)
    assert (both.mean.tolist(), both.counted.tolist()) == ([[math.inf]] * 2, [0])


def test_a_mean_and_the_test_may_disagree():
    """B is better in 19 of 20 images, and A by far in the last one."""
    found = ranking([[9.9]] * 19 + [[85.9]], [[10.0]] * 20)
    assert found.rank_of_mean.tolist() == [[1.0], [2.0]]
    assert found.pairs.significant[..., 0].tolist() == [[0, -1], [1, 0]]
    assert found.pairs.overall_significant.tolist() == [[0, -1], [1, 0]]
    assert found.distance(1, 0) == pytest.approx(-0.27, abs=0.001)


def test_values_on_both_sides_of_zero_do_not_make_up_for_each_other():
    found = ranking([[-9.0], [9.0]], [[1.0], [1.0]], better=("zero",))
    assert (found.mean.tolist(), found.rank_of_mean.tolist()) == ([[9.0], [1.0]], [[2.0], [1.0]])


def test_equal_methods_win_nothing_and_are_never_different():
    values = noisy([0.0])[0]
    found = ranking(values, values, better=("higher",) * 3)
    assert found.overall.won.tolist() == [0, 0]
    assert found.overall.first.tolist() == [0.5, 0.5]
    assert found.overall.interval.tolist() == [[1.5, 1.5]] * 2
    assert (found.pairs.p == 1).all()


def test_a_single_image_has_no_interval():
    overall = ranking([[1.0]], [[2.0]]).overall
    assert np.isnan(overall.interval).all()
    assert np.isnan(overall.first).all()
    assert np.isnan(overall.spread_over_images).all()


def test_intervals_are_those_of_a_plain_bootstrap():
    found = ranking(*noisy([0.0, 0.3, 0.6]), better=("higher",) * 3, resamples=4000)
    rng = np.random.default_rng(5)
    means, ranks = [], []
    for _ in range(4000):
        drawn = rng.integers(0, 20, 20)
        means.append(found.of.values[:, drawn].mean(axis=1))
        ranks.append(found.ranks[:, drawn].mean(axis=(1, 2)))
    assert found.mean_interval == pytest.approx(np.percentile(means, [2.5, 97.5], axis=0), abs=0.05)
    assert found.overall.interval == pytest.approx(np.percentile(ranks, [2.5, 97.5], axis=0), abs=0.04)
    lowest = np.argmin(ranks, axis=1)
    assert found.overall.first.tolist() == pytest.approx([(lowest == method).mean() for method in range(3)], abs=0.03)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Of 200 comparisons of two methods that are equally good, about 190 intervals hold the mean rank of 1.5."""
    hits = 0
    for seed in range(200):
        low, high = ranking(*noisy([0, 0], images=40, metrics=1, seed=seed), seed=seed).overall.interval[:, 0]
        hits += low <= 1.5 <= high
    assert 176 <= hits <= 199


def test_the_same_seed_gives_the_same_figures():
    values = noisy([0.0, 0.2])
    one, same, other = (ranking(*values, better=("higher",) * 3, seed=seed).overall.draws for seed in (3, 3, 4))
    assert (one == same).all()
    assert (one != other).any()


def test_every_set_counts_the_same():
    small = ranking([[1.0]] * 2, [[0.0]] * 2)
    large = ranking([[0.0]] * 50, [[1.0]] * 50)
    overall = rank_over_sets([small, large])
    assert overall.mean_rank.tolist() == [1.5, 1.5]
    assert (overall.won.tolist(), overall.metrics) == ([1, 1], 2)
    with_one_image = rank_over_sets([large, ranking([[0.0]], [[1.0]])])
    assert with_one_image.mean_rank.tolist() == [2, 1]
    assert np.isnan(with_one_image.interval).all()


def test_signed_rank_test_equals_scipys():
    rng = np.random.default_rng(0)
    for count in (1, 2, 5, 8, 20, 50, 51, 80):
        one, other = rng.normal(0.3, 1, count), rng.normal(0, 1, count)
        ahead, p = signed_rank_test(one, other)
        expected = stats.wilcoxon(one, other, correction=count > 50, method="exact" if count <= 50 else "asymptotic")
        assert p == pytest.approx(expected.pvalue)
        plus = stats.rankdata(np.abs(one - other))[one > other].sum()
        assert ahead == np.sign(plus - count * (count + 1) / 4)


def test_signed_rank_test_is_exact_with_ties():
    """Against all choices of signs, counted one by one."""
    difference = np.array([1, 1, 2, -2, 3, 3, 3, -1, 4, 0.0])
    kept = difference[difference != 0]
    ranks = stats.rankdata(np.abs(kept))
    sums = [ranks[np.array(signs)].sum() for signs in itertools.product([True, False], repeat=len(kept))]
    tail = min(np.mean(np.array(sums) >= ranks[kept > 0].sum()), np.mean(np.array(sums) <= ranks[kept > 0].sum()))
    assert signed_rank_test(10 + difference / 10, np.full(10, 10.0)) == (1, pytest.approx(2 * tail))


def test_signed_rank_test_without_differences():
    nothing = np.array([1.0, math.nan, 3.0, math.inf])
    assert signed_rank_test(nothing, np.array([1.0, 2.0, 3.0, math.inf])) == (0, 1.0)
    assert signed_rank_test(np.array([math.inf] * 6), np.arange(6.0)) == (1, pytest.approx(2 / 64))


def test_holm_by_hand():
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.9, 0.8])).tolist() == [1, 1]


def test_all_pairs_and_metrics_are_corrected_together():
    values = np.array(noisy([3.0, 0.0, 0.0], images=12, metrics=4))
    pairs = compare_pairs(values, rank_methods(values).mean(axis=2))
    upper = np.triu_indices(3, 1)
    assert pairs.adjusted[upper].ravel() == pytest.approx(holm(pairs.p[upper].ravel()))
    assert (pairs.adjusted == pairs.adjusted.swapaxes(0, 1)).all()
    assert (pairs.ahead == -pairs.ahead.swapaxes(0, 1)).all()
    assert pairs.better().tolist() == [[0, 4, 4], [0, 0, 0], [0, 0, 0]]
    assert (pairs.overall_ahead[0].tolist(), pairs.overall_p.shape) == ([0, 1, 1], (3, 3))
    assert pairs.overall_adjusted[0, 1] == pytest.approx(3 * 2 / 2**12)


@pytest.mark.parametrize("tests", [1, 35, 1575])
def test_images_needed_is_where_the_smallest_p_gets_below_alpha(tests):
    def smallest(count):
        return signed_rank_test(np.arange(1.0, count + 1), np.zeros(count))[1] * tests

    needed = images_needed(tests)
    assert smallest(needed) < 0.05 <= smallest(needed - 1)


def test_too_few_images_are_never_significant():
    pairs = ranking([[9.0, 9.0]] * 5, [[1.0, 1.0]] * 5, better=("higher", "higher")).pairs
    assert (pairs.images, pairs.images_needed, pairs.overall_images_needed) == (5, 7, 6)
    assert (pairs.better() == 0).all()


def test_nothing_warns_where_values_are_missing():
    values = np.random.default_rng(0).normal(size=(3, 7, 5))
    values[0, :, 0] = values[:, 2] = values[1, 1:, 1] = math.nan
    values[2, :, 3] = math.inf
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = ranking(*values.tolist(), better=("higher", "lower", "zero", "higher", "lower"))
        rank_over_sets([found, found])
    assert np.isfinite(found.overall.interval).all()


def test_how_far_two_methods_are_apart_whatever_is_sure():
    ways = ("higher",) * 4
    found = ranking([[100.0, 1.0, 0.0, math.nan]], [[99.0, 2.0, 0.0, 7.0]], better=ways)
    assert found.distance(0, 1) == 0  # of +1 %, -50 %, none
    ways = ("higher", "lower", "zero")
    found = ranking([[100.0, 1.0, -2.0]], [[99.0, 2.0, 2.2]], better=ways)
    assert found.distance(0, 1) == -found.distance(1, 0) == pytest.approx(0.2 / 2.2)  # of +1 %, +50 %, +9 %
    assert found.distance(0, 0) == 0
    assert math.isnan(ranking([[math.nan]], [[1.0]]).distance(0, 1))
    assert math.isnan(ranking([[math.inf]], [[1.0]]).distance(0, 1))


def test_equal_mean_ranks_share_a_place():
    found = ranking([[2.0, 1.0, 0.3]], [[1.0, 2.0, 0.1 + 0.2]], [[0.0, 0.0, 0.0]], better=("higher",) * 3)
    assert (found.overall.positions(), found.overall.order()) == ([1, 1, 3], [0, 1, 2])
    rounded = dataclasses.replace(found.overall, mean_rank=np.array([1.1 + 2.2, 9.0, 3.3]))
    assert rounded.mean_rank[0] > rounded.mean_rank[2]
    assert (rounded.positions(), rounded.order()) == ([1, 3, 1], [0, 2, 1])
