"""Targets, links, odd names and single files: what discovery makes of them; and what it says of its doubts."""

import os
import unicodedata

import pytest

from data.scenes.discovery import discover, discover_files
from data.scenes.inspection import describe, inspect
from tests.data.helpers import make, save
from util.errors import UserError, one_line


def test_targets(tmp_path):
    def targets(folder, **options):
        items = discover(tmp_path / folder, "test", **options).items
        return {item.name: item.target and str(item.target.relative_to(tmp_path / folder)) for item in items}

    make(tmp_path / "roles", "A/1.png", "B/1.png", "A/2.png", "B/2.png", "GroundTruth/1.jpg", "GroundTruth/9.png")
    assert targets("roles") == {"1": "GroundTruth/1.jpg", "2": None}
    assert "9.png" in discover(tmp_path / "roles", "test").notes[0]
    make(tmp_path / "scenes", "s/a.png", "s/b.png", "s/gt.png", "t/c1.png", "t/c2.png", "t/c_target.png")
    assert targets("scenes") == {"s": "s/gt.png", "t": "t/c_target.png"}
    make(tmp_path / "suffix", "x_A.png", "x_B.png", "x_reference.png")
    assert targets("suffix") == {"x": "x_reference.png"}
    make(tmp_path / "beside", "x_A.png", "x_B.png", "target/x.png")
    assert targets("beside") == {"x": "target/x.png"}


def test_hidden_empty_and_foreign_things_are_left_out(tmp_path):
    outside = make(tmp_path / "outside", "1.png", "2.png")
    root = make(tmp_path / "set", "ir/1.png", "vi/1.png", "ir/.2.png", ".cache/1.png", "notes/x.txt", "list.txt")
    (root / "nir").symlink_to(outside)
    (root / "ir" / "2.png").symlink_to(outside / "2.png")
    (root / "loop").symlink_to(root)
    result = discover(root, "test")
    assert [item.name for item in result.items] == ["1"]
    assert result.roles == ("ir", "vi")
    assert not result.problems
    assert len(result.notes) == 3
    assert "nir is a link that leads out" in "".join(result.notes)
    assert "notes" in result.notes[-1]
    (root / "vis_again").symlink_to(root / "vi")
    assert discover(root, "test", roles=("ir", "vis_again")).roles == ("ir", "vis_again"), "a link inside is followed"


def test_names_of_all_kinds_pair_up(tmp_path):
    composed = unicodedata.normalize("NFC", "café")
    decomposed = unicodedata.normalize("NFD", composed)
    assert composed != decomposed
    make(
        tmp_path, f"ir/{composed}.png", f"vi/{decomposed}.png", "ir/a b.png", "vi/a b.png", "ir/x\ny.png", "vi/x\ny.png"
    )
    for role in ("ir", "vi"):
        (tmp_path / role / os.fsdecode(b"bad\xff.png")).touch()
    result = discover(tmp_path, "test")
    assert [item.name for item in result.items] == ["a b", "bad\udcff", composed, "x\ny"]
    with pytest.raises(UserError) as caught:
        inspect(result)
    assert one_line(str(caught.value)).isprintable()


def test_files_one_by_one(tmp_path):
    result = discover_files([tmp_path / "Camp_Vis.png", tmp_path / "Camp_IR.png"], "Camp")
    assert (result.layout, result.roles) == ("files", ("vi", "ir"))
    assert [path.name for path in result.items[0].files] == ["Camp_Vis.png", "Camp_IR.png"]
    assert discover_files([tmp_path / "vi" / "1.png", tmp_path / "ir" / "1.png"], "1").roles == ("vi", "ir")
    assert discover_files([tmp_path / "a1.png", tmp_path / "b1.png", tmp_path / "c1.png"], "..").roles == ()
    assert discover_files([tmp_path / "a1.png", tmp_path / "b1.png"], "..").items[0].name == "fused"
    with pytest.raises(UserError, match="--sources: expected at least two"):
        discover_files([tmp_path / "a.png"], "a")


def test_the_note_on_panels_that_no_name_speaks_of(tmp_path, astronaut):
    for name in ("plain/1.png", "stacked/1_stacked.png"):
        save(tmp_path / name, astronaut[:9, :20])
    note = "note: no suffix says a role, so each image is taken for panels side by side"
    assert note in describe(inspect(discover(tmp_path / "plain", "test")))
    assert note not in describe(inspect(discover(tmp_path / "plain", "test", layout="stacked")))
    assert note not in describe(inspect(discover(tmp_path / "stacked", "test")))
    with pytest.raises(UserError, match=r"20 pixels wide.*\(note: no suffix says a role"):
        inspect(discover(tmp_path / "plain", "test"), num_sources=3)


def test_errors_tell_what_was_left_out(tmp_path):
    outside = make(tmp_path / "outside", "1.png")
    root = make(tmp_path / "set", "ir/1.png", "ir/2.png")
    (root / "vi").symlink_to(outside)
    with pytest.raises(UserError, match=r"folder ir of one role only.*\(note: .*vi is a link that leads out"):
        discover(root, "test")
    (root / "vi").unlink()
    make(root, "vi/1.png", "vi/2.png", "gt/9.png", "depth/readme.txt")
    with pytest.raises(UserError, match=r"no item of .* has a target.*directly in depth.*no sources go with 9\.png"):
        inspect(discover(root, "test"), with_target=True)
    with pytest.raises(UserError, match=r"the file is empty.*directly in depth"):
        inspect(discover(root, "test"))


def test_links_are_spelt_out(tmp_path, caplog):
    outside = make(tmp_path, "1.png")
    root = make(tmp_path / "a\nb", "2.png")
    (root / "3.png").symlink_to(outside / "1.png")
    discover(root, "test")
    assert "a\\nb: 1 links" in caplog.text


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["s/1.png", "s/2.png"], ["ground_truth", "into each scene", "into a folder"]),
        (["x_A.png", "x_B.png"], ["ground_truth", "with the suffix", "into a folder"]),
        (["A/x.png", "B/x.png"], ["ground_truth", "beside the role folders"]),
    ],
)
def test_where_targets_may_lie_is_said(tmp_path, names, words):
    with pytest.raises(UserError) as caught:
        inspect(discover(make(tmp_path, *names), "test"), with_target=True)
    assert all(word in str(caught.value) for word in words)
