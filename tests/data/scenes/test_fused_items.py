import numpy as np
import pytest

from data.scenes.fused_items import find_fused, find_methods, find_scenes, parse_methods
from tests.data.helpers import make, save
from tests.images import scene
from tests.scripts.comparing.measured_folders import find
from util.errors import UserError


def test_items_are_found_by_name_in_natural_order(folders):
    items, skipped = find(folders, reference=folders / "gt")
    assert [item.name for item in items] == ["c01", "c02", "c10"]
    assert items[0].roles == ("ir", "vi")
    assert [path.relative_to(folders).as_posix() for path in items[0].sources] == ["ir/c01.png", "vi/c01.png"]
    assert items[0].fused.name == "c01_mean.png"
    assert items[0].reference.name == "c01.png"
    assert skipped == []


def test_the_order_of_the_folders_is_that_of_the_sources(folders):
    items, _ = find_fused(find_scenes([folders / "vi", folders / "ir"]), folders / "good")
    assert items[0].roles == ("vi", "ir")
    assert items[0].sources[0].parent.name == "vi"


def test_folders_of_one_name_are_told_apart(folders):
    for role in ("ir", "vi"):
        (folders / "set" / role).mkdir(parents=True)
        (folders / role).rename(folders / "set" / role / "test")
    scenes = find_scenes([folders / "set/vi/test", folders / "set/ir/test"])
    assert scenes.found.roles == ("vi", "ir")
    with pytest.raises(UserError, match=r"--sources names .*test twice"):
        find_scenes([folders / "set/vi/test", folders / "set/vi/../vi/test"])


def test_one_folder_with_all_sources(folders):
    for role in ("ir", "vi"):
        (folders / "root").mkdir(exist_ok=True)
        (folders / role).rename(folders / "root" / role)
    items, _ = find_fused(find_scenes([folders / "root"]), folders / "good")
    assert items[2].sources[1].name == "c10.png"
    assert find_scenes([folders / "root"], roles="vi,ir").found.roles == ("vi", "ir")
    with pytest.raises(UserError, match="there are several"):
        find_scenes([folders / "root" / "ir", folders / "root" / "vi"], roles="ir,vi")


def test_one_plain_folder_is_not_taken_for_panels_side_by_side(folders):
    """Half of an image is no source: somebody forgot the other folder."""
    with pytest.raises(UserError, match=r"--sources .*ir: one folder without roles: name a folder for each source"):
        find_scenes([folders / "ir"])
    save(folders / "panels" / "c01_stacked.png", np.hstack([scene(1, 32, 40), scene(2, 32, 40)]))
    with pytest.raises(UserError, match="name a folder for each source"):
        find_scenes([folders / "panels"])
    with pytest.raises(UserError, match="--sources: no such folder: nowhere"):
        find_scenes([folders.__class__("nowhere")])


def test_what_is_missing_or_of_another_size_stops_or_is_skipped(folders):
    (folders / "good" / "c02_mean.png").unlink()
    save(folders / "good" / "c10_mean.png", scene(0, 32, 41))
    with pytest.raises(UserError, match=r"good: there is no image of item c02 \(1 more .*--on_bad_sample skip"):
        find(folders)
    items, skipped = find(folders, skip_bad=True)
    assert [item.name for item in items] == ["c01"]
    assert "c02" in skipped[0]
    assert "c10_mean.png is 41x32" in skipped[1]
    (folders / "good" / "c01_mean.png").unlink()
    with pytest.raises(UserError, match=r"no image of item c01 \(2 more items cannot be measured either\)$"):
        find(folders, skip_bad=True)


def test_scenes_and_images_that_are_left_out_are_named_once(folders):
    (folders / "vi" / "c02.png").unlink()
    (folders / "bad" / "c10.png").unlink()
    scenes = find_scenes([folders / "ir", folders / "vi"], skip_bad=True)
    places = {"good": folders / "good", "bad": folders / "bad"}
    methods, skipped = find_methods(scenes, places, skip_bad=True)
    assert {name: [item.name for item in items] for name, items in methods.items()} == {
        "good": ["c01", "c10"],
        "bad": ["c01"],
    }
    assert len(skipped) == 2
    assert "the vi image is missing" in skipped[0]
    assert "no image of item c10" in skipped[1]


def test_methods_have_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(tmp_path, "lr=0.1/x.png", "results/run/test_latest/fused/x.png", "plain/x.png")
    (tmp_path / "link").symlink_to(tmp_path / "plain")
    words = [
        "a=x/y",
        "results/z/",
        "lr=0.1",
        "results/run/test_latest",
        "link",
        "plain",
        "b=lr=0.1",
        "all/*_Dense-Fuse",
    ]
    found = {name: str(path) for name, path in parse_methods(words).items()}
    assert found == {
        **{"a": "x/y", "z": "results/z", "lr=0.1": "lr=0.1", "run": "results/run/test_latest"},
        **{"link": "link", "plain": "plain", "b": "lr=0.1", "Dense-Fuse": "all/*_Dense-Fuse"},
    }
    for words, message in ((["a=x", "a=y"], "two are called 'a'"), (["=x"], "NAME=DIR"), (["a="], "NAME=DIR")):
        with pytest.raises(UserError, match=message):
            parse_methods(words)
