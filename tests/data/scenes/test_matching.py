import pytest

from data.scenes.matching import match_images
from tests.data.helpers import make
from util.errors import UserError

NAMES = ["Camp", "Camp1", "lytro-01", "lytro-02"]


def found(folder, names=NAMES, option="--fused"):
    return {name: path.name for name, path in match_images(names, folder, option).items()}


@pytest.mark.parametrize(
    "pattern", ["{}.png", "IFCNN-MAX-IV-{}.png", "{}_DenseFuse.jpg", "ours_{}_fused.tif", "METHOD.{}.bmp"]
)
def test_names_with_the_same_text_around_them(tmp_path, pattern):
    make(tmp_path, *(pattern.format(name) for name in NAMES))
    assert found(tmp_path) == {name: pattern.format(name) for name in NAMES}


def test_numbers_are_not_parts_of_other_numbers(tmp_path):
    names = [str(number) for number in range(1, 22)]
    make(tmp_path, *(f"fused{name}.png" for name in names))
    assert found(tmp_path, names) == {name: f"fused{name}.png" for name in names}
    assert found(tmp_path, ["1", "2"]) == {"1": "fused1.png", "2": "fused2.png"}


def test_a_name_at_the_edge_of_another_word_is_not_that_items(tmp_path):
    make(tmp_path, "Camp1.png")
    with pytest.raises(UserError, match=r"--fused .*no image there has the name of an item, as Camp\.png would"):
        found(tmp_path, ["Camp"])


def test_exact_names_win_over_others_beside_them(tmp_path):
    make(tmp_path, *(f"{name}{more}.png" for name in NAMES for more in ("", "_mask")))
    assert found(tmp_path) == {name: f"{name}.png" for name in NAMES}


def test_several_methods_in_one_folder_must_be_chosen_by_a_pattern(tmp_path):
    make(tmp_path, *(f"IFCNN-{rule}-{name}.png" for name in NAMES for rule in ("MAX", "SUM")))
    with pytest.raises(UserError, match=r"several methods: say which, as '.*/IFCNN-MAX-\*' or '.*/IFCNN-SUM-\*'"):
        found(tmp_path)
    for pattern in ("IFCNN-SUM-*", "IFCNN-SUM-*.png", "ifcnn-sum-*"):
        assert found(tmp_path / pattern) == {name: f"IFCNN-SUM-{name}.png" for name in NAMES}


def test_images_of_other_sets_beside_them_do_no_harm(tmp_path):
    others = [f"IFCNN-MAX-MD-c0{number}.png" for number in range(1, 9)]
    make(tmp_path, *others, *(f"IFCNN-MAX-IV-{name}.png" for name in NAMES))
    assert found(tmp_path) == {name: f"IFCNN-MAX-IV-{name}.png" for name in NAMES}


def test_case_does_not_matter_and_what_is_missing_is_left_out(tmp_path):
    make(tmp_path, "camp.PNG", "LYTRO-01.png")
    assert found(tmp_path) == {"Camp": "camp.PNG", "lytro-01": "LYTRO-01.png"}


def test_the_results_folder_of_a_test(tmp_path):
    make(tmp_path, *(f"fused/{name}.png" for name in NAMES), "images/Camp_source.png", "metrics.csv")
    assert found(tmp_path) == {name: f"{name}.png" for name in NAMES}


def test_two_files_of_one_name_and_what_is_no_folder_are_refused(tmp_path):
    make(tmp_path, "a/Camp.png", "a/Camp.jpg")
    with pytest.raises(UserError, match=r"--reference: .*Camp\.(jpg|png) and Camp\.(jpg|png) are of one item"):
        found(tmp_path / "a", option="--reference")
    with pytest.raises(UserError, match=r"no such folder: .*nowhere"):
        found(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"no such folder: .*nowhere"):
        found(tmp_path / "nowhere" / "*_x")
    with pytest.raises(UserError, match=r"Camp\.png is a file: expected a folder, or a pattern in quotes"):
        found(tmp_path / "a" / "Camp.png")
    with pytest.raises(UserError, match=r"one \* stands"):
        found(tmp_path / "*_*")
