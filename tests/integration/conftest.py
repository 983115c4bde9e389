import pytest

from tests.images import write_pairs
from tests.integration.commands import SMALL, train


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A run of two epochs with validation and averaging, and where its checkpoints are."""
    root = tmp_path_factory.mktemp("trained")
    write_pairs(root / "data" / "train", 6)
    write_pairs(root / "val", 2, 45, 61)
    status = train(
        "--dataroot", root / "data", "--checkpoints_dir", root / "checkpoints", "--name", "run", *SMALL,
        "--n_epochs", 1, "--n_epochs_decay", 1, "--val_dataroot", root / "val", "--save_epoch_freq", 1,
        "--print_freq", 2, "--update_html_freq", 4, "--ema", 0.9,
    )  # fmt: skip
    assert status == 0
    return root
