"""The excess gradient: seams and blotches that no source has."""

from __future__ import annotations

import math

import pytest
import torch

from tests.images import scene
from util.metrics import compute_metrics


def grey(number, height=96, width=128):
    return torch.from_numpy(scene(number, height, width).mean(-1).round())[None, None].float()


def measured(sources, fused, *names):
    return [compute_metrics(sources, fused, list(names))[name].item() for name in names]


def test_a_source_and_the_average_have_none():
    sources = [grey(1), grey(2)]
    for fused in (sources[0], torch.stack(sources).mean(0)):
        # Rounding to whole levels may add up to a level at a distance of one pixel.
        assert measured(sources, fused, "EXG@16px")[0] == pytest.approx(0, abs=0.02)
    assert measured(sources, sources[0], "EXG") == [0.0]


@pytest.mark.parametrize("distance", [1, 4, 8, 16])
def test_a_step_between_flat_sources_is_measured_in_full(distance):
    """A step of 100 levels at column 48 of 96 x 128: all columns whose two windows lie on both sides count."""
    sources = [torch.full((1, 1, 96, 128), level) for level in (50.0, 150.0)]
    fused = torch.cat([sources[0][..., :48], sources[1][..., 48:]], -1)
    # The mean over the columns of the difference of two means: a triangle of height 100 and base 2 distance.
    expected = 100 * distance / (128 - 2 * distance + 1)
    assert measured(sources, fused, f"EXG@{distance}px")[0] == pytest.approx(expected, rel=1e-9)


def test_the_default_is_the_mean_over_the_distances():
    sources = [grey(1), grey(2)]
    fused = torch.where(torch.arange(128) < 64, *sources)
    mean, *each = measured(sources, fused, "EXG", *(f"EXG@{distance}px" for distance in (1, 4, 8, 16)))
    assert mean == pytest.approx(sum(each) / 4)
    assert min(each) > 0


def test_images_below_two_distances_have_no_value():
    sources = [grey(1, 31, 40), grey(2, 31, 40)]
    found = measured(sources, sources[0], "EXG", "EXG@8px")
    assert math.isnan(found[0])
    assert found[1] == 0
