import json
import os

import numpy as np
import pytest

from scripts.comparing import measured_items
from scripts.comparing.measured_items import KnownValues, keep_values, measure_items
from tests.scripts.comparing.measured_folders import find
from util.errors import Interrupted, UserError
from util.images.image_io import read_image
from util.metrics.measuring import measure_image

METRICS = ["EN", "SSIM", "PSNR@reference"]


@pytest.fixture
def known(tmp_path):
    return KnownValues(tmp_path / "record")


def test_values_are_those_of_the_images_with_any_number_of_workers(folders, known, tmp_path):
    items, _ = find(folders, reference=folders / "gt")
    methods = {"good": items, "bad": find(folders, "bad")[0]}
    alone = measure_items(methods, METRICS, known)
    assert alone == measure_items(methods, METRICS, KnownValues(tmp_path / "other"), workers=2)
    assert list(alone.values["good"]) == ["c01", "c02", "c10"]
    assert alone.values["good"]["c02"]["PSNR@reference"] == np.inf
    assert "PSNR@reference" not in alone.values["bad"]["c02"]
    fused = read_image(items[2].fused)
    assert alone.values["good"]["c10"] == measure_image(items[2].read_sources(), fused, METRICS, fused)


def test_what_was_measured_is_not_measured_again_unless_the_file_changed(folders, tmp_path, monkeypatch):
    items, _ = find(folders)
    path = tmp_path / "new" / "record"
    measured = []

    def stopping(job, measure=measured_items._measure):
        if len(measured) == 2:
            raise KeyboardInterrupt
        measured.append(job.item.name)
        return measure(job)

    monkeypatch.setattr(measured_items, "_measure", stopping)
    with pytest.raises(Interrupted, match="the same command again resumes it"), keep_values(path) as known:
        measure_items({"good": items}, ["EN"], known)
    path.write_bytes(path.read_bytes() + b'\n{"key": "torn')
    os.utime(items[0].fused, ns=(1, 1))
    assert measured == ["c01", "c02"]
    measured.clear()
    monkeypatch.setattr(measured_items, "_measure", lambda job: measured.append(job.item.name) or {"EN": 1.0})
    with pytest.raises(UserError, match="disk full"), keep_values(path) as known:
        measure_items({"good": items}, ["EN"], known)
        raise UserError("disk full")
    assert measured == ["c01", "c10"]
    with keep_values(path) as known:
        values = measure_items({"good": items}, ["EN"], known).values["good"]
    assert measured == ["c01", "c10"]
    assert values["c01"] == {"EN": 1.0} != values["c02"]
    assert not path.exists()


def test_a_damaged_image_is_named_or_skipped(folders, known):
    items, _ = find(folders)
    whole = items[1].fused.read_bytes()
    items[1].fused.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"c02_mean\.png"):
        measure_items({"good": items}, ["EN"], known)
    measured = measure_items({"good": items}, ["EN"], known, skip_bad=True)
    assert list(measured.values["good"]) == ["c01", "c10"]
    assert "c02_mean.png" in measured.skipped[0]


def test_a_record_of_others_can_do_no_more_than_be_wrong(tmp_path):
    path = tmp_path / "record"
    bad = ["[1]", '{"key": 1}', '{"key": "k", "values": {"EN": "x"}}', '{"key": "k", "values": 3}', '"x"', "[" * 99999]
    path.write_text("\n".join(bad))
    assert KnownValues(path).get("k") is None
    path.write_text(json.dumps({"key": "k", "values": {"EN": 2}}))
    assert KnownValues(path).get("k") == {"EN": 2.0}
