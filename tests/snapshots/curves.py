"""Twenty steps of a recipe on a small network: its loss curve as this project computed it before.

After a change that is meant to alter the curves: `python -m tests.snapshots.curves` writes them anew; say why in the
commit.
"""

import json
import tempfile
from pathlib import Path

import torch

import train as train_command
from options.commands import parse_train
from scripts import make_patches
from tests.images import write_pairs, write_photographs, write_sources
from tests.teachers import write_teacher

ROOT = Path(__file__).resolve().parents[2]
CURVES = Path(__file__).parent / "curves"
STEPS = 20
# what makes a recipe fast enough for a test; everything else is the recipe's own
SMALL = [
    "--gpu_ids", "-1", "--crop_size", "32",
    "--batch_size", "2", "--num_threads", "0", "--precision", "32", "--print_freq", "2", "--no_html",
    "--n_epochs", "1", "--n_epochs_decay", "0", "--seed", "7",
]  # fmt: skip
SMALL_NETWORK = {
    "blendnet": ["--width", "4", "--samples_per_epoch", str(2 * STEPS)],
    "pix2pix": ["--ngf", "8", "--ndf", "8"],
    "gsgif": ["--ngf", "8", "--ndf", "8"],
    "ifcnn": ["--train_conv1"],  # small as it is; without the weights of a ResNet
    "smfnet": ["--crop_size", "16", "--n_epochs", "2", "--fusion_from", "2"],  # ten steps in each of its phases
    "defusion_plus": [],  # small with two by two patches
    "defusion": ["--crop_size", "16", "--depth", "tester", "--annealing", "0.0005"],  # fuses from the tenth step on
}


def recipes() -> list[Path]:
    return sorted((ROOT / "options" / "recipes").glob("*.yaml"))


def run(recipe: Path, folder: Path) -> list[dict[str, float]]:
    """Trains `STEPS` steps and returns the losses of each."""
    selection = parse_train(["--config", str(recipe)])[0].selection
    if selection.dataset_mode in ("pmf", "saliency"):
        write_photographs(folder / "data", STEPS, 40, 44)
        recipe_words = ["--pairs_per_image", "2"]
    elif selection.dataset_mode == "patches":
        roles = write_sources(folder / "images", STEPS, 40, 44)
        cut = ["--sources", *roles, "--out", folder / "data" / "patches.h5", "--size", 32, "--min_contrast", 0]
        assert make_patches.main([str(word) for word in cut]) == 0
        recipe_words = []
    elif selection.dataset_mode == "decomposition":
        recipe_words = ["--dataroot", write_photographs(folder / "data", 2 * STEPS, 40, 44) / "images"]
    elif selection.dataset_mode == "pairs_and_photos":
        write_sources(folder / "data", 2 * STEPS, 40, 44)
        recipe_words = ["--photos", write_photographs(folder / "photos", 7, 40, 44) / "images"]
        for seed, name in enumerate(("teacher_ir", "teacher_vis")):
            recipe_words += [f"--{name}", write_teacher(folder / f"{name}.pth", seed)]
    elif selection.dataset_mode == "mixture":
        write_sources(folder / "data" / "pairs" / "set", 8, 40, 44)
        (write_photographs(folder / "more", 7, 40, 44) / "images").rename(folder / "data" / "photos")
        recipe_words = []
    else:
        write_pairs(folder / "data", 2 * STEPS, 40, 44)
        recipe_words = []
    words = ["--config", recipe, "--dataroot", folder / "data", "--checkpoints_dir", folder, "--name", "run", *SMALL]
    words += [*recipe_words, *SMALL_NETWORK[selection.model]]
    assert train_command.main([str(word) for word in words]) == 0
    records = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
    wanted = [record for record in records if record["kind"] == "losses"]
    return [{name: value for name, value in record.items() if name[:2] in ("G_", "D_")} for record in wanted]


if __name__ == "__main__":
    torch.set_num_threads(1)
    CURVES.mkdir(exist_ok=True)
    for path in recipes():
        with tempfile.TemporaryDirectory() as scratch:
            (CURVES / f"{path.stem}.json").write_text(json.dumps(run(path, Path(scratch)), indent=1) + "\n")
