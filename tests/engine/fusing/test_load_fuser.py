"""Three lines in a notebook: what `load_fuser` gives is what test.py writes."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from engine import load_fuser
from models import create_generator
from scripts import import_checkpoint
from tests.images import scene
from tests.integration.commands import fuse
from util.errors import UserError, run_command
from util.images.image_io import read_image, write_image

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder of runs with an IFCNN of random weights, and the file that it was imported from."""
    folder = tmp_path_factory.mktemp("runs")
    torch.manual_seed(0)
    torch.save(create_generator("IFCNN").state_dict(), folder / "IFCNN-SUM.pth")
    words = ["--netG", "IFCNN", "--weights", folder / "IFCNN-SUM.pth", "--name", "run", "--checkpoints_dir", folder]
    assert run_command(import_checkpoint.main, [str(word) for word in words]) == 0
    return folder


def grey(seed):
    return scene(seed, 37, 53)[..., 0]


def deep(image):
    return image.astype(np.uint16) * 250 + 77


KINDS = {
    "colour": [scene(0, 37, 53), scene(1, 37, 53)],
    "grey": [grey(0), grey(1)],
    "grey and colour": [grey(0), scene(1, 37, 53)],
    "16 bits": [deep(scene(0, 37, 53)), deep(scene(1, 37, 53))],
    "grey of 16 bits": [deep(grey(0)), deep(grey(1))],
    "three": [scene(seed, 37, 53) for seed in range(3)],
}


def by_command(folder, runs, sources, *words):
    """What test.py writes for sources."""
    for number, source in enumerate(sources):
        write_image(folder / f"{number}.png", source)
    files = [folder / f"{number}.png" for number in range(len(sources))]
    place = ["--name", "run", "--checkpoints_dir", runs, "--gpu_ids", "-1"]
    assert fuse("--sources", *files, "--out", folder / "fused.png", *place, *words) == 0
    return read_image(folder / "fused.png")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"color": "luma"}, {"tile": 24, "tile_overlap": 8}])
def test_an_array_is_value_for_value_what_the_command_writes(runs, tmp_path, kind, options):
    sources = KINDS[kind]
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    expected = by_command(tmp_path, runs, sources, *words)
    fuser = load_fuser("run", checkpoints_dir=runs, gpu_ids=-1, **options)
    fused = fuser(sources)
    colour = any(source.ndim == 3 for source in sources)
    assert fused.dtype == sources[0].dtype
    assert np.array_equal(fused, expected if colour else expected[..., 0])
    tensors = [torch.from_numpy(source if source.ndim == 2 else source.transpose(2, 0, 1).copy()) for source in sources]
    of_tensors = fuser(tensors)
    assert of_tensors.dtype == tensors[0].dtype
    assert np.array_equal(of_tensors.numpy(), fused.transpose(2, 0, 1) if colour else fused)


def test_exposure_is_the_commands_too(runs, tmp_path):
    sources = KINDS["three"]
    fused = load_fuser(runs / "run", gpu_ids="-1", exposure=True)(sources)
    assert np.array_equal(fused, by_command(tmp_path, runs, sources, "--exposure"))


@pytest.mark.parametrize("kind", ["colour", "grey", "grey and colour"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_floats_are_not_rounded_to_levels(runs, kind, dtype):
    fuser = load_fuser("run", checkpoints_dir=runs, gpu_ids="-1")
    levels = fuser(KINDS[kind])
    fused = fuser([(source / 255).astype(dtype) for source in KINDS[kind]])
    assert (fused.dtype, fused.shape) == (dtype, levels.shape)
    assert fused.min() >= 0
    assert fused.max() <= 1
    assert np.abs(fused.astype(float) * 255 - levels).max() <= 1.01 + (dtype == np.float16) * 0.5
    assert len(np.unique(fused)) > len(np.unique(levels))


def test_layouts_of_tensors_come_back(runs):
    fuser = load_fuser("run", checkpoints_dir=runs, gpu_ids="-1")
    plane, coloured = torch.from_numpy(grey(0).copy()), torch.from_numpy(scene(1, 37, 53).transpose(2, 0, 1).copy())
    assert fuser([plane, plane]).shape == (37, 53)
    assert fuser([plane[None], plane[None]]).shape == (1, 37, 53)
    assert fuser([plane[None], coloured]).shape == (3, 37, 53)
    assert fuser([plane.expand(3, -1, -1)] * 2).shape == (3, 37, 53), "grey in three channels"
    assert fuser([coloured.bfloat16() / 255] * 2).dtype == torch.bfloat16
    assert fuser([scene(0, 37, 53)[::-1, ::-1], scene(1, 37, 53)[:, ::-1]]).shape == (37, 53, 3), "views"


def test_an_array_in_a_file_is_an_array(runs, tmp_path):
    fuser = load_fuser("run", checkpoints_dir=runs, gpu_ids="-1")
    for number, source in enumerate(KINDS["colour"]):
        np.save(tmp_path / f"{number}.npy", source)
    mapped = [np.load(tmp_path / f"{number}.npy", mmap_mode="r") for number in range(2)]
    assert np.array_equal(fuser(mapped), fuser(KINDS["colour"]))


def test_a_run_a_folder_and_a_file_give_one_network(runs, tmp_path, monkeypatch):
    monkeypatch.chdir(runs)
    (runs / "checkpoints").mkdir(exist_ok=True)
    if not (runs / "checkpoints" / "named").exists():
        shutil.copytree(runs / "run", runs / "checkpoints" / "named")
    expected = load_fuser("run", checkpoints_dir=runs, gpu_ids="-1")
    fused = expected(KINDS["colour"])
    assert expected.generator.fusion == "sum", "told by the name of the published file"
    for name, options in {
        "named": {},
        "run": {},  # a folder of this name is here
        runs / "run": {"epoch": "latest"},
        runs / "run" / "latest_net_G.pth": {},
        "IFCNN-SUM.pth": {"netG": "IFCNN"},
    }.items():
        assert np.array_equal(load_fuser(name, gpu_ids="-1", **options)(KINDS["colour"]), fused), name
    other = load_fuser("IFCNN-SUM.pth", netG="IFCNN", fusion="max", gpu_ids="-1", eval=False)
    assert other.generator.fusion == "max"
    assert other.generator.training


def test_the_callers_random_numbers_stay_as_they_are(runs):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load_fuser("run", checkpoints_dir=runs, gpu_ids="-1")
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("rum", {}, "--name rum: there is no such run in .* (did you mean run?)"),
        ("nowhere/run", {}, "nowhere/run: no such file or folder"),
        ("x.pth", {}, "x.pth: no such file or folder"),
        ("run", {"epoch": "7"}, "--epoch can be: latest"),
        ("run", {"colour": "luma"}, "unknown option --colour (did you mean --color?)"),
        ("run", {"color": "lum"}, "--color 'lum' is not one of: auto, rgb, luma (did you mean luma?)"),
        ("run", {"tile": 10, "tile_overlap": 8}, "expected an overlap of at most half a tile"),
        ("run", {"gpu_ids": "cpu"}, "--gpu_ids 'cpu': expected numbers such as 0 or 0,1, or -1 for the CPU"),
        ("run", {"metrics": "all"}, "--metrics is an option of test.py alone"),
        ("run", {"seed": 3}, "seed has no effect on load_fuser"),
        ("run", {"netG": "SMFNet"}, "does not fit SMFNetGenerator"),
        ("IFCNN-SUM.pth", {}, "netG is missing, the network of these weights; one of: BlendNet"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(runs, monkeypatch, name, options, message):
    monkeypatch.chdir(runs)
    with pytest.raises(UserError) as error:
        load_fuser(name, **{"checkpoints_dir": runs, "gpu_ids": "-1"} | options)
    assert re.search(re.escape(message).replace(re.escape(".*"), ".*"), str(error.value))
    assert "\n" not in str(error.value)


def a(*shape, dtype=np.uint8):
    return np.zeros(shape, dtype)


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([a(8, 8)], "1 source: expected at least 2"),
        ([], "0 sources: expected at least 2"),
        ([a(8, 9), a(8, 8)], "sources are of different sizes (9x8, 8x8): expected one size"),
        ([a(8, 8), a(8, 8, 4)], "source 2 is of shape (8, 8, 4): expected (H, W) or (H, W, 3)"),
        ([a(8, 8, 1)] * 2, "source 1 is of shape (8, 8, 1)"),
        ([a(0, 8)] * 2, "source 1 is of shape (0, 8)"),
        ([torch.zeros(2, 3, 8, 8)] * 2, "source 1 is of shape (2, 3, 8, 8): expected (H, W), (1, H, W) or (3, H, W)"),
        ([a(8, 8, dtype=np.int32)] * 2, "source 1 is of dtype int32: expected uint8, uint16, or floats in [0, 1]"),
        ([a(8, 8, dtype=bool)] * 2, "source 1 is of dtype bool"),
        ([a(8, 8), a(8, 8, dtype=np.float32)], "sources are integers and floats: expected one of both"),
        ([a(8, 8, dtype=np.float32), a(8, 8, dtype=np.float32) + 9], "source 2 holds values from 9 to 9: expected"),
        ([np.full((8, 8), np.nan)] * 2, "source 1 holds values from nan to nan: expected floats in [0, 1]"),
        ([a(8, 8), torch.zeros(8, 8)], "sources are of type numpy.ndarray, torch.Tensor: expected numpy arrays, or"),
        (a(2, 8, 8), "sources are one array: expected a list with an array for each source"),
        (torch.zeros(2, 8, 8), "sources are one array"),
        (["a.png", "b.png"], "sources are of type builtins.str: expected numpy arrays"),
    ],
)
def test_bad_sources_are_one_line(runs, sources, message):
    fuser = load_fuser("run", checkpoints_dir=runs, gpu_ids="-1")
    with pytest.raises(UserError, match=re.escape(message)):
        fuser(sources)


def test_a_network_for_two_says_so(tmp_path):
    torch.save(create_generator("SMFNet").state_dict(), tmp_path / "w.pth")
    fuser = load_fuser(tmp_path / "w.pth", netG="SMFNet", gpu_ids="-1")
    with pytest.raises(UserError, match="3 sources: expected 2, as many as the network fuses"):
        fuser([a(8, 8)] * 3)
    assert fuser.generator.stretch == "minmax", "as the published file was tested"


def in_a_process(code, folder):
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_imports_no_torch():
    code = "import sys, engine, engine.launch; engine.load_fuser; print(json.dumps('torch' in sys.modules))"
    assert json.loads(in_a_process(f"import json; {code}", ROOT)) is False


def test_torch_hub_gives_the_same_from_anywhere(runs, tmp_path):
    code = f"""
import numpy, torch
fuser = torch.hub.load({str(ROOT)!r}, "fuser", "run", source="local", checkpoints_dir={str(runs)!r}, gpu_ids="-1")
a, b = numpy.load("a.npy"), numpy.load("b.npy")
numpy.save("fused.npy", fuser([a, b]))
"""
    for name, image in zip("ab", KINDS["grey and colour"], strict=True):
        np.save(tmp_path / f"{name}.npy", image)
    in_a_process(code, tmp_path)
    expected = load_fuser("run", checkpoints_dir=runs, gpu_ids="-1")(KINDS["grey and colour"])
    assert np.array_equal(np.load(tmp_path / "fused.npy"), expected)


def test_the_example_of_the_documentation_runs(runs, tmp_path, monkeypatch):
    """With the names that it has: a run IFCNN-MAX, and two images."""
    shutil.copytree(runs / "run", tmp_path / "checkpoints" / "IFCNN-MAX")
    write_image(tmp_path / "ir.png", grey(0))
    write_image(tmp_path / "vi.png", scene(1, 37, 53))
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict = {}
    exec(examples[0], names)
    assert np.array_equal(names["fused"], read_image(tmp_path / "fused.png"))
