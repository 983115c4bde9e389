import json

import numpy as np
import pytest

from data.maps import pair_maps, read_map
from scripts import demo_summary, make_demo_data
from util.errors import run_command
from util.images.image_io import read_image


def test_demonstration_data_are_photographs_with_maps(tmp_path):
    assert run_command(make_demo_data.main, ["--out", str(tmp_path)]) == 0
    for phase, photos in (("train", make_demo_data.TRAIN), ("test", {**make_demo_data.TEST, "motorcycle": None})):
        pairs = pair_maps(tmp_path / phase / "images", tmp_path / phase / "maps")
        assert {stem for stem, _, _ in pairs} == set(photos)
        for _, image_path, map_path in pairs:
            assert read_image(image_path).shape[:2] == read_map(map_path).shape
            assert 2 <= len(np.unique(read_map(map_path))) <= 20


def test_the_summary_says_plainly_how_it_went(tmp_path, capsys):
    folder = tmp_path / "demo" / "test_latest"
    folder.mkdir(parents=True)
    assert run_command(demo_summary.main, [str(folder)]) == 2
    summary = {"PSNR@reference": {"mean": 24.5}, "PSNR@reference_average": {"mean": 26.25}}
    (folder / "metrics.json").write_text(json.dumps({"summary": summary}))
    assert run_command(demo_summary.main, [str(folder)]) == 0
    said = capsys.readouterr().out
    assert "fused 24.50 dB, plain averaging 26.25 dB" in said
    assert "does not beat averaging: it is 1.75 dB below" in said
    assert str(folder / "index.html") in said
    assert demo_summary.verdict(27.0, 26.0) == "The network is 1.00 dB above averaging."


@pytest.mark.parametrize("levels", [make_demo_data.DEPTH_LEVELS])
def test_depth_levels_are_equally_frequent(levels):
    disparity = np.tile(np.linspace(0, 1, 400), (40, 1))
    disparity[:3, :3] = np.inf
    found = make_demo_data.depth_levels(disparity)
    assert set(np.unique(found)) == set(range(1, levels + 1))
    assert np.bincount(found.ravel())[1:].min() > 0.9 * found.size / levels
