import csv
import json
import os

import numpy as np
import pytest
import torch

from data.base_dataset import Scene, SceneDataset
from engine.fusing.batch import fuse_batch, plain_average
from engine.fusing.fuser import Fuser
from engine.fusing.results import write_page, write_tables
from engine.fusing.set_fuser import SetFuser, file_name
from engine.runtime import Runtime
from models.generators.base import FusionOutput, Generator
from models.generators.decomposing import DecomposingGenerator
from options.data import DatasetOptions
from tests.images import scene
from util.errors import UserError
from util.images.image_io import read_image
from util.metrics.tables import mean_values


class Mean(Generator):
    """The plain average, in a range of its own, so that its results are known."""

    size_divisor = 4

    def forward(self, sources):
        assert all(float(source.min()) >= -1 and float(source.max()) <= 1 for source in sources)
        return FusionOutput(sum(sources) / len(sources))


class Apart(DecomposingGenerator, Mean):
    """Takes sources apart into their darkest pixels and themselves."""

    part_names = ("common", "unique 1", "unique 2", "unique 3")

    def _draw_parts(self, sources):
        return (torch.stack(list(sources)).amin(0), *sources)


class Items(SceneDataset):
    """Images that are there already; a text among them cannot be read."""

    def __init__(self, *items):
        self.items = items
        super().__init__(DatasetOptions())

    def find_samples(self):
        return len(self.items)

    def make_scene(self, key, rng):
        if isinstance(self.items[key.item], str):
            raise UserError(self.items[key.item])
        return self.items[key.item]


@pytest.fixture
def set_fuser(tmp_path):
    def make(*metrics, **options):
        return SetFuser(Fuser(Runtime(gpu_ids="-1"), Mean()), tmp_path, metrics, **options)

    return make


def item(name, seed, height=12, width=17, target=True):
    sources = tuple(scene(seed + i, height, width) for i in range(3))
    return Scene(name, sources, scene(seed + 9, height, width) if target else None)


def test_fusing_converts_to_the_networks_range_and_back():
    sources = [torch.rand(2, 3, 9, 11) for _ in range(3)]
    assert torch.allclose(fuse_batch(Runtime(gpu_ids="-1"), Mean(), sources), plain_average(sources), atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 2, 8])
@pytest.mark.parametrize("read_ahead", [True, False])
def test_items_of_several_sizes_with_and_without_target(set_fuser, tmp_path, batch_size, read_ahead):
    items = [item("a", 0), item("b", 1), item("c", 2, 10, 9, target=False), item("d", 3)]
    results = set_fuser("PSNR@reference").run(Items(*items), batch_size=batch_size, read_ahead=read_ahead)
    assert [result.name for result in results] == list("abcd")
    assert results[2].values == {}
    assert results[0].values["PSNR@reference"] == pytest.approx(results[0].values["PSNR@reference_average"], rel=1e-6)
    assert list(results[0].images) == ["source 1", "source 2", "source 3", "fused", "target"]
    for of, result in zip(items, results, strict=True):
        fused = read_image(tmp_path / result.images["fused"])
        assert np.abs(fused - sum(source.astype(float) for source in of.sources) / 3).max() <= 0.51
        assert np.array_equal(read_image(tmp_path / result.images["source 2"]), of.sources[1])
    write_tables(tmp_path, results)
    page = write_page(tmp_path, "title", {"fact": "<b>"}, results)
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["name", "PSNR@reference", "PSNR@reference_average"]
    assert rows[3] == ["c", "", ""]
    summary = json.loads((tmp_path / "metrics.json").read_text())["summary"]
    assert summary["PSNR@reference"]["mean"] == pytest.approx(
        mean_values([r.values for r in results])["PSNR@reference"]
    )
    assert "&lt;b&gt;" in page.read_text()


def test_parts_are_written_and_shown_and_those_of_an_earlier_test_are_removed(tmp_path):
    fuser = Fuser(Runtime(gpu_ids="-1"), Apart())
    items = [item("a", 0), item("a_unique", 1), item("b", 2, target=False)]
    results = SetFuser(fuser, tmp_path, save_decomposition=True).run(Items(*items), batch_size=2)
    sources = ["source 1", "source 2", "source 3"]
    assert list(results[0].images) == [*sources, "fused", "target", *Apart.part_names]
    assert list(results[2].images) == [*sources, "fused", *Apart.part_names]
    assert results[0].images["unique 2"] == "decomposition/a_unique_2.png"
    for of, result in zip(items, results, strict=True):
        parts = [read_image(tmp_path / result.images[name]) for name in Apart.part_names]
        for part, expected in zip(parts, (np.min(of.sources, axis=0), *of.sources), strict=True):
            assert np.array_equal(part, expected)
    assert len(list((tmp_path / "decomposition").iterdir())) == 12
    assert "decomposition/b_common.png" in write_page(tmp_path, "t", {}, results).read_text()
    SetFuser(fuser, tmp_path, save_decomposition=True).run(Items(items[0]))
    assert {path.name[:2] for path in (tmp_path / "decomposition").iterdir()} == {"a_"}
    (plain,) = SetFuser(fuser, tmp_path).run(Items(items[0]))
    assert list(plain.images) == [*sources, "fused", "target"]
    assert not list((tmp_path / "decomposition").iterdir())


def test_two_items_of_one_name_are_refused(set_fuser):
    with pytest.raises(UserError, match="'a'"):
        set_fuser().run(Items(item("a", 0), item("a", 1)))


def test_what_cannot_be_read_stops_or_is_skipped(set_fuser):
    items = Items("first is broken", item("a", 0), "third is broken", item("b", 1), "last is broken")
    with pytest.raises(UserError, match="first is broken"):
        set_fuser().run(items)
    skipping = set_fuser(skip_bad=True)
    assert [result.name for result in skipping.run(items)] == ["a", "b"]
    assert skipping.skipped == ["first is broken", "third is broken", "last is broken"]


def test_a_test_that_fails_leaves_no_tables_of_the_one_before(set_fuser, tmp_path):
    results = set_fuser("PSNR@reference").run(Items(item("a", 0)))
    write_tables(tmp_path, results)
    write_page(tmp_path, "t", {}, results)
    (tmp_path / "fused" / ".a.png.123.tmp").write_bytes(b"half")
    with pytest.raises(UserError, match="broken"):
        set_fuser("PSNR@reference").run(Items("broken"))
    assert not {"index.html", "metrics.csv", "metrics.json"} & {path.name for path in tmp_path.iterdir()}
    set_fuser().run(Items(item("b", 0)))
    assert [path.name for path in (tmp_path / "fused").iterdir()] == ["b.png"]


@pytest.mark.parametrize("limit", [0, 10**9])
def test_large_items_are_neither_read_ahead_nor_grouped(set_fuser, monkeypatch, limit):
    """What is read when an item is fused: the next one as well, unless it may not fit beside."""
    monkeypatch.setattr("engine.fusing.set_fuser._LARGE_ITEM", limit)
    started, fused = [], []

    class Noting(Items):
        def make_scene(self, key, rng):
            started.append(key.item)
            return super().make_scene(key, rng)

    of = set_fuser()
    original = of._run_group

    def run_group(group, plan):
        fused.append((len(group), len(started)))
        return original(group, plan)

    monkeypatch.setattr(of, "_run_group", run_group)
    of.run(Noting(*(item(name, 0) for name in "abcd")), batch_size=2)
    if limit == 0:
        assert fused == [(1, 1), (1, 2), (1, 3), (1, 4)]
    else:
        assert [count for count, _ in fused] == [2, 2]


def test_equal_images_give_infinity_and_stay_readable(set_fuser, tmp_path):
    black = np.zeros((12, 12, 3), np.uint8)
    results = set_fuser("PSNR@reference", "SSIM@reference").run(Items(Scene("same", (black, black), black)))
    write_tables(tmp_path, results)
    write_page(tmp_path, "t", {}, results)
    assert json.loads((tmp_path / "metrics.json").read_text())["items"]["same"]["PSNR@reference"] == "inf"


def test_16_bit_images_are_written_so_and_shown_in_8(set_fuser, tmp_path):
    deep = np.random.default_rng(0).integers(0, 65536, (12, 13, 3)).astype(np.uint16)
    (result,) = set_fuser("PSNR@reference").run(Items(Scene("deep", (deep, deep), deep)))
    assert np.array_equal(read_image(tmp_path / result.images["fused"]), deep)
    assert np.array_equal(read_image(tmp_path / result.images["source 1"]), np.rint(deep / 257).astype(np.uint8))
    assert result.values["PSNR@reference"] == np.inf


@pytest.mark.parametrize(
    "name", ["x" * 255, "ü" * 120, os.fsdecode(b"\xff" * 251), "..", "-", "line\nbreak", "a b#%?&<>"]
)
def test_hostile_names_stay_in_the_folder(set_fuser, tmp_path, name):
    (result,) = set_fuser().run(Items(item(name, 0)))
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")}
    assert written == set(result.images.values())
    write_tables(tmp_path, [result])
    write_page(tmp_path, name, {}, [result])
    assert all(len(os.fsencode(path.name)) <= 255 for path in tmp_path.rglob("*"))


def test_long_names_stay_different():
    names = {file_name("x" * 250 + end, "_source_1.png") for end in "abc"}
    assert len(names) == 3
    assert file_name("short", ".png") == "short.png"


def test_without_a_target_images_are_measured_against_their_sources(set_fuser):
    (result,) = set_fuser("EN", "PSNR", "SSIM@reference").run(Items(item("a", 0, target=False)))
    assert list(result.values) == ["EN", "PSNR"]


def test_images_above_the_limit_are_fused_but_not_measured(set_fuser):
    measuring = set_fuser("EN", largest=12 * 17)
    results = measuring.run(Items(item("a", 0), item("b", 0, 12, 18)))
    assert [list(result.values) for result in results] == [["EN"], []]
    assert measuring.unmeasured == 1
