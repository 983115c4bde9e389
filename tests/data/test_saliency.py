import subprocess
import sys
import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from data.saliency.maps import read_saliency
from data.saliency.model import check_model, predict_saliency
from data.saliency.operators import OPERATORS
from data.saliency.recipe import SaliencyRecipe
from tests.data.helpers import save
from tests.data.onnx_files import write_mean_of_channels
from util.errors import UserError
from util.images.image_io import read_image

ROOT = Path(__file__).resolve().parents[2]


def disc_on_plain_ground():
    """A striped disc on plain ground, and where it is."""
    rows, columns = np.mgrid[:96, :128]
    inside = np.hypot(rows - 40, columns - 80) < 16
    photo = np.full((96, 128, 3), (60, 110, 90), np.uint8)
    photo[inside & (columns // 2 % 2 == 0)] = (230, 60, 30)
    return photo, inside


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_finds_what_stands_out(name):
    photo, inside = disc_on_plain_ground()
    before = photo.copy()
    found = OPERATORS[name](photo)
    assert (found.dtype, found.shape) == (np.float32, (96, 128))
    assert 0 <= found.min() < found.max() <= 1
    assert found[inside].mean() > 2 * found[~inside].mean()
    assert np.array_equal(photo, before)
    assert np.array_equal(OPERATORS[name](photo), found)


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("shape", [(1, 1), (2, 7), (1, 300), (64, 64)])
@pytest.mark.parametrize("level", [0, 128, None])
def test_operators_take_any_image(name, shape, level):
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    photo = photo if level is None else np.full_like(photo, level)
    found = OPERATORS[name](photo)
    assert (found.dtype, found.shape) == (np.float32, shape)
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.max() <= 1


def test_operators_take_rgb(astronaut):
    """OpenCV's take BGR: red counts less than green there."""
    photo = np.ascontiguousarray(astronaut[:120, :160])
    bgr = np.ascontiguousarray(photo[..., ::-1])
    _, expected = cv2.saliency.StaticSaliencySpectralResidual_create().computeSaliency(bgr)
    assert np.array_equal(OPERATORS["spectral"](photo), expected)
    assert not np.array_equal(OPERATORS["spectral"](bgr), expected)


def test_gradient_energy():
    photo = np.zeros((40, 60, 3), np.uint8)
    photo[:, 20:], photo[:, 40:] = 100, 150  # a step of 100 and one of 50
    found = OPERATORS["gradient"](photo)
    assert found.max() == 1
    assert found[20, 19:21].min() > 0.99
    assert found[20, 39:41] == pytest.approx([0.25, 0.25], abs=0.01)
    assert found[20, 0] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_maps_are_read_and_resized(tmp_path, dtype):
    top = np.iinfo(dtype).max
    levels = np.zeros((30, 40), dtype)
    levels[:, 20:] = top
    path = save(tmp_path / "a.png", levels)
    assert np.array_equal(read_saliency(path, 30, 40), levels / np.float32(top))
    larger = read_saliency(path, 61, 90)
    assert (larger.dtype, larger.shape) == (np.float32, (61, 90))
    assert 0 <= larger.min() <= larger.max() <= 1, "bicubic interpolation overshoots"
    assert larger[:, :40].max() < 0.01
    assert larger[:, 50:].min() > 0.99


def test_a_map_in_false_colours_is_refused(tmp_path):
    path = save(tmp_path / "heat.png", cv2.applyColorMap(np.arange(256, dtype=np.uint8)[None], cv2.COLORMAP_JET))
    with pytest.raises(UserError, match=r"heat\.png is coloured: expected grey levels"):
        read_saliency(path, 1, 256)


class Brightness(torch.nn.Module):
    def forward(self, images):
        return images.mean(1, keepdim=True)


class Plane(torch.nn.Module):
    def forward(self, images):
        return images.amax(1)


class Wrong(torch.nn.Module):
    def __init__(self, what: str):
        super().__init__()
        self.what = what

    def forward(self, images):
        if self.what == "half":
            return images[:, :1, ::2]
        if self.what == "logits":
            return images[:, :1] * 8 - 4
        if self.what == "nan":
            return images[:, :1] * float("nan")
        assert self.what == "nothing", "only multiples of 32"
        return images[:, :1]


class Drawing(torch.nn.Module):
    def forward(self, images):
        return torch.rand_like(images[:, :1])


class Several(torch.nn.Module):
    def forward(self, images):
        return images, images


def script(path, module):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch would rather have files of torch.export
        torch.jit.script(module).save(str(path))
    return path


@pytest.fixture
def photo(astronaut):
    return np.ascontiguousarray(astronaut[:33, :47])


@pytest.mark.parametrize(
    ("module", "expected"), [(Brightness(), lambda planes: planes.mean(2)), (Plane(), lambda planes: planes.max(2))]
)
def test_a_torchscript_model(tmp_path, photo, module, expected):
    path = script(tmp_path / "model.pt", module)
    threads = torch.get_num_threads()
    found = predict_saliency(path, photo)
    assert (found.dtype, found.shape) == (np.float32, (33, 47))
    assert found == pytest.approx(expected(photo / 255), abs=1e-6)
    assert torch.get_num_threads() == threads
    assert all(np.array_equal(predict_saliency(path, photo), found) for _ in range(4))


def test_a_model_that_draws_depends_on_nothing_and_takes_from_nobody(tmp_path, photo):
    path = script(tmp_path / "model.pt", Drawing())
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    found = [predict_saliency(path, photo) for _ in range(2)]
    assert np.array_equal(*found)
    assert torch.equal(torch.rand(2), expected)


def test_a_damaged_onnx_model_that_brings_its_reader_down(tmp_path):
    path = write_mean_of_channels(tmp_path / "model.onnx")
    content = bytearray(path.read_bytes())
    content[26] = 0o235  # with this one OpenCV's reader ends in a segmentation fault
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"--saliency .*model\.onnx is no ONNX model that OpenCV can open"):
        check_model(path)


def test_an_onnx_model(tmp_path, photo):
    path = write_mean_of_channels(tmp_path / "model.onnx")
    assert predict_saliency(path, photo) == pytest.approx((photo / 255).mean(2), abs=1e-6)
    turned = np.ascontiguousarray(photo.swapaxes(0, 1))  # another size
    assert predict_saliency(path, turned).shape == (47, 33)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (
            Wrong("half"),
            r"gives \(1, 1, 17, 47\) for a photograph of 47x33, expected \(1, 1, 33, 47\) or \(1, 33, 47\)",
        ),
        (Wrong("logits"), "gives values from -.* expected 0 to 1"),
        (Wrong("nan"), "gives values from nan to nan, expected 0 to 1"),
        (Wrong("else"), "cannot be applied to a photograph of 47x33: .*only multiples of 32"),
        (Several(), "gives a tuple, expected one tensor"),
    ],
)
def test_a_model_that_gives_something_else(tmp_path, photo, module, message):
    path = script(tmp_path / "model.pt", module)
    with pytest.raises(UserError, match=rf"--saliency .*model\.pt.*{message}") as caught:
        predict_saliency(path, photo)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"nothing" * 50, "weights", "pickle"])
@pytest.mark.parametrize("name", ["model.pt", "model.onnx"])
def test_a_file_that_is_no_model(tmp_path, content, name):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:  # a state dict, and a module with its classes, which only unpickling would open
        torch.save({"weight": torch.zeros(2)} if content == "weights" else Brightness(), path)
    with pytest.raises(UserError, match=rf"--saliency .*{name} is no ") as caught:
        check_model(path)
    assert "\n" not in str(caught.value)


def test_no_such_model_and_several_outputs(tmp_path):
    with pytest.raises(UserError, match=r"--saliency .*none\.pt: no such file"):
        check_model(tmp_path / "none.pt")
    with pytest.raises(UserError, match="has 2 outputs, expected one"):
        check_model(write_mean_of_channels(tmp_path / "model.onnx", outputs=2))


def test_torch_is_loaded_for_a_model_only():
    """So that make_saliency_pairs.py starts at once."""
    code = "import sys, data.saliency.recipe, scripts.make_saliency_pairs; assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"saliency": "spectrum"},
            r"--saliency 'spectrum' is not one of: spectral, fine, gradient \(did you mean spectral\?\), "
            "nor a folder of saliency maps or a model's file",
        ),
        ({"saliency": ""}, "--saliency '' is not one of"),
        ({"saliency": "no.pt"}, r"--saliency 'no\.pt' is not one of"),
        ({"saliency": __file__}, "--saliency .* is no model"),
        ({"num_sources": 1}, "--num_sources must be 2 to 16, not 1"),
        ({"num_sources": 17}, "--num_sources must be 2 to 16, not 17"),
    ],
)
def test_bad_values(values, message):
    with pytest.raises(UserError, match=message):
        SaliencyRecipe(**values)


def test_photographs_and_their_maps(tmp_path):
    for name in ("a", "b10", "b9"):
        save(tmp_path / "photos" / f"{name}.jpg", np.zeros((20, 30, 3), np.uint8))
        save(tmp_path / "maps" / f"{name}.tif", np.full((10, 15), 99, np.uint8))
    photos = [tmp_path / "photos" / f"{name}.jpg" for name in ("a", "b9", "b10")]
    assert SaliencyRecipe().find(tmp_path / "photos") == (list(zip(("a", "b9", "b10"), photos, strict=True)), [])
    recipe = SaliencyRecipe(saliency=str(tmp_path / "maps"))
    found, missing = recipe.find(tmp_path / "photos")
    assert [files[2].name for files in found] == ["a.tif", "b9.tif", "b10.tif"]
    assert missing == []
    photo, saliency = recipe.read(found[0][1:])
    assert np.array_equal(photo, read_image(photos[0]))
    assert saliency == pytest.approx(np.full((20, 30), 99 / 255))
    (tmp_path / "maps" / "b9.tif").unlink()
    assert recipe.find(tmp_path / "photos")[1] == [
        f"photograph {photos[1]} has no map: expected {tmp_path / 'maps' / 'b9'}.png, .jpg, .jpeg, .tif, .tiff or .bmp"
    ]
