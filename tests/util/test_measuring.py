import json
import os

import numpy as np
import pytest

from tests.data.helpers import save
from tests.pictures import scene
from util import measuring
from util.errors import Interrupted, UserError
from util.measuring import QUICK, find_items, measure_items, measure_picture, parse_methods, parse_metrics

METRICS = ["EN", "SSIM", "PSNR@reference"]


@pytest.fixture
def folders(tmp_path):
    """Three scenes, two methods and references; the methods' pictures have names of their own."""
    for number, name in enumerate(("c01", "c02", "c10")):
        pictures = [scene(10 * number + i, 32, 40) for i in range(3)]
        mean = np.mean(pictures, axis=0).astype(np.uint8)
        save(tmp_path / "ir" / f"{name}.png", pictures[0])
        save(tmp_path / "vi" / f"{name}.png", pictures[1])
        save(tmp_path / "good" / f"{name}_mean.png", mean)
        save(tmp_path / "bad" / f"{name}.png", pictures[2])
        save(tmp_path / "gt" / f"{name}.png", mean)
    return tmp_path


def find(folder, method="good", **options):
    return find_items([folder / "ir", folder / "vi"], folder / method, **options)


def test_items_are_found_by_name_in_natural_order(folders):
    items, skipped = find(folders, reference=folders / "gt")
    assert [item.name for item in items] == ["c01", "c02", "c10"]
    assert items[0].roles == ("ir", "vi")
    assert [path.relative_to(folders).as_posix() for path in items[0].sources] == ["ir/c01.png", "vi/c01.png"]
    assert items[0].fused.name == "c01_mean.png"
    assert items[0].reference.name == "c01.png"
    assert skipped == []


def test_the_order_of_the_folders_is_that_of_the_sources(folders):
    items, _ = find_items([folders / "vi", folders / "ir"], folders / "good")
    assert items[0].roles == ("vi", "ir")
    assert items[0].sources[0].parent.name == "vi"


def test_folders_of_one_name_are_told_apart(folders):
    for role in ("ir", "vi"):
        (folders / "set" / role).mkdir(parents=True)
        (folders / role).rename(folders / "set" / role / "test")
    items, _ = find_items([folders / "set/vi/test", folders / "set/ir/test"], folders / "good")
    assert items[0].roles == ("vi", "ir")
    with pytest.raises(UserError, match=r"--sources names .*test twice"):
        find_items([folders / "set/vi/test", folders / "set/vi/../vi/test"], folders / "good")


def test_one_folder_in_any_layout(folders):
    save(folders / "panels" / "c01_stacked.png", np.hstack([scene(1, 32, 40), scene(2, 32, 40)]))
    items, _ = find_items([folders / "panels"], folders / "good")
    assert [source.shape for source in items[0].read_sources()] == [(32, 40, 3)] * 2
    (folders / "root").mkdir()
    for role in ("ir", "vi"):
        (folders / role).rename(folders / "root" / role)
    items, _ = find_items([folders / "root"], folders / "good")
    assert items[2].sources[1].name == "c10.png"


def test_what_is_missing_or_of_another_size_stops_or_is_skipped(folders):
    (folders / "good" / "c02_mean.png").unlink()
    save(folders / "good" / "c10_mean.png", scene(0, 32, 41))
    with pytest.raises(UserError, match=r"good: there is no picture of item c02 \(1 more .*--on_bad_sample skip"):
        find(folders)
    items, skipped = find(folders, skip_bad=True)
    assert [item.name for item in items] == ["c01"]
    assert "c02" in skipped[0]
    assert "c10_mean.png is 41x32" in skipped[1]
    (folders / "good" / "c01_mean.png").unlink()
    with pytest.raises(UserError, match=r"c10_mean\.png is 41x32|no picture of item c01"):
        find(folders, skip_bad=True)


def test_values_are_those_of_the_pictures_with_any_number_of_workers(folders):
    items, _ = find(folders, reference=folders / "gt")
    methods = {"good": items, "bad": find(folders, "bad")[0]}
    alone = measure_items(methods, METRICS)
    assert alone == measure_items(methods, METRICS, workers=2)
    assert list(alone.values["good"]) == ["c01", "c02", "c10"]
    assert alone.values["good"]["c02"]["PSNR@reference"] == np.inf
    assert "PSNR@reference" not in alone.values["bad"]["c02"]
    item = items[2]
    pictures = item.read_sources()
    fused = measuring.read_image(item.fused)
    assert alone.values["good"]["c10"] == measure_picture(pictures, fused, METRICS, fused)


def test_depth_makes_no_difference():
    a, b, fused = (scene(seed, 32, 32) for seed in range(3))
    deep = [picture.astype(np.uint16) * 257 for picture in (a, b, fused)]
    assert measure_picture([a, b], fused, METRICS, a) == measure_picture(deep[:2], deep[2], METRICS, deep[0])


def test_what_was_measured_is_not_measured_again_unless_the_file_changed(folders, monkeypatch):
    items, _ = find(folders)
    record = folders / "record"
    measured = []

    def stopping(job, measure=measuring._measure):
        if len(measured) == 2:
            raise KeyboardInterrupt
        measured.append(job.item.name)
        return measure(job)

    monkeypatch.setattr(measuring, "_measure", stopping)
    with pytest.raises(Interrupted, match="the same command again goes on"):
        measure_items({"good": items}, ["EN"], record=record)
    record.write_bytes(record.read_bytes() + b'{"key": "torn')
    os.utime(items[0].fused, ns=(1, 1))
    assert measured == ["c01", "c02"]
    measured.clear()
    monkeypatch.setattr(measuring, "_measure", lambda job: measured.append(job.item.name) or {"EN": 1.0})
    values = measure_items({"good": items}, ["EN"], record=record).values["good"]
    assert measured == ["c01", "c10"]
    assert values["c01"] == {"EN": 1.0} != values["c02"]
    assert not record.exists()


def test_a_damaged_picture_is_named_or_skipped(folders):
    items, _ = find(folders)
    whole = items[1].fused.read_bytes()
    items[1].fused.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"c02_mean\.png"):
        measure_items({"good": items}, ["EN"])
    measured = measure_items({"good": items}, ["EN"], skip_bad=True)
    assert list(measured.values["good"]) == ["c01", "c10"]
    assert "c02_mean.png" in measured.skipped[0]


def test_methods_have_names(tmp_path):
    assert parse_methods(["a=x/y", "results/z/"]) == {"a": measuring.Path("x/y"), "z": measuring.Path("results/z/")}
    for words, message in ((["a=x", "a=y"], "two methods are called 'a'"), (["=x"], "NAME=DIR"), (["a="], "NAME=DIR")):
        with pytest.raises(UserError, match=message):
            parse_methods(words)


def test_names_of_metrics(monkeypatch):
    assert parse_metrics("none") == []
    assert parse_metrics("quick") == [*QUICK, "PSNR@reference", "SSIM@reference"]
    assert len(parse_metrics("all")) == 38
    assert len(parse_metrics("all", reference=False)) == 35
    assert parse_metrics("EN, SSIM@sum,EN") == ["EN", "SSIM@sum"]
    for text, message in (
        ("ssimm", r"no metric is called 'ssimm' \(did you mean SSIM"),
        ("zzz", "there are EN, SD"),
        ("", "no metric is called ''"),
    ):
        with pytest.raises(UserError, match=message):
            parse_metrics(text)
    with pytest.raises(UserError, match="give --reference DIR"):
        parse_metrics("EN,PSNR@reference", reference=False)


def test_the_record_is_plain_lines(folders, monkeypatch):
    """A record written by somebody else must not be able to do more than be wrong."""
    record = folders / "record"
    record.write_text('[1]\n{"key": 1}\n{"key": "k", "values": {"EN": "x"}}\n{"key": "k", "values": 3}\n"x"\n')
    assert measuring._read_record(record) == {}
    record.write_text(json.dumps({"key": "k", "values": {"EN": float("nan")}}))
    assert list(measuring._read_record(record)) == ["k"]
