"""Test sets in every shape that users have, through the real test.py."""

import cv2
import numpy as np
import pytest

from engine.checkpoint import CheckpointFolder
from models import create_generator
from tests.images import scene, write_pairs
from tests.integration.commands import ROOT, SMALL, fuse, in_a_shell, train
from util.images.image_io import read_image, write_image


def grey(seed, height=40, width=52):
    return scene(seed, height, width)[..., 0]


@pytest.fixture
def test(trained, tmp_path):
    """Calls test.py on a folder; returns the status and the folder of the fused images."""

    def run(*words):
        common = ["--checkpoints_dir", trained / "checkpoints", "--name", "run", "--gpu_ids", "-1"]
        status = fuse(*common, "--results_dir", tmp_path / "results", *words)
        return status, tmp_path / "results" / "run" / "test_latest" / "fused"

    return run


def test_role_folders_with_odd_names_and_mixed_formats(test, tmp_path, caplog):
    root = tmp_path / "data with space"
    for number, name in enumerate(["ä ö 10", "img2", "Ω#?%20"]):
        write_image(root / "IR" / f"{name}.png", grey(number, 33 + number, 47))
        write_image(root / "visible" / f"{name}.jpg", scene(number, 33 + number, 47))
    status, fused = test("--dataroot", root)
    assert status == 0
    assert "3 items, 2 sources (ir, vi)" in caplog.messages
    assert {path.stem for path in fused.iterdir()} == {"ä ö 10", "img2", "Ω#?%20"}
    assert read_image(fused / "img2.png").shape == (34, 47, 3)
    page = (fused.parent / "index.html").read_text()
    assert "source 1 ir" in page
    assert "source 2 vi" in page


def test_scenes_with_different_numbers_of_sources(test, tmp_path):
    for name, count in (("house", 3), ("igloo", 2)):
        for number in range(count):
            write_image(tmp_path / "data" / name / f"{name}{number}.png", scene(number, 30, 41))
    status, fused = test("--dataroot", tmp_path / "data")
    assert status == 0
    assert sorted(path.name for path in fused.iterdir()) == ["house.png", "igloo.png"]


def test_suffixed_grey_16_bit_files_give_a_grey_16_bit_image(test, tmp_path):
    for name in ("c01", "c02"):
        for number in (1, 2):
            write_image(tmp_path / "data" / f"{name}_{number}.tif", grey(number).astype(np.uint16) * 200)
    status, fused = test("--dataroot", tmp_path / "data")
    assert status == 0
    for name in ("c01", "c02"):
        stored = cv2.imread(str(fused / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        assert (stored.dtype, stored.shape) == (np.uint16, (40, 52))


def test_one_pair_without_a_folder(test, tmp_path, capsys):
    write_image(tmp_path / "a.png", scene(0, 31, 45))
    write_image(tmp_path / "b.jpg", scene(1, 31, 45))
    write_image(tmp_path / "c.bmp", scene(2, 31, 45))
    out = tmp_path / "new" / "fused.tif"
    status, _ = test("--sources", tmp_path / "a.png", tmp_path / "b.jpg", tmp_path / "c.bmp", "--out", out)
    assert status == 0
    assert read_image(out).shape == (31, 45, 3)
    assert str(out) in capsys.readouterr().out
    assert not (tmp_path / "results").exists()


def test_what_has_no_effect_on_one_pair_is_said(test, tmp_path, capsys):
    """A --config file with the folder and the roles of a whole set is one of defaults, and no reason to stop."""
    for name in "ab":
        write_image(tmp_path / f"{name}.png", scene(0, 31, 45))
    (tmp_path / "defaults.yaml").write_text("dataroot: datasets/TNO\nroles: vi,ir\nmetrics: all\n")
    words = ["--sources", tmp_path / "a.png", tmp_path / "b.png", "--out", tmp_path / "fused.png"]
    notice = "--metrics has no effect with --sources: nothing is measured; scripts/evaluate.py does it"
    for more, said in (([], False), (["--metrics", "EN"], True), (["--metrics", "none"], False)):
        assert test(*words, "--config", tmp_path / "defaults.yaml", *more)[0] == 0
        assert (notice in capsys.readouterr().err.splitlines()) == said


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--sources", "A", "B"], "--out"),
        (["--out", "OUT"], "--sources"),
        (["--sources", "A", "--out", "OUT"], "at least two"),
        (["--sources", "A", "absent.png", "--out", "OUT"], "absent.png"),
        (["--sources", "A", "B", "--out", "A"], "overwritten"),
        (["--sources", "A", "B", "--out", "noext"], "overwritten"),
        (["--sources", "A", "B", "--out", "folder.d"], "folder"),
        (["--sources", "A", "B", "--out", "A.png/x.png"], "--out: "),
        (["--sources", "A", "B", "--out", "OUT.xyz"], "OUT.xyz"),
        (["--sources", "A", "C", "--out", "OUT"], "40x30"),
        (["--sources", "A", "D", "--out", "OUT.jpg"], "16"),
        (["--sources", "A", "B", "--out", "OUT", "--tile", "64", "--tile_overlap", "40"], "--tile"),
        (["--sources", "A", "B", "--out", "OUT", "--color", "blue"], "--color"),
        (["--sources", "A", "B", "--out", "OUT", "--roles", "vi,ir"], "--roles beside --sources: the order in which"),
        (["--sources", "A", "B", "--out", "OUT", "--dataroot", "folder.d"], "--dataroot beside --sources: choose"),
    ],
)
def test_what_is_wrong_with_a_pair_is_one_line(test, tmp_path, capsys, words, named):
    for name, height, width in (("A", 45, 31), ("B", 45, 31), ("C", 30, 40)):
        write_image(tmp_path / f"{name}.png", scene(0, height, width))
    write_image(tmp_path / "noext.png", scene(0, 45, 31))
    (tmp_path / "folder.d").mkdir()
    write_image(tmp_path / "D.png", scene(0, 45, 31).astype(np.uint16) * 257)
    before = sorted(tmp_path.iterdir())
    places = {name: tmp_path / f"{name}.png" for name in ("A", "B", "C", "D", "OUT")}
    if "noext" in words:
        words = ["--sources", "A", tmp_path / "noext.png", "--out", tmp_path / "noext"]
    words = [places.get(word, tmp_path / word if "." in str(word) else word) for word in words]
    assert test(*words)[0] == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert named in errors[0]
    assert sorted(tmp_path.iterdir()) == before


def test_list_says_what_was_understood_and_stops(tmp_path):
    for role in ("near", "far"):
        for number in (1, 2, 10):
            write_image(tmp_path / role / f"{number}.png", scene(number, 20, 30 + number))
    result = in_a_shell("test.py", "--dataroot", tmp_path, "--list")
    assert result.returncode == 0
    assert result.stdout.splitlines()[-1] == "3 items, 2 sources (far, near)"
    assert "3 sizes" in result.stdout
    assert not (ROOT / "results").joinpath("experiment_name").exists()


def test_bad_samples_stop_or_are_skipped(test, tmp_path, capsys):
    for number in range(4):
        for role in "AB":
            write_image(tmp_path / "data" / role / f"s{number}.png", scene(number))
    (tmp_path / "data" / "B" / "s1.png").write_bytes((tmp_path / "data" / "B" / "s1.png").read_bytes()[:100])
    (tmp_path / "data" / "A" / "s3.png").unlink()
    status, fused = test("--dataroot", tmp_path / "data")
    assert status == 2
    assert not fused.exists()
    message = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(message) == 1
    assert "--on_bad_sample skip" in message[0]
    status, fused = test("--dataroot", tmp_path / "data", "--on_bad_sample", "skip")
    assert status == 3
    assert sorted(path.name for path in fused.iterdir()) == ["s0.png", "s2.png"]
    skipped = {line for line in capsys.readouterr().err.splitlines() if line.startswith("skipped: ")}
    assert len(skipped) == 2
    assert any("s1.png" in line for line in skipped)
    assert any("s3" in line for line in skipped)
    assert fuse("--dataroot", tmp_path / "data", "--list", "--on_bad_sample", "skip") == 3


def test_damage_that_only_decoding_shows_is_skipped_too(test, tmp_path, monkeypatch):
    """An image that goes bad between the look at its header and the reading of it."""
    write_pairs(tmp_path / "data", 3, with_target=False)
    spoilt = tmp_path / "data" / "p01.png"
    monkeypatch.setattr("engine.fusing.begin_fusing.SetFuser", _spoiling(spoilt))
    assert test("--dataroot", tmp_path / "data", "--on_bad_sample", "skip")[0] == 3
    assert test("--dataroot", tmp_path / "data")[0] == 2


def _spoiling(path):
    from engine.fusing.set_fuser import SetFuser  # noqa: PLC0415

    class Spoiling(SetFuser):
        def run(self, *words, **options):
            path.write_bytes(path.read_bytes()[:-30])
            return super().run(*words, **options)

    return Spoiling


def test_training_from_role_folders_scenes_and_suffixes(tmp_path, capsys):
    """Three sources and a target; the validation set is understood in the same way."""
    for number in range(4):
        for role in ("A", "B", "C", "target"):
            write_image(tmp_path / "roles" / role / f"{number}.png", scene(number, 40, 44))
            write_image(tmp_path / "scenes" / f"scene{number}" / f"{role}.png", scene(number, 40, 44))
            write_image(tmp_path / "suffix" / f"x{number}_{role}.png", scene(number, 40, 44))
    common = [*SMALL, "--checkpoints_dir", tmp_path / "ck", "--dataset_mode", "sources", "--num_sources", 3]
    common += ["--n_epochs", 1, "--n_epochs_decay", 0]
    for folder, layout in (("roles", "roles"), ("scenes", "scenes"), ("suffix", "suffix")):
        data = tmp_path / folder
        words = ["--dataroot", data, "--val_dataroot", data, "--name", folder, "--layout", layout]
        assert train(*words, *common) == 0, capsys.readouterr().err
        assert (tmp_path / "ck" / folder / "latest_net_G.pth").is_file()
    assert train("--dataroot", tmp_path / "roles", "--name", "x", *common, "--num_sources", 2) == 2
    assert "--num_sources" in capsys.readouterr().err


@pytest.mark.parametrize("netG", ["DeFusion", "resnet_6blocks"])
def test_an_item_of_more_sources_than_the_network_fuses_is_named_before_fusing(tmp_path, netG, capsys):
    options = {} if netG == "DeFusion" else {"ngf": 4}
    CheckpointFolder(tmp_path / "run").save_networks("latest", {"G": create_generator(netG, **options).state_dict()})
    for name, count in (("house", 2), ("igloo", 3)):
        for number in range(count):
            write_image(tmp_path / "data" / name / f"{name}{number}.png", scene(number, 16, 24))
    words = ["--netG", netG, "--name", "run", "--checkpoints_dir", tmp_path, "--gpu_ids", "-1", "--metrics", "none"]
    words += [word for name, value in options.items() for word in (f"--{name}", value)]
    words += ["--dataroot", tmp_path / "data", "--results_dir", tmp_path / "results", "--num_threads", 0]
    assert fuse(*words) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert "item igloo" in message
    assert "has 3 sources, not 2: the network fuses no other number; --roles chooses among them" in message
    assert not (tmp_path / "results").exists()
    assert fuse(*words, "--on_bad_sample", "skip") == 3
    assert [path.name for path in (tmp_path / "results/run/test_latest/fused").iterdir()] == ["house.png"]
    sources = [tmp_path / "data" / "igloo" / f"igloo{number}.png" for number in range(3)]
    assert fuse(*words[:8], *words[10:-6], "--sources", *sources, "--out", tmp_path / "out.png") == 2
    message = capsys.readouterr().err.splitlines()[-1]
    said = "--sources names 3 images, but the network fuses 2 and no other number: name 2 images"
    assert message == f"error: {said}"
