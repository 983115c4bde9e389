import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional

from engine.fusing.fuser import Fuser
from engine.runtime import Runtime
from models.generators.base import CutsOffLevels, FusionOutput, Generator, Normalisation
from models.generators.decomposing import DecomposingGenerator
from options.fusing import FusingOptions
from tests.images import scene
from util.errors import UserError
from util.images.colour import Luma


class Mean(Generator):
    """The plain average, so that results are known; it notes what it was given."""

    size_divisor = 4

    def __init__(self, channels=3):
        super().__init__()
        self.channels, self.seen, self.asked_grey = channels, [], []

    def normalisation(self, *, grey=False):
        self.asked_grey.append(grey)
        return Normalisation((0.5,), (0.25,))

    def forward(self, sources):
        self.seen.append([tuple(source.shape) for source in sources])
        return FusionOutput(sum(sources) / len(sources))


class CutOffMean(CutsOffLevels, Mean):
    """The same, with levels cut off."""


class Blur(Generator):
    """A strided network with a receptive field of some pixels."""

    size_divisor = 4

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.down = nn.Conv2d(3, 8, 3, stride=4, padding=1)
        self.up = nn.ConvTranspose2d(8, 3, 4, stride=4)

    def forward(self, sources):
        return FusionOutput(self.up(torch.stack([self.down(source) for source in sources]).amax(0)))


class AnySide(Blur):
    """The same for sides that its stride does not divide, but tiles must begin at its multiples all the same."""

    size_divisor = 1
    grid = 4

    def forward(self, sources):
        height, width = sources[0].shape[-2:]
        fused = super().forward([functional.pad(source, (0, 3, 0, 3), "replicate") for source in sources]).fused
        return FusionOutput(fused[..., :height, :width])


@pytest.fixture(scope="module")
def runtime():
    return Runtime(gpu_ids="-1")


def grey(seed, height=30, width=41):
    return np.repeat(scene(seed, height, width)[..., :1], 3, axis=2)


def fuse(runtime, generator, *sources, **settings):
    fuser = Fuser(runtime, generator, FusingOptions(**settings))
    return fuser.fuse_images([sources], fuser.plan(sources))[0]


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_sources_give_a_grey_image(runtime, channels):
    a, b = grey(0), grey(1)
    network = Mean(channels)
    fused = fuse(runtime, network, a, b)
    assert fused.shape == (30, 41)
    assert fused.dtype == np.uint8
    assert np.abs(fused - (a[..., 0] / 2 + b[..., 0] / 2)).max() <= 1
    assert network.asked_grey == [True]
    assert network.seen == [[(1, channels, 32, 44)] * 2]


def test_coloured_sources_go_through_as_rgb(runtime):
    a, b, c = (scene(seed, 30, 41) for seed in range(3))
    network = Mean()
    fused = fuse(runtime, network, a, b, c)
    assert fused.shape == (30, 41, 3)
    assert np.abs(fused - (a / 3 + b / 3 + c / 3)).max() <= 0.51
    assert network.asked_grey == [False]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_grey_and_a_coloured_source_keep_the_chroma(runtime, channels):
    infrared, visible = grey(0), (scene(1, 30, 41) // 2 + 64).astype(np.uint8)
    fused = fuse(runtime, Mean(channels), infrared, visible)
    got, expected = (cv2.cvtColor(p, cv2.COLOR_RGB2YCrCb).astype(int) for p in (fused, visible))
    inside = ((fused > 0) & (fused < 255)).all(-1)  # where luma and chroma fit into the cube together
    assert inside.mean() > 0.5
    assert np.abs(got - expected)[inside][:, 1:].max() <= 2
    wanted = (expected[..., 0] + infrared[..., 0]) / 2
    assert np.abs(got[..., 0] - wanted)[inside].max() <= 2


def test_rgb_by_request_and_luma_by_request(runtime):
    infrared, visible = grey(0), scene(1, 30, 41)
    assert np.abs(fuse(runtime, Mean(), infrared, visible, color="rgb") - (infrared / 2 + visible / 2)).max() <= 0.51
    fuser = Fuser(runtime, Mean(), FusingOptions(color="luma"))
    assert isinstance(fuser.plan([visible, visible]).colour, Luma)
    fused = fuse(runtime, Mean(), visible, visible, color="luma")
    assert np.abs(fused.astype(int) - visible).max() <= 1


def test_16_bits_in_16_bits_out(runtime):
    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, 65536, (9, 7, 3)).astype(np.uint16) for _ in range(2))
    fused = fuse(runtime, Mean(), a, b)
    assert fused.dtype == np.uint16
    assert np.abs(fused - (a / 2 + b / 2)).max() <= 0.6
    low = a // 257
    mixed = fuse(runtime, Mean(), low.astype(np.uint8), b)
    assert mixed.dtype == np.uint16
    assert np.abs(mixed - (low * 257 / 2 + b / 2)).max() <= 0.6
    one_grey = fuse(runtime, Mean(), np.repeat(a[..., :1], 3, axis=2), np.repeat(b[..., :1], 3, axis=2))
    assert one_grey.dtype == np.uint16
    assert np.abs(one_grey - (a[..., 0] / 2 + b[..., 0] / 2)).max() <= 2


def nearly_twelve():
    """Ten grey images with a mean of 11.9."""
    return [np.full((4, 4, 3), 11 + (number > 0), np.uint8) for number in range(10)]


def test_levels_are_cut_off_where_the_authors_did(runtime):
    sources = nearly_twelve()
    for source in sources:
        source[..., 0] = 200
    assert fuse(runtime, Mean(), *sources)[0, 0, 1:].tolist() == [12, 12]
    assert fuse(runtime, CutOffMean(), *sources)[0, 0, 1:].tolist() == [11, 11]


class Reddening(Mean):
    """Makes different channels of grey sources, as networks do: red is a level brighter."""

    def forward(self, sources):
        shift = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1) / 255 / 0.25
        return FusionOutput(super().forward(sources).fused + shift)


class CutOffReddening(CutsOffLevels, Reddening):
    """The same, with levels cut off."""


def test_grey_comes_after_the_levels_as_the_authors_had_it(runtime):
    """12.9, 11.9, 11.9 are cut off to 12, 11, 11, whose grey is 11; grey first would be 12.2."""
    assert fuse(runtime, CutOffReddening(), *nearly_twelve())[0, 0] == 11
    assert fuse(runtime, Reddening(), *nearly_twelve())[0, 0] == 12


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (257, 1), (3, 5), (130, 259)])
def test_any_size_comes_out_as_it_went_in(runtime, size):
    a = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    for settings in ({}, {"tile": 64, "tile_overlap": 16}):
        assert np.array_equal(fuse(runtime, Mean(), a, a, **settings), a)


@pytest.mark.parametrize("tile", [(64, 32), (98, 46), (128, 24)])
@pytest.mark.parametrize("images", ["rgb", "luma", "grey"])
@pytest.mark.parametrize("network", [Blur, AnySide])
def test_tiles_make_no_difference_beyond_a_level(runtime, network, tile, images):
    a, b = scene(0, 203, 310), scene(1, 203, 310)
    if images != "rgb":
        a = np.repeat(a[..., :1], 3, axis=2)
    if images == "grey":
        b = np.repeat(b[..., :1], 3, axis=2)
    network = network().eval()
    whole = fuse(runtime, network, a, b, tile=0)
    tiled = fuse(runtime, network, a, b, tile=tile[0], tile_overlap=tile[1])
    assert np.abs(whole.astype(int) - tiled).max() <= 1
    assert len(np.unique(whole)) > 30


def test_large_images_are_cut_by_themselves(runtime):
    network = Mean()
    a = np.zeros((2100, 2001, 3), np.uint8)
    fuse(runtime, network, a, a)
    assert max(max(shape[-2:]) for shapes in network.seen for shape in shapes) <= 1024
    fuse(runtime, network, a, a, tile=0)
    assert network.seen[-1] == [(1, 3, 2100, 2004)] * 2


def test_what_needs_the_whole_image_is_never_cut(runtime):
    network = Mean()
    network.reach = None
    a = np.zeros((2100, 2001, 3), np.uint8)
    fuse(runtime, network, a, a)
    assert network.seen == [[(1, 3, 2100, 2004)] * 2]
    with pytest.raises(UserError, match=r"--tile 512: this network needs whole images"):
        Fuser(runtime, network, FusingOptions(tile=512))


def test_items_of_one_plan_are_fused_together_as_alone(runtime):
    items = [[scene(seed, 20, 30), scene(seed + 5, 20, 30)] for seed in range(3)]
    fuser = Fuser(runtime, Blur().eval())
    plan = fuser.plan(items[0])
    assert plan == fuser.plan(items[1])
    together = fuser.fuse_images(items, plan)
    for item, image in zip(items, together, strict=True):
        assert np.array_equal(fuser.fuse_images([item], plan)[0], image)
    assert fuser.plan([grey(0, 20, 30), items[0][0]]) != plan


class Apart(DecomposingGenerator, Blur):
    """Draws the darker pixels as the common image and what each source has above them, blurred alike."""

    def normalisation(self, *, grey=False):
        return Normalisation((0.5,), (0.25,))

    def _draw_parts(self, sources):
        darker = torch.stack(list(sources)).amin(0)
        # What is drawn is in the network's range, where black is -2.
        return (darker, *(source - darker - 2 for source in sources))


def take_apart(runtime, *sources, network=None, **settings):
    fuser = Fuser(runtime, network or Apart().eval(), FusingOptions(**settings))
    return fuser.decompose_images([sources], fuser.plan(sources))[0]


@pytest.mark.parametrize("tiles", [{"tile": 0}, {"tile": 16, "tile_overlap": 8}])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_coloured_sources_are_taken_apart_in_rgb_at_their_size_and_depth(runtime, tiles, dtype):
    a, b = (scene(seed, 30, 41).astype(dtype) * (257 if dtype == np.uint16 else 1) for seed in range(2))
    parts = take_apart(runtime, a, b, **tiles)
    assert list(parts) == ["common", "unique 1", "unique 2"]
    common = np.minimum(a, b)
    for part, expected in zip(parts.values(), (common, a - common, b - common), strict=True):
        assert part.dtype == dtype
        assert np.abs(part.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("images", ["grey", "one grey", "luma by request"])
def test_parts_are_grey_where_no_rgb_goes_through_the_network(runtime, images):
    a = scene(0, 30, 41) if images == "luma by request" else grey(0)
    b = grey(1) if images == "grey" else scene(1, 30, 41)
    parts = take_apart(runtime, a, b, color="luma" if images == "luma by request" else "auto")
    lumas = [cv2.cvtColor(source, cv2.COLOR_RGB2GRAY).astype(int) for source in (a, b)]
    common = np.minimum(*lumas)
    for part, expected in zip(parts.values(), (common, *(own - common for own in lumas)), strict=True):
        assert part.shape == (30, 41)
        assert np.abs(part - expected).max() <= 1


class Red(Apart):
    """Draws pure red of whatever it gets."""

    def _draw_parts(self, sources):
        red = torch.tensor([2.0, -2.0, -2.0]).view(1, 3, 1, 1)
        return (red.expand_as(sources[0]),) * 3


def test_the_channels_of_a_part_of_grey_sources_become_one(runtime):
    for part in take_apart(runtime, grey(0), grey(1), network=Red()).values():
        assert np.unique(part).tolist() == [76]  # 0.299 of 255
    coloured = take_apart(runtime, scene(0), scene(1), network=Red())
    assert np.unique(coloured["common"].reshape(-1, 3), axis=0).tolist() == [[255, 0, 0]]


def test_items_are_taken_apart_together_as_alone(runtime):
    items = [[scene(seed, 20, 30), scene(seed + 5, 20, 30)] for seed in range(3)]
    fuser = Fuser(runtime, Apart().eval())
    plan = fuser.plan(items[0])
    for item, parts in zip(items, fuser.decompose_images(items, plan), strict=True):
        (alone,) = fuser.decompose_images([item], plan)
        assert all(np.array_equal(parts[name], alone[name]) for name in Apart.part_names)


class Brightest(CutsOffLevels, Generator):
    """The largest value, without arithmetic: levels come out as they went in."""

    def normalisation(self, *, grey=False):
        assert grey
        return Normalisation((0.0,), (1.0,))

    def forward(self, sources):
        return FusionOutput(torch.stack(list(sources)).amax(0))


def test_exposure_is_what_the_authors_did(runtime):
    """Step by step, another time: Pillow's luma, network, video range, CLAHE, weighted chroma, OpenCV's RGB."""
    sources = [(scene(seed, 64, 96) // 2 + 60 * seed).astype(np.uint8) for seed in range(3)]
    ycc = np.stack([np.asarray(Image.fromarray(source).convert("YCbCr")) for source in sources]).astype(float)
    fused = ycc[..., 0].max(0)
    luma = (fused * 235 / 255 + (1 - fused / 255) * 16).astype(np.uint8)
    luma = cv2.createCLAHE(2.0, (8, 8)).apply(luma)
    weights = np.abs(ycc[..., 1:] - 128)
    with np.errstate(invalid="ignore"):
        chroma = np.where(weights.sum(0) > 0, (ycc[..., 1:] * weights).sum(0) / weights.sum(0), 128)
    ycrcb = np.dstack([luma, chroma[..., ::-1].astype(np.uint8)])
    expected = cv2.cvtColor(ycrcb, cv2.COLOR_YCrCb2RGB)
    found = fuse(runtime, Brightest(), *sources, exposure=True)
    assert np.mean(found != expected) < 0.01  # a chroma at the edge of cutting off
    assert np.abs(found.astype(int) - expected).max() <= 2


def test_exposure_of_grey_and_of_16_bits(runtime):
    assert fuse(runtime, CutOffMean(), grey(0), grey(1), exposure=True).shape == (30, 41)
    with pytest.raises(UserError, match="--exposure"):
        fuse(runtime, Mean(), scene(0).astype(np.uint16), scene(1), exposure=True)


@pytest.mark.parametrize("network", [Mean, AnySide])
def test_tiles_must_hold_the_networks_stride(runtime, network):
    with pytest.raises(UserError, match=r"--tile 3: .* 4 pixels"):
        Fuser(runtime, network(), FusingOptions(tile=3))
