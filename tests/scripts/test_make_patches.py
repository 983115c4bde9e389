import h5py
import numpy as np
import pytest

from data.patches.reader import PatchReader
from scripts import make_patches
from tests.data.helpers import make_dataset, save
from tests.data.patch_files import read_as_published, write_published
from tests.scripts.patch_making import (
    SMALL,
    STEMS,
    arguments,
    assert_bad_input,
    contents,
    damaged,
    make_scenes,
    runner,
)
from util.images.image_io import read_image


@pytest.fixture
def run(capfd):
    return runner(capfd)


@pytest.fixture
def source(tmp_path):
    return make_scenes(tmp_path)


def naive(source, size, stride, least=0.1):
    """What the published set holds, window by window."""
    found = []
    for stem in STEMS:
        infrared = read_image(source / "ir" / f"{stem}.png")[..., 0] / 255
        luma = read_image(source / "vi" / f"{stem}.png") @ (0.299, 0.587, 0.114) / 255
        for top in range(0, len(luma) - size + 1, stride):
            for left in range(0, len(luma[0]) - size + 1, stride):
                pair = np.stack([plane[top : top + size, left : left + size] for plane in (infrared, luma)])
                low, high = np.percentile(pair.reshape(2, -1), (10, 90), axis=1)
                if (high - low >= least * high).all() and (high > 0).all():
                    found.append(pair)
    return np.array(found, np.float32)


@pytest.mark.parametrize("compression", ["none", "gzip", "lzf"])
def test_our_layout_holds_what_a_plain_loop_finds(source, run, compression):
    code, stdout, stderr = run(*arguments(source), "--compression", compression)
    assert (code, stderr) == (0, "")
    assert stdout == f"40 pairs of patches, 8 dropped for too little contrast, in {source / 'out.h5'}\n"
    expected = naive(source, 16, 20)
    assert len(expected) == 40
    datasets, attributes = contents(source / "out.h5")
    assert set(datasets) == {"ir", "vi"}
    assert np.array_equal(datasets["ir"], expected[:, 0, None])
    np.testing.assert_allclose(datasets["vi"], expected[:, 1, None], rtol=0, atol=6e-8)
    for values in datasets.values():
        assert (values.dtype, values.shape) == (np.float32, (40, 1, 16, 16))
    assert {name: attributes[name] for name in ("size", "stride", "sources", "version", "patches")} == {
        "size": 16, "stride": 20, "sources": "ir, vi", "version": 1, "patches": 40,
    }  # fmt: skip
    with h5py.File(source / "out.h5", "r") as file:
        assert file["ir"].chunks == (1, 1, 16, 16)
        assert file["vi"].compression == (None if compression == "none" else compression)
    assert list(source.glob("*out*")) == [source / "out.h5"], "nothing is left beside it"


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_the_published_loader_reads_our_published_layout(source, run, compression):
    assert run(*arguments(source), "--layout", "published", "--compression", compression)[0] == 0
    expected = naive(source, 16, 20)
    got = read_as_published(source / "out.h5")
    assert set(got) == {str(number) for number in range(40)}
    for number, pair in enumerate(expected):
        infrared, visible = got[str(number)]
        assert infrared.shape == visible.shape == (1, 16, 16)
        assert infrared.dtype == visible.dtype == np.float32
        assert np.array_equal(infrared[0], pair[0])
        np.testing.assert_allclose(visible[0], pair[1], rtol=0, atol=6e-8)


def test_both_layouts_and_a_published_file_give_the_same_samples(source, run):
    assert run(*arguments(source, "ours.h5"))[0] == 0
    assert run(*arguments(source, "theirs.h5"), "--layout", "published")[0] == 0
    ours = make_dataset("patches", root=source / "ours.h5", phase="train")
    pairs = np.stack([ours[index]["sources"].numpy()[:, 0] for index in range(len(ours))])
    write_published(source / "by_others.h5", pairs)
    for name in ("theirs.h5", "by_others.h5"):
        other = make_dataset("patches", root=source / name, phase="train")
        assert len(other) == len(ours) == 40
        for index in range(40):
            assert np.array_equal(other[index]["sources"].numpy()[:, 0], pairs[index])


def test_the_last_row_and_column_that_do_not_fit_are_left_out(source, run):
    for size, stride, count in [(57, 1, 21), (57, 20, 2), (57, 21, 1), (38, 20, 2), (37, 20, 6)]:
        words = [*arguments(source, f"{size}_{stride}.h5")[:-4], "--size", size, "--stride", stride]
        assert run(*words, "--min_contrast", 0)[0] == 0
        assert len(PatchReader(source / f"{size}_{stride}.h5")) == 4 * count


def test_a_finished_file_is_kept(source, run):
    assert run(*arguments(source))[0] == 0
    before = (source / "out.h5").read_bytes()
    code, stdout, _ = run(*arguments(source, "out"))  # the extension may be left out
    assert (code, stdout) == (0, f"{source / 'out.h5'} is finished: nothing to do\n")
    assert_bad_input(run(*arguments(source), "--stride", 21), "out.h5 was begun with stride 20 (now 21)")
    assert_bad_input(run(*arguments(source), "--compression", "lzf"), "compression none (now lzf)")
    (source / "ir" / "p9.png").unlink()
    (source / "vi" / "p9.png").unlink()
    assert_bad_input(run(*arguments(source)), "images 4 pairs", "now 3 pairs")
    assert (source / "out.h5").read_bytes() == before
    write_published(source / "out.h5", np.full((2, 2, 4, 4), 0.5, np.float32))
    assert_bad_input(run(*arguments(source)), "does not say how it was made")
    (source / "out.h5").write_bytes(b"x")
    assert_bad_input(run(*arguments(source)), "cannot read", "out.h5")


def test_skip(source, run):
    (source / "ir" / "p1.png").unlink()
    save(source / "vi" / "p9.png", np.zeros((57, 78, 3), np.uint8))
    path = damaged(source, "p10")
    code, stdout, stderr = run(*arguments(source), "--on_bad_sample", "skip")
    assert code == 3
    assert stdout.startswith("10 pairs of patches")
    lines = [line for line in stderr.splitlines() if not line.startswith("libpng")]
    assert [line.startswith("skipped: ") for line in lines] == [True] * 3
    assert all(name in stderr for name in ("p1.png", "p9.png", str(path)))
    assert len(PatchReader(source / "out.h5")) == 10


def test_images_that_are_too_small(source, run):
    for folder in ("ir", "vi"):
        save(source / folder / "p2.png", np.zeros((15, 200), np.uint8))
    assert_bad_input(run(*arguments(source)), "p2.png is 200x15: no patch of --size 16 fits")
    code, _, stderr = run(*arguments(source), "--on_bad_sample", "skip")
    assert (code, stderr.count("skipped: ")) == (3, 1)
    assert len(PatchReader(source / "out.h5")) == 30
    assert_bad_input(run(*arguments(source, "b.h5"), "--on_bad_sample", "skip", "--size", 60), "--size 60")


def test_nothing_with_contrast(source, run):
    for stem in STEMS:
        save(source / "ir" / f"{stem}.png", np.zeros((57, 77), np.uint8))
    assert_bad_input(run(*arguments(source)), "no patch has enough contrast", "--min_contrast")
    assert sorted(path.name for path in source.iterdir()) == ["ir", "vi"]
    assert run(*arguments(source), "--min_contrast", 0)[0] == 0, "and other settings may follow"
    assert len(PatchReader(source / "out.h5")) == 48


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--sise", 3], ["--sise", "--size"]),
        (["--size", 0], ["--size"]),
        (["--size", 5000], ["--size", "4096"]),
        (["--stride", 0], ["--stride"]),
        (["--min_contrast", 1.5], ["--min_contrast"]),
        (["--min_contrast", "nan"], ["--min_contrast"]),
        (["--layout", "publised"], ["published"]),
        (["--compression", "zip"], ["gzip"]),
        (["--on_bad_sample", "skp"], ["skip"]),
        (["--out", "out.png"], ["--out out.png", ".h5"]),
        (["--sources", "x"], ["--sources"]),
    ],
)
def test_bad_options(source, run, options, words):
    assert_bad_input(run(*arguments(source), *options), *words)
    assert sorted(path.name for path in source.iterdir()) == ["ir", "vi"]


def test_bad_folders(source, run):
    swapped = ["--sources", source / "vi", source / "ir", "--out", source / "out.h5", *SMALL]
    assert_bad_input(run(*swapped), "expected the infrared images first")
    assert_bad_input(run("--sources", source / "ir", source / "no", "--out", source / "o.h5"), source / "no")
    (source / "folder.h5").mkdir()
    assert_bad_input(run(*arguments(source, "folder.h5")), "folder.h5 is a folder")
    assert_bad_input(run(*arguments(source, "ir/p1.png/out.h5")), "p1.png is not a folder")
    (source / "vi" / "p9.png").unlink()
    assert_bad_input(run(*arguments(source)), "p9", "--on_bad_sample skip")


def test_help(capfd):
    with pytest.raises(SystemExit) as end:
        make_patches.main(["--help"])
    assert end.value.code == 0
    stdout = capfd.readouterr().out
    for option in ("--sources", "--out", "--size", "--stride", "--min_contrast", "--layout", "--compression"):
        assert option in stdout
