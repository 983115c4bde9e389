from itertools import pairwise

import pytest
import torch
from torch.nn import functional

from util.images.tiling import in_tiles, overlap_for, spans


@pytest.mark.parametrize("length", [1, 7, 63, 64, 65, 100, 128, 129, 500, 1001])
@pytest.mark.parametrize(("tile", "overlap", "divisor"), [(64, 16, 1), (64, 32, 4), (67, 10, 4), (64, 0, 1)])
def test_tiles_cover_a_side_and_share_enough(length, tile, overlap, divisor):
    found = spans(length, tile, overlap, divisor)
    assert found[0].start == 0
    assert found[-1].stop == length
    assert found[0].shared == 0
    for before, after in pairwise(found):
        assert after.start % divisor == 0
        assert after.shared == before.stop - after.start >= overlap
        assert after.start > before.start
        assert after.stop > before.stop
        assert after.stop - after.start <= tile


@pytest.mark.parametrize(("tile", "overlap", "divisor"), [(64, 33, 1), (386, 193, 4), (22, 9, 8), (256, 2048, 64)])
def test_an_overlap_is_never_more_than_half_a_tile(tile, overlap, divisor):
    found = spans(1000, tile, overlap, divisor)
    assert found[-1].stop == 1000
    assert all(span.shared <= tile // 2 for span in found[:-1])


def test_the_overlap_discards_what_a_network_sees_of_a_border():
    for reach in (0, 5, 60, 84):
        assert overlap_for(reach) * 3 / 8 >= reach
        assert overlap_for(reach) <= reach * 8 / 3 + 1


@pytest.mark.parametrize("size", [(50, 70), (33, 200), (1, 90), (64, 64), (131, 97)])
def test_a_filter_sees_no_seams(size):
    """A filter of radius 6 is within three eighths of the overlap of 16: the same image as in one piece."""
    image = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    kernel = torch.rand(3, 1, 13, 13, generator=torch.Generator().manual_seed(1))

    def blur(rows, columns):
        padded = functional.pad(image[..., rows, columns], (6, 6, 6, 6), mode="replicate")
        return functional.conv2d(padded, kernel, groups=3)

    whole = blur(slice(None), slice(None))
    tiled, next_row = torch.empty_like(whole), 0
    for rows, stripe in in_tiles(blur, spans(size[0], 40, 16), spans(size[1], 40, 16)):
        assert rows.start == next_row
        next_row = rows.stop
        tiled[..., rows, :] = stripe
    assert next_row == size[0]
    assert torch.allclose(tiled, whole, rtol=1e-5)


def test_what_differs_between_tiles_is_blended():
    """Each tile is a constant of its own: the way from one to the next is monotonous and has no jump."""
    calls = iter(range(100))

    def compute(rows, columns):
        return torch.full((1, 1, rows.stop - rows.start, columns.stop - columns.start), float(next(calls)))

    ((_, stripe),) = in_tiles(compute, spans(40, 40, 0), spans(100, 40, 16))
    steps = stripe[0, 0, 0].diff()
    assert steps.min() >= 0
    assert 0 < steps.max() <= 0.26  # a quarter of 16 pixels
