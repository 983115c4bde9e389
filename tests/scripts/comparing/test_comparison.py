import csv
import json
import math
import sys

import numpy as np
import pytest

from data.scenes.fused_items import FusedItem
from scripts.comparing.compared_images import file_names, write_images
from scripts.comparing.comparison import compare_sets, leaderboard_text, remarks, write_comparison
from tests.images import scene
from util.errors import UserError
from util.images.image_io import read_image, write_image


def items(folder, method, count, *, roles=("ir", "vi"), reference=False, deep=False):
    """Scenes 1, 2, …, whose fused image has the level 10 x scene."""
    made = []
    for number in range(1, count + 1):
        sources = tuple(folder / f"{role}{number}.png" for role in ("a", "b"))
        for place, path in enumerate(sources):
            image = scene(number + place, 24, 32)
            write_image(path, image.astype(np.uint16) * 257 if deep else image)
        fused = folder / f"{len(method)}{number}.png"
        write_image(fused, np.full((24, 32), 10 * number, np.uint8))
        made.append(FusedItem(f"scene {number}", sources, roles, fused, fused if reference else None))
    return made


def compared(folder, **sets):
    """Sets of the methods A and B, each given by the values of A; those of B are 5."""
    measured = {}
    for name, of_a in sets.items():
        images = {method: items(folder / name, method, len(of_a)) for method in ("A", "BB")}
        values = {
            "A": {f"scene {number}": {"EN": value} for number, value in enumerate(of_a, start=1)},
            "BB": {f"scene {number}": {"EN": 5.0} for number, _ in enumerate(of_a, start=1)},
        }
        measured[name] = (images, values)
    return compare_sets(measured, seed=0, resamples=100)


def test_file_names_are_different_on_every_system():
    names = file_names(["a b", "a/b", "A_b", "../x", "", "..", "näh#r", "x" * 300, "x" * 300 + "y"])
    assert names[:7] == ["a_b", "a_b-2", "A_b-3", "x", "_", "_-6", "näh_r"]
    assert len({name.lower() for name in names}) == len(names)
    assert max(map(len, names)) < 70


def test_file_names_of_many_scenes_take_a_step_each():
    steps = 0

    def count(frame, event, argument):
        nonlocal steps
        steps += 1

    sys.setprofile(count)
    try:
        file_names(str(number) for number in range(1000))
    finally:
        sys.setprofile(None)
    assert steps < 50 * 1000


def test_images_are_written_beside_the_page(tmp_path):
    methods = {
        "sources": items(tmp_path / "in", "A", 2, reference=True, deep=True),
        "B b": items(tmp_path / "in", "B", 2),
    }
    first, second = write_images(tmp_path, "set", methods, ["scene 2", "scene 1"])
    assert first.fused == ["images/set/sources-2/scene_2.png", "images/set/B_b/scene_2.png"]
    assert list(first.others) == ["source ir", "source vi", "reference"]
    assert first.size == "32 × 24"
    assert (read_image(tmp_path / second.fused[1]) == 10).all()
    written = read_image(tmp_path / first.others["source vi"])
    assert written.dtype == np.uint8
    assert (written == scene(3, 24, 32)).all()


def test_sources_without_roles_are_numbered(tmp_path):
    (only,) = write_images(tmp_path, "set", {"A": items(tmp_path / "in", "A", 1, roles=())}, ["scene 1"])
    assert list(only.others) == ["source 1", "source 2"]


def test_files_of_a_comparison(tmp_path):
    write_comparison(tmp_path / "out", compared(tmp_path, one=[6.0, 7.0], two=[1.0]), ["x.png: damaged"])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("compare.json", "images", "index.html", "metrics.csv", "ranks.csv"),
    ]
    with (tmp_path / "out" / "ranks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["method"], row["mean_rank"], row["one: mean_rank"], row["two: mean_rank"]) for row in rows] == [
        *(("A", "1.5", "1", "2"), ("BB", "1.5", "2", "1")),
    ]
    assert (tmp_path / "out" / "metrics.csv").read_text().splitlines()[:2] == ["set,method,name,EN", "one,A,scene 1,6"]
    content = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert content["overall"]["A"] | {"metrics_won": 0} == {
        **{"mean_rank": 1.5, "low": None, "high": None, "metrics_won": 0, "first_in": None},
        **{"spread_over_metrics": None, "spread_over_images": None},
    }
    assert content["sets"]["one"]["metrics"]["EN"]["methods"]["A"]["mean"] == 6.5
    assert content["sets"]["one"]["pairs"][0]["metrics"]["EN"] == {"ahead": 1, "p": 0.5, "p_adjusted": 0.5}
    page = (tmp_path / "out" / "index.html").read_text()
    assert "<li>Skipped: x.png: damaged</li>" in page
    assert 'title="entropy' in page.lower()


def files_below(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def test_a_second_comparison_replaces_the_first(tmp_path):
    out = tmp_path / "out"
    write_comparison(out, compared(tmp_path, one=[6.0, 7.0], two=[1.0]))
    (out / "images" / "empty" / "folder").mkdir(parents=True)
    (out / "mine.png").write_bytes(b"mine")
    write_comparison(out, compared(tmp_path, one=[6.0]))
    images = [f"images/one/{place}/scene_1.png" for place in ("A", "BB", "sources/source_ir", "sources/source_vi")]
    assert files_below(out) == ["compare.json", *images, "index.html", "metrics.csv", "mine.png", "ranks.csv"]
    assert sorted(path.name for path in (out / "images").iterdir()) == ["one"]


def test_images_of_somebody_else_are_left_alone(tmp_path):
    own = tmp_path / "out" / "images" / "own.png"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"own")
    write_comparison(own.parents[1], compared(tmp_path, one=[6.0]))
    assert own.read_bytes() == b"own"


def test_no_page_is_left_with_images_that_are_not_its_own(tmp_path):
    first, second = compared(tmp_path / "a", one=[6.0]), compared(tmp_path / "b", one=[6.0, 7.0])
    write_comparison(tmp_path / "out", first)
    tables = (tmp_path / "out" / "compare.json").read_bytes()
    second.sets[0].items["BB"][1].fused.write_bytes(b"damaged")
    with pytest.raises(UserError):
        write_comparison(tmp_path / "out", second)
    assert not (tmp_path / "out" / "index.html").exists()
    assert (tmp_path / "out" / "compare.json").read_bytes() == tables


@pytest.mark.parametrize("place", ["images", "images/one", "images/one/A/scene_1.png"])
def test_a_link_is_not_followed_out_of_the_folder(tmp_path, place):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious.png").write_bytes(b"precious")
    (out / place).parent.mkdir(parents=True)
    (out / "compare.json").write_text("{}")
    (out / "index.html").write_text("before")
    (out / place).symlink_to(elsewhere)
    before = files_below(out)
    with pytest.raises(UserError, match=f"out/{place}: a symbolic link") as caught:
        write_comparison(out, compared(tmp_path, one=[6.0]))
    assert "\n" not in str(caught.value)
    assert (files_below(out), files_below(elsewhere)) == (before, ["precious.png"])
    assert (out / "index.html").read_text() == "before"


def test_images_are_not_compared_where_they_would_be_overwritten(tmp_path):
    comparison = compared(tmp_path / "out" / "images", one=[6.0])
    before = files_below(tmp_path)
    with pytest.raises(UserError, match=r"images/one/a1\.png: lies in .*/out/images, which is written anew"):
        write_comparison(tmp_path / "out", comparison)
    assert files_below(tmp_path) == before


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        (["EN"], "grey (luma), in whole levels"),
        (["PSNR@reference"], "against a reference all channels"),
        (["PSNR@reference", "EN"], "grey (luma), in whole levels; against a reference all channels"),
    ],
)
def test_the_page_says_what_is_measured_on(tmp_path, metrics, said):
    images = {method: items(tmp_path, method, 1) for method in ("A", "BB")}
    values = {method: {"scene 1": dict.fromkeys(metrics, 1.0)} for method in images}
    write_comparison(tmp_path / "out", compare_sets({"one": (images, values)}, seed=0, resamples=100))
    assert f"<dd>{said}</dd>" in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


def test_the_distance_in_the_tables_has_a_sign(tmp_path):
    write_comparison(tmp_path / "out", compared(tmp_path, one=[4.0, 4.0]))
    content = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert content["sets"]["one"]["pairs"][0]["distance"] == pytest.approx(-0.2)


def test_remarks_name_what_is_missing(tmp_path):
    comparison = compared(tmp_path, one=[6.0, math.nan, 7.0])
    assert remarks(comparison) == [
        "one: A has no value, where others have, and ranks last there: EN on 1.",
        "one: means over fewer than 3 images, since a value is not finite for some method on the others: EN over 2.",
    ]
    (one,) = comparison.sets
    fewer = {"A": dict(one.values["A"]), "BB": {"scene 1": {"EN": 5.0}}}
    lines = remarks(compare_sets({"one": (one.items, fewer)}, seed=0, resamples=100))
    assert lines == ["one: left out, as not all methods have it: scene 2, scene 3."]


def test_leaderboard_for_a_terminal(tmp_path):
    lines = leaderboard_text(compared(tmp_path, one=[6.0, 7.0, 4.0])).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert [line.split()[:6] for line in lines[1:]] == [
        ["1", "A", "1.33", "1.00", "–", "2.00"],
        ["2", "BB", "1.67", "1.00", "–", "2.00"],
    ]


def test_a_terminal_shows_shared_places_and_no_nan(tmp_path):
    lines = leaderboard_text(compared(tmp_path, one=[5.0])).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert [line.split() for line in lines[1:]] == [
        ["1", name, "1.50", "–", "–", "–", "0", "–"] for name in ("A", "BB")
    ]


def test_the_seed_decides_what_is_drawn(tmp_path):
    one, same = (compared(tmp_path, one=[6.0, 7.0, 4.0]) for _ in range(2))
    measured = {"one": (one.sets[0].items, one.sets[0].values)}
    other = compare_sets(measured, seed=1, resamples=100)
    assert (one.overall.draws == same.overall.draws).all()
    assert (one.overall.draws != other.overall.draws).any()
