"""What the metrics are given to look at."""

import pytest
import torch

from util.metrics.scene import FUSED, Scene, grey_levels


@pytest.mark.parametrize(
    ("value", "level"), [(0.49, 0), (0.5, 1), (1.5, 2), (2.5, 3), (127.5, 128), (254.5, 255), (255.0, 255)]
)
def test_a_half_goes_up_to_the_next_level(value, level):
    assert float(grey_levels(torch.full((1, 1, 1, 1), value))) == level


def test_luma_is_rounded_half_up():
    colours = torch.tensor([[5.0, 5, 0], [0, 0, 250]]).view(2, 3, 1, 1)
    assert grey_levels(colours).flatten().tolist() == [4, 29]  # 4.43 and 28.5


def test_the_fused_image_is_the_last():
    a, b, fused = (torch.full((1, 1, 2, 3), float(level)) for level in (1, 2, 3))
    scene = Scene([a, b], fused)
    assert scene.images[FUSED] is scene.fused
    assert [float(image.mean()) for image in scene.images] == [1, 2, 3]
