import pickle

import numpy as np
import pytest
import torch

from engine.checkpoint import CheckpointFolder
from util.errors import UserError
from util.files import write_atomically, write_text
from util.safe_load import load_file


def test_networks_come_back_as_they_were_saved(tmp_path):
    folder = CheckpointFolder(tmp_path / "run")
    weights = torch.nn.Linear(3, 2).state_dict()
    folder.save_networks("latest", {"G": weights})
    path = folder.network_file("latest")
    loaded = load_file(path)
    assert path.name == "latest_net_G.pth"
    assert all(torch.equal(loaded[name], weights[name]) for name in weights)
    assert not folder.has_state()


def test_a_missing_checkpoint_names_the_ones_that_are_there(tmp_path):
    folder = CheckpointFolder(tmp_path)
    with pytest.raises(UserError, match="holds no trained network"):
        folder.network_file("latest")
    folder.save_networks("5", {"G": {"a": torch.zeros(1)}})
    with pytest.raises(UserError, match="--epoch can be: 5"):
        folder.network_file("latest")
    with pytest.raises(UserError, match="--continue_train"):
        folder.load_state()


class _Hostile:
    def __reduce__(self):
        return (print, ("code from a file was run",))


@pytest.mark.parametrize("content", [b"", b"no weights at all", pickle.dumps(_Hostile()), b"PK\x03\x04broken"])
def test_a_broken_or_hostile_file_is_refused_in_one_line(tmp_path, content, capsys):
    path = tmp_path / "latest_net_G.pth"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"latest_net_G\.pth") as error:
        load_file(path)
    assert "\n" not in str(error.value)
    assert "weights_only" not in str(error.value), "torch's advice to open the file unsafely is not passed on"
    assert "code from a file" not in capsys.readouterr().out


def test_a_damaged_file_never_fails_in_another_way(tmp_path):
    torch.save({"a": torch.arange(100.0), "b": {"c": [1, 2.0, "three"]}}, tmp_path / "good.pth")
    content = (tmp_path / "good.pth").read_bytes()
    rng, read = np.random.default_rng(0), 0
    for number in range(150):
        damaged = bytearray(content)
        for place in rng.integers(0, len(damaged), 5):
            damaged[place] = rng.integers(0, 256)
        end = len(damaged) if number % 2 else rng.integers(1, len(damaged))
        (tmp_path / "bad.pth").write_bytes(damaged[:end])
        try:
            loaded = load_file(tmp_path / "bad.pth")
        except UserError as error:
            assert "bad.pth" in str(error)
            assert "\n" not in str(error)
        else:
            assert isinstance(loaded, dict)
            read += 1
    assert 0 < read < 75, "some damage is in the values alone, and nothing that is cut off opens"


def test_a_file_of_another_kind_is_refused(tmp_path):
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(UserError, match="holds a list"):
        load_file(tmp_path / "list.pth")
    torch.save(torch.nn.Linear(1, 1), tmp_path / "module.pth")
    with pytest.raises(UserError, match=r"module\.pth"):
        load_file(tmp_path / "module.pth")


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "file.txt"
    write_text(path, "before")

    def fail(beside):
        beside.write_text("half of")
        raise OSError(28, "No space left on device")

    with pytest.raises(UserError, match=r"file\.txt.*No space left"):
        write_atomically(path, fail)
    assert path.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.txt"]


def test_networks_that_are_there_are_named_without_half_written_files(tmp_path):
    folder = CheckpointFolder(tmp_path)
    for name in ("latest_net_G.pth", "5_net_G.safetensors", "9_net_D.pth", ".7_net_G.pth.12.tmp"):
        (tmp_path / name).touch()
    assert folder.network_file("latest").name == "latest_net_G.pth"
    assert folder.network_file("5").name == "5_net_G.safetensors"
    with pytest.raises(UserError, match=r"best_net_G.pth: no such file; --epoch can be: 5, latest$"):
        folder.network_file("best")
