import csv
import json
import shutil

import numpy as np
import pytest

from tests.data.patch_files import random_pairs, write_ours
from tests.images import scene, stacked, write_pairs
from tests.integration.commands import SMALL, fuse, train
from util.images.image_io import read_image, write_image


def test_fusing_from_the_checkpoint_folder_alone(trained, tmp_path, capsys):
    """Images of several odd sizes with targets: fused at their own size, measured, shown."""
    for number, (height, width) in enumerate([(48, 64), (48, 64), (37, 53), (9, 70)]):
        write_image(tmp_path / "data" / "test" / f"item {number}_stacked.png", stacked(number, height, width))
    status = fuse(
        "--dataroot", tmp_path / "data", "--checkpoints_dir", trained / "checkpoints", "--name", "run",
        "--results_dir", tmp_path / "results", "--gpu_ids", "-1", "--with_target", "--batch_size", 8, "--eval",
    )  # fmt: skip
    assert status == 0
    folder = tmp_path / "results" / "run" / "test_latest"
    assert str(folder / "index.html") in capsys.readouterr().out
    assert sorted(path.name for path in (folder / "fused").iterdir()) == [f"item {n}.png" for n in range(4)]
    assert read_image(folder / "fused" / "item 2.png").shape == (37, 53, 3)
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [f"item {n}" for n in range(4)]
    fused, target = read_image(folder / "fused" / "item 0.png"), read_image(folder / "images" / "item 0_target.png")
    by_hand = 10 * np.log10(255**2 / np.mean((fused.astype(float) - target) ** 2))
    assert float(rows[0]["PSNR@reference"]) == pytest.approx(by_hand, rel=1e-10)
    assert len(rows[0]["PSNR@reference"].replace(".", "")) >= 10
    assert json.loads((folder / "metrics.json").read_text())["summary"]["PSNR@reference"]["better"] == "higher"


def test_patches_are_to_train_with(trained, tmp_path, capsys):
    patches = write_ours(tmp_path / "patches.h5", random_pairs(2))
    words = ["--checkpoints_dir", trained / "checkpoints", "--name", "run", "--gpu_ids", "-1"]
    assert fuse("--dataroot", patches, "--dataset_mode", "patches", *words) == 2
    assert capsys.readouterr().err.endswith("--dataset_mode patches is to train with; fuse the images themselves\n")


def test_a_batch_gives_the_images_of_single_items(trained, tmp_path):
    write_pairs(tmp_path / "data", 3, with_target=False)
    for size in (1, 3):
        status = fuse(
            "--dataroot", tmp_path / "data", "--checkpoints_dir", trained / "checkpoints", "--name", "run",
            "--results_dir", tmp_path / str(size), "--gpu_ids", "-1", "--batch_size", size,
        )  # fmt: skip
        assert status == 0
    for number in range(3):
        single, batched = (
            read_image(tmp_path / size / "run" / "test_latest" / "fused" / f"p{number:02d}.png").astype(int)
            for size in ("1", "3")
        )
        assert np.abs(single - batched).max() <= 1


def test_weights_dropped_into_a_folder_need_no_options(trained, tmp_path):
    """As with a published file: the layout is read off the names, without options.json."""
    write_pairs(tmp_path / "data", 1, with_target=False)
    (tmp_path / "checkpoints" / "dropped").mkdir(parents=True)
    source = trained / "checkpoints" / "run" / "latest_net_G.pth"
    shutil.copy(source, tmp_path / "checkpoints" / "dropped" / "latest_net_G.pth")
    words = ["--dataroot", tmp_path / "data", "--checkpoints_dir", tmp_path / "checkpoints", "--name", "dropped"]
    assert fuse(*words, "--results_dir", tmp_path / "results", "--gpu_ids", "-1") == 0
    assert (tmp_path / "results" / "dropped" / "test_latest" / "fused" / "p00.png").is_file()


def test_another_network_than_trained_is_refused_with_what_differs(trained, tmp_path, capsys):
    write_pairs(tmp_path / "data", 1, with_target=False)
    words = ["--dataroot", tmp_path / "data", "--checkpoints_dir", trained / "checkpoints", "--name", "run"]
    assert fuse(*words, "--netG", "resnet_6blocks", "--results_dir", tmp_path / "results") == 2
    message = capsys.readouterr().err
    assert "missing" in message
    assert "latest_net_G.pth" in message
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--name", "absent"], "absent"),
        (["--epoch", "7"], "--epoch can be: 1, 2, best, latest"),
        (["--metrics", "PSNR,FOO"], "FOO"),
        (["--num_sources", "3"], "panels"),
        (["--gpu_ids", "99"], "--gpu_ids 99"),
        (["--phase", "../../etc"], "--phase"),
        (
            ["--save_decomposition"],
            "--netG R2GAN_generator does not decompose the sources; expected --netG DeFusion or",
        ),
        (["--epoch", "../run/latest"], "--epoch"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(trained, tmp_path, capsys, words, named):
    write_pairs(tmp_path / "data", 1, with_target=False)
    common = ["--dataroot", tmp_path / "data", "--checkpoints_dir", trained / "checkpoints", "--name", "run"]
    assert fuse(*common, "--results_dir", tmp_path / "results", *words) == 2
    message = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(message) == 1
    assert named in message[0]
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("words", "runs", "said"),
    [
        (["--name", "PFM"], ["PMF", "x"], "--name PFM: there is no such run in DIR (did you mean PMF?)"),
        (["--name", "zzz"], ["x10", "x9"], "--name zzz: there is no such run in DIR; there are: x9, x10"),
        (["--name", "z"], "abcdefg", "--name z: there is no such run in DIR; there are: a, b, c, d, e and 2 more"),
        (["--netG", "IFCNN"], ["PMF"], "--name is missing: name a run of DIR; there are: PMF"),
        (
            ["--netG", "IFCNN"],
            [],
            "--name is missing: name a run of DIR, which holds none; --checkpoints_dir DIR names another folder",
        ),
    ],
)
def test_a_run_that_is_not_there_is_said_with_those_that_are(tmp_path, capsys, words, runs, said):
    write_pairs(tmp_path / "data", 1, with_target=False)
    folder = tmp_path / "checkpoints"
    for name in runs:
        (folder / name).mkdir(parents=True)
        (folder / name / "latest_net_G.pth").touch()
    assert fuse("--dataroot", tmp_path / "data", "--checkpoints_dir", folder, *words) == 2
    assert (
        capsys.readouterr().err
        == f"error: {said.replace('in DIR', f'in {folder}').replace('of DIR', f'of {folder}')}\n"
    )
    assert fuse("--dataroot", tmp_path / "data", "--checkpoints_dir", folder, *words, "--list") == 0


def test_a_second_test_leaves_no_image_of_the_first_and_says_so(trained, tmp_path, caplog):
    write_pairs(tmp_path / "data", 3, with_target=False)
    words = ["--dataroot", tmp_path / "data", "--checkpoints_dir", trained / "checkpoints", "--name", "run"]
    words += ["--results_dir", tmp_path / "results", "--gpu_ids", "-1"]
    assert fuse(*words) == 0
    assert "earlier test" not in caplog.text
    assert fuse(*words, "--num_test", 1) == 0
    folder = tmp_path / "results" / "run" / "test_latest"
    assert f"{folder}: 2 fused images of an earlier test of other items are gone; --results_dir" in caplog.text
    assert [path.name for path in (folder / "fused").iterdir()] == ["p00.png"]
    assert len(list((folder / "images").iterdir())) == 2


def test_weights_that_tell_no_norm_are_not_guessed(tmp_path, capsys):
    write_pairs(tmp_path / "data", 2)
    words = ["--dataroot", tmp_path / "data", "--checkpoints_dir", tmp_path, "--name", "run"]
    assert train(*words, *SMALL, "--n_epochs", 1, "--n_epochs_decay", 0, "--norm", "none") == 0
    (tmp_path / "run" / "options.json").unlink()
    tested = [*words, "--results_dir", tmp_path / "results", "--gpu_ids", "-1", "--with_target"]
    assert fuse(*tested) == 2
    assert "--norm instance or --norm none" in capsys.readouterr().err
    assert fuse(*tested, "--norm", "none") == 0


def test_separate_decoders_for_three_fuse_two(tmp_path):
    """With and without options.json; the decoders are part of the network, whatever is fused."""
    triple = np.concatenate([stacked(0), scene(0)], axis=1)
    for number in range(2):
        write_image(tmp_path / "data" / f"{number}.png", triple)
    words = ["--dataroot", tmp_path / "data", "--checkpoints_dir", tmp_path, "--name", "run"]
    options = ["--num_sources", 3, "--decoders", "separate", "--n_epochs", 1, "--n_epochs_decay", 0]
    assert train(*words, *SMALL, *options) == 0
    write_pairs(tmp_path / "pairs", 1, with_target=False)
    tested = ["--dataroot", tmp_path / "pairs", *words[2:], "--results_dir", tmp_path / "results", "--num_sources", 2]
    assert fuse(*tested, "--gpu_ids", "-1") == 0
    (tmp_path / "run" / "options.json").unlink()
    assert fuse(*tested, "--gpu_ids", "-1") == 0


def test_a_config_file_may_name_the_run(trained, tmp_path):
    write_pairs(tmp_path / "data", 1, with_target=False)
    file = tmp_path / "test.yaml"
    file.write_text(f"name: run\ncheckpoints_dir: {trained / 'checkpoints'}\nresults_dir: {tmp_path / 'results'}\n")
    assert fuse("--config", file, "--dataroot", tmp_path / "data", "--gpu_ids", "-1") == 0


@pytest.mark.parametrize(
    "change",
    [
        {"data": {"num_sources": "two"}},
        {"selection": {"netG": ["R2GAN_generator"]}},
        {"generator": {"norm": "foo"}},
        {"selection": {"model": "alien"}},
    ],
)
def test_an_options_json_edited_by_hand_is_named(trained, tmp_path, capsys, change):
    write_pairs(tmp_path / "data", 1, with_target=False)
    shutil.copytree(trained / "checkpoints", tmp_path / "checkpoints")
    file = tmp_path / "checkpoints" / "run" / "options.json"
    content = json.loads(file.read_text())
    for group, options in change.items():
        content[group] |= options
    file.write_text(json.dumps(content))
    words = ["--dataroot", tmp_path / "data", "--checkpoints_dir", tmp_path / "checkpoints", "--name", "run"]
    assert fuse(*words, "--results_dir", tmp_path / "results") == 2
    assert "options.json" in capsys.readouterr().err


def test_a_metric_that_needs_a_target_is_missed_aloud(trained, tmp_path, caplog):
    write_pairs(tmp_path / "data", 2, with_target=False)
    status = fuse(
        "--dataroot", tmp_path / "data", "--checkpoints_dir", trained / "checkpoints", "--name", "run",
        "--results_dir", tmp_path / "results", "--gpu_ids", "-1", "--metrics", "EN,PSNR@reference",
    )  # fmt: skip
    assert status == 0
    assert "no item has a target, so there is no PSNR@reference" in caplog.text
    header = (tmp_path / "results" / "run" / "test_latest" / "metrics.csv").read_text().splitlines()[0]
    assert header == "name,EN"
