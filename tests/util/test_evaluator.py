import csv
import json

import pytest
import torch

from models.generators.base import FusionOutput, Generator
from util.errors import UserError
from util.evaluator import Evaluator, mean_values, parse_metrics, write_page, write_tables
from util.fusing import fuse, plain_average
from util.runtime import Runtime


class Mean(Generator):
    """The plain average, in a range of its own, so that its results are known."""

    size_divisor = 4

    def forward(self, sources):
        assert all(float(source.min()) >= -1 and float(source.max()) <= 1 for source in sources)
        return FusionOutput(sum(sources) / len(sources))


@pytest.fixture
def runtime():
    return Runtime(gpu_ids="-1")


def item(name, seed, height=12, width=17, target=True):
    generator = torch.Generator().manual_seed(seed)
    sample = {"name": name, "sources": torch.rand(3, 3, height, width, generator=generator)}
    return sample | ({"target": torch.rand(3, height, width, generator=generator)} if target else {})


def test_fusing_converts_to_the_networks_range_and_back(runtime):
    sources = [torch.rand(2, 3, 9, 11) for _ in range(3)]
    assert torch.allclose(fuse(runtime, Mean(), sources), plain_average(sources), atol=1e-6)


def test_items_of_several_sizes_with_and_without_target(runtime, tmp_path):
    items = [item("a", 0), item("b", 1), item("c", 2, 8, 9, target=False), item("d", 3)]
    results = Evaluator(runtime, Mean(), tmp_path, ["PSNR"]).run(items, 4, batch_size=2)
    assert [result.name for result in results] == list("abcd")
    assert results[2].values == {}
    assert results[0].values["PSNR"] == pytest.approx(results[0].values["PSNR_average"], rel=1e-6)
    assert list(results[0].pictures) == ["source 1", "source 2", "source 3", "fused", "target"]
    write_tables(tmp_path, results)
    page = write_page(tmp_path, "title", {"fact": "<b>"}, results)
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["name", "PSNR", "PSNR_average"]
    assert rows[3] == ["c", "", ""]
    summary = json.loads((tmp_path / "metrics.json").read_text())["summary"]
    assert summary["PSNR"]["mean"] == pytest.approx(mean_values(results)["PSNR"])
    assert "&lt;b&gt;" in page.read_text()


def test_two_items_of_one_name_are_refused(runtime, tmp_path):
    with pytest.raises(UserError, match="'a'"):
        Evaluator(runtime, Mean(), tmp_path, []).run([item("a", 0), item("a", 1)], 2)


def test_equal_pictures_give_infinity_and_stay_readable(runtime, tmp_path):
    sample = {"name": "same", "sources": torch.zeros(2, 3, 12, 12), "target": torch.zeros(3, 12, 12)}
    results = Evaluator(runtime, Mean(), tmp_path, ["PSNR", "SSIM"]).run([sample], 1)
    write_tables(tmp_path, results)
    write_page(tmp_path, "t", {}, results)
    assert json.loads((tmp_path / "metrics.json").read_text())["items"]["same"]["PSNR"] == "inf"


def test_metric_names():
    assert parse_metrics("all") == ["PSNR", "SSIM"]
    assert parse_metrics("none") == []
    assert parse_metrics("SSIM, PSNR") == ["SSIM", "PSNR"]
    with pytest.raises(UserError, match="--metrics SIM"):
        parse_metrics("SIM")
