import json
import sys

import pytest
import torch

from scripts import benchmark
from scripts.benchmarks import fusing, training
from scripts.benchmarks.processes import run_measured
from util.errors import UserError, run_command


def test_ways_of_training_are_compared_in_one_table(monkeypatch, capsys):
    ways = training._ways
    monkeypatch.setattr(training, "_ways", lambda port: [ways(port)[0], ways(port)[-1]])
    words = ["train", "--turns", "1", "--steps", "3", "--side", "32", "--ngf", "4", "--batch_size", "2"]
    assert run_command(benchmark.main, [*words, "--", "--gpu_ids", "-1", "--ndf", "4"]) == 0
    *table, raw = capsys.readouterr().out.splitlines()
    assert table[0].split() == ["way", "samples/s", "ratio", "MB"]
    name, speed, ratio, megabytes = table[1].rsplit(maxsplit=3)
    assert (name, ratio) == ("32 bit, no watcher", "1.00")
    assert float(speed) > 0
    assert float(megabytes) > 100
    assert list(json.loads(raw)) == ["32 bit, no watcher", "Visdom that never answers"]


def test_what_train_py_says_is_handed_on(capsys):
    assert run_command(benchmark.main, ["train", "--turns", "1", "--", "--nettG", "x"]) == 2
    assert "unknown option --nettG" in capsys.readouterr().err


@pytest.mark.parametrize(("option", "value"), [("turns", 0), ("steps", 2), ("batch_size", 0), ("side", 0)])
def test_a_number_that_measures_nothing_is_refused(capsys, option, value):
    assert run_command(benchmark.main, ["train", f"--{option}", str(value)]) == 2
    assert f"--{option} {value}: must be at least" in capsys.readouterr().err


def test_networks_that_fuse_are_compared_in_one_table(capsys):
    words = [
        "test",
        "--netG",
        "IFCNN",
        "SMFNet",
        "--precision",
        "32",
        "--width",
        "33",
        "--height",
        "21",
        "--turns",
        "1",
    ]
    assert run_command(benchmark.main, words) == 0
    size, head, *rows = capsys.readouterr().out.splitlines()
    assert size == "a pair of 33x21"
    assert head.split() == ["network", "precision", "seconds", "ratio", "MB"]
    assert [row.split()[:2] for row in rows] == [["IFCNN", "32"], ["SMFNet", "32"]]
    assert rows[0].split()[3] == "1.00"
    assert all(float(row.split()[4]) > 100 for row in rows)


def test_both_ways_of_attention_are_compared_in_a_column_of_their_own(capsys):
    words = ["test", "--netG", "DeFusionPlus", "--precision", "32", "--attention", "fused", "math", "--turns", "1"]
    assert run_command(benchmark.main, [*words, "--width", "33", "--height", "21"]) == 0
    _, head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["network", "precision", "attention", "seconds", "ratio", "MB"]
    assert [row.split()[:3] for row in rows] == [["DeFusionPlus", "32", way] for way in ("fused", "math")]
    assert len({len(line) for line in (head, *rows)}) == 1


@pytest.mark.parametrize(("attention", "may_fuse"), [("fused", True), ("math", False)])
def test_attention_is_fused_or_not_while_images_are(monkeypatch, attention, may_fuse):
    seen = []

    def fuse(runtime, generator, sources):
        seen.append(torch.backends.cuda.flash_sdp_enabled())
        return sources[0]

    monkeypatch.setattr(fusing, "fuse_batch", fuse)
    fusing._fuse_once(fusing._Row("SMFNet", "32", attention), 33, 21, torch.get_num_threads())
    assert seen == [may_fuse, may_fuse]


def test_a_network_that_is_not_there_is_named(capsys):
    assert run_command(benchmark.main, ["test", "--netG", "SMFnet"]) == 2
    assert "SMFNet" in capsys.readouterr().err


def test_another_network_is_trained_at_its_own_size(monkeypatch, capsys):
    ways = training._ways
    monkeypatch.setattr(training, "_ways", lambda port: [ways(port)[0]])
    words = ["train", "--turns", "1", "--steps", "3", "--side", "16", "--batch_size", "1", "--", "--gpu_ids", "-1"]
    assert run_command(benchmark.main, [*words, "--model=smfnet", "--init_type", "xavier", "--init_gain", "1"]) == 0
    assert float(capsys.readouterr().out.splitlines()[1].split()[-3]) > 0


def test_samples_are_made_with_several_numbers_of_threads(capsys):
    words = ["data", "--samples", "4", "--threads", "0", "1", "--turns", "1"]
    assert run_command(benchmark.main, words) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["threads", "samples/s", "ms", "ratio"]
    assert [row.split()[0] for row in rows] == ["0", "1"]
    assert rows[0].split()[3] == "1.00"


def test_samples_of_a_folder_that_is_not_there_are_not_measured(capsys):
    assert run_command(benchmark.main, ["data", "--", "--dataroot", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_a_process_that_says_much_is_not_waited_for_in_vain():
    code = "import sys; print('x' * 200_000); sys.stderr.write('y' * 200_000)"
    printed, megabytes = run_measured("talk", [sys.executable, "-c", code])
    assert len(printed) == 200_001
    assert megabytes > 1
    with pytest.raises(UserError, match=r"^talk: ended with 3: no message$"):
        run_measured("talk", [sys.executable, "-c", "raise SystemExit(3)"])
