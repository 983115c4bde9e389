import numpy as np
import pytest

from tests.images import scene
from util.errors import UserError
from util.metrics.measuring import QUICK, measure_image, parse_metrics


def test_depth_makes_no_difference():
    a, b, fused = (scene(seed, 32, 32) for seed in range(3))
    deep = [image.astype(np.uint16) * 257 for image in (a, b, fused)]
    metrics = ["EN", "SSIM", "PSNR@reference"]
    assert measure_image([a, b], fused, metrics, a) == measure_image(deep[:2], deep[2], metrics, deep[0])


def test_names_of_metrics():
    assert parse_metrics("none") == []
    assert parse_metrics("quick") == [*QUICK, "PSNR@reference", "SSIM@reference"]
    assert len(parse_metrics("all")) == 39
    assert len(parse_metrics("all", reference=False)) == 36
    assert parse_metrics("EN, SSIM@sum,EN") == ["EN", "SSIM@sum"]
    for text, message in (
        ("ssimm", r"no metric is called 'ssimm' \(did you mean SSIM"),
        ("zzz", "there are EN, SD"),
        ("", "one of the names is empty"),
        ("EN,,SD", "one of the names is empty"),
        ("all,EN", r"--metrics all,EN: 'all' stands alone, as in --metrics all, or name metrics only$"),
        ("EN, quick", "'quick' stands alone"),
        ("none,none", "'none' stands alone"),
    ):
        with pytest.raises(UserError, match=message):
            parse_metrics(text)
    with pytest.raises(UserError, match="give --reference DIR"):
        parse_metrics("EN,PSNR@reference", reference=False)
