import dataclasses
import subprocess
import sys
import time

import pytest

from options.aliases import SHORTHANDS, SYNONYMS, WITHOUT_EFFECT
from options.commands import parse_test, parse_train
from options.registry import all_groups
from options.saved import describe, to_json, travelling_options
from options.validate import validate_train
from util.errors import UserError

PAPER_TRAIN = (
    "--dataroot datasets/PMF --model pix2pix --gpu_ids 0,1 --netG R2GAN_generator --netD pixel "
    "--batch_size 8 --verbose --name PMF_R2GAN"
)
PAPER_TEST = (
    "--dataroot datasets/Lytro --model pix2pix --gpu_ids 0,1 --netG R2GAN_generator --batch_size 8 --verbose "
    "--name PMF_R2GAN --eval"
)


def train(text):
    return parse_train(text.split())[0]


def test_the_papers_commands_parse_letter_for_letter():
    config = train(PAPER_TRAIN)
    assert (config.selection.netG, config.selection.netD) == ("R2GAN_generator", "pixel")
    assert (config.run.gpu_ids, config.training.batch_size, config.run.name) == ("0,1", 8, "PMF_R2GAN")
    tested, _ = parse_test(PAPER_TEST.split())
    assert tested.fusing.eval
    assert tested.testing.batch_size == 8


def test_defaults_are_those_of_the_r2gan_recipe():
    config = train("--dataroot x")
    assert config.generator == type(config.generator)(3, 3, 64, "batch", True, 6, "shared")
    assert (config.model.lambda_L1, config.model.gan_mode) == (100.0, "vanilla")
    training = config.training
    assert (training.lr, training.beta1, training.n_epochs, training.n_epochs_decay) == (2e-4, 0.5, 100, 100)
    assert (training.save_epoch_freq, training.save_latest_freq, training.batch_size) == (5, 5000, 8)
    assert (config.augmentation.load_size, config.augmentation.crop_size) == (256, 256)
    assert (training.init_type, training.init_gain) == ("normal", 0.02)


@pytest.mark.parametrize(
    ("old", "group", "name", "value"),
    [
        ("--niter 3", "training", "n_epochs", 3),
        ("--niter_decay=4", "training", "n_epochs_decay", 4),
        ("--batchSize 2", "training", "batch_size", 2),
        ("--loadSize 286", "augmentation", "load_size", 286),
        ("--fineSize 128", "augmentation", "crop_size", 128),
        ("--nThreads 0", "data", "num_threads", 0),
        ("--which_model_netG unet_256", "selection", "netG", "unet_256"),
        ("--which_model_netD basic", "selection", "netD", "basic"),
        ("--resize_or_crop none", "augmentation", "preprocess", "none"),
        ("--no_lsgan", "model", "gan_mode", "vanilla"),
        ("--netD n_layers --n_layers_D 4", "discriminator", "n_layers", 4),
        ("--no_dropout", "generator", "dropout", False),
        ("--gpu_ids -1,-1", "run", "gpu_ids", "-1,-1"),
        ("--no_flip", "augmentation", "flip", False),
        ("--no_html", "watching", "html", False),
    ],
)
def test_old_spellings(old, group, name, value):
    assert getattr(getattr(train(old), group), name) == value


def test_every_old_spelling_leads_to_an_option_that_exists():
    known = {entry.name for group in all_groups() for entry in dataclasses.fields(group)}
    assert set(SYNONYMS.values()) <= known
    assert {name for name, _ in SHORTHANDS.values()} <= known
    assert not set(SYNONYMS) & known
    assert not set(WITHOUT_EFFECT) & known


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        ([], ("console", "page", "visdom")),
        (["--display_id", "0", "--no_html"], ("console",)),
        (["--display_id=-1", "--use_wandb"], ("console", "page", "wandb")),
        (["--loggers", "none"], ()),
        (["--loggers", "tensorboard, page,page"], ("tensorboard", "page")),
    ],
)
def test_the_watchers_are_those_of_the_list_and_of_the_familys_switches(words, chosen):
    config, _ = parse_train(words)
    assert config.watching.chosen() == chosen


def test_options_without_effect_are_accepted_and_said():
    _, parsed = parse_train(["--display_freq", "400", "--direction", "AtoB", "--name", "x"])
    assert len(parsed.notices) == 2
    assert "--display_freq" in parsed.notices[0]
    _, parsed = parse_test(["--preprocess", "none", "--load_size", "256", "--no_flip", "--no_dropout"])
    assert len(parsed.notices) == 3


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("--nettG x", ["unknown option --nettG", "--netG"]),
        ("--netG R2GAN", ["--netG 'R2GAN'", "did you mean R2GAN_generator?"]),
        ("--norm bach", ["--norm", "did you mean batch?"]),
        ("--sigma 1 2", ["--sigma belongs to --dataset_mode pmf"]),
        ("--fusion max", ["--fusion belongs to --netG GSGIF_generator or --netG IFCNN, which is not selected"]),
        ("--model gsgif --fusion sum", ["--fusion 'sum' is not one of: mean, max, saliency"]),
        ("--netG IFCNN --fusion saliency", ["--fusion 'saliency' is not one of: max, sum, mean"]),
        ("--lambda_feat 1", ["--lambda_feat belongs to --model gsgif, which is not selected"]),
        ("--model gsgif --feature_stages all", ["--feature_stages"]),
        ("--lr fast", ["--lr", "fast"]),
        ("--lr_policy lineal", ["--lr_policy 'lineal' is not one of", "did you mean linear"]),
        ("--model smfnet --smf_losses publish", ["--smf_losses 'publish'", "did you mean published"]),
        ("--name", ["--name"]),
        ("stray", ["stray"]),
        ("--dataset_mode pmf --sigma 1", ["--sigma"]),
        ("--config /nowhere.yaml", ["--config /nowhere.yaml: no such file"]),
        ("--config recipes/smfnt.yml", ["no such file (did you mean options/recipes/smfnet.yaml"]),
        ("--results_dir x", ["--results_dir is an option of test.py alone"]),
    ],
)
def test_errors_name_the_option_in_one_line(text, parts):
    with pytest.raises(UserError) as error:
        train(text)
    assert "\n" not in str(error.value)
    for part in parts:
        assert part in str(error.value)


def test_config_file_sets_defaults_and_the_command_line_wins(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text("niter: 7\ndropout: false\nnorm: instance\ndataset_mode: pmf\nsigma: [2, 3.5]\n")
    config = train(f"--config {file} --norm none")
    assert config.training.n_epochs == 7
    assert config.generator.dropout is False
    assert config.generator.norm == "none"
    assert config.dataset.sigma == (2.0, 3.5)
    config, parsed = parse_train(["--config", str(file), "--dataset_mode", "aligned"])
    assert config.selection.dataset_mode == "aligned", "sigma, which nothing uses then, is no error"
    assert parsed.notices == (f"--config {file}: no effect with the selected components: sigma",)
    file.write_text("nitter: 7\n")
    with pytest.raises(UserError, match=r"recipe.yaml: unknown option 'nitter'.*niter"):
        train(f"--config {file}")
    file.write_text("- a\n- b\n")
    with pytest.raises(UserError, match=r"recipe\.yaml"):
        train(f"--config {file}")


def test_a_config_file_has_no_options_of_components_that_it_does_not_select(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text("dataset_mode: saliency\nsigma: [2, 3.5]\n")
    expected = r"--config .*recipe\.yaml: --sigma belongs to --dataset_mode pmf, which is not selected"
    for parse, more in ((parse_train, []), (parse_train, ["--netG", "unet_128"]), (parse_test, [])):
        with pytest.raises(UserError, match=expected):
            parse(["--config", str(file), *more])
    assert train(f"--config {file} --dataset_mode pmf").dataset.sigma == (2.0, 3.5)
    file.write_text("n_epochs: 3\nlambda_L1: 10\nmetrics: none\nn_layers: 4\n")  # for train.py and test.py alike
    config, parsed = parse_train(["--config", str(file)])
    assert (config.training.n_epochs, config.model.lambda_L1) == (3, 10)
    assert parsed.notices == (f"--config {file}: no effect with the selected components: n_layers",)
    assert parse_test(["--config", str(file)])[0].testing.metrics == "none"


def test_what_is_typed_is_told_from_what_a_config_file_says(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text("niter: 7\nnorm: instance\ndataset_mode: pmf\nsigma: [2, 3.5]\n")
    _, parsed = parse_train(["--config", str(file), "--norm", "none"])
    assert parsed.given == {"n_epochs", "norm", "dataset_mode", "sigma"}
    assert parsed.typed == {"norm"}


def test_train_opt_txt_marks_what_differs_from_its_default():
    text = describe(train("--dataroot x --lr 0.001"))
    assert "lr: 0.001" in text
    assert "[default: 0.0002]" in text
    assert text.count("[default") == 2


def test_options_travel_with_the_checkpoint(tmp_path):
    file = tmp_path / "options.json"
    file.write_text(to_json(train("--dataroot x --netG unet_128 --ngf 8 --num_sources 3 --dataset_mode pmf")))
    found = travelling_options(file)
    config, _ = parse_test(["--dataroot", "y"], found)
    assert (config.selection.netG, config.generator.ngf, config.data.num_sources) == ("unet_128", 8, 3)
    assert config.selection.dataset_mode == "sources"
    assert config.data.phase == "test"
    config, _ = parse_test(["--dataroot", "y", "--ngf", "16"], found)
    assert config.generator.ngf == 16
    assert travelling_options(tmp_path / "absent.json") == {}


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"selection": {"netG": "evil"}, "generator": {}, "data": {}}'])
def test_a_damaged_options_json_is_named(tmp_path, text):
    file = tmp_path / "options.json"
    file.write_text(text)
    with pytest.raises(UserError, match=r"options\.json"):
        travelling_options(file)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("--name ../x", "--name"),
        ("--batch_size 0", "--batch_size"),
        ("--lr 0", "--lr"),
        ("--ema 1", "--ema"),
        ("--gpu_ids a", "--gpu_ids"),
        ("--lr_policy plateau", "--val_dataroot"),
        ("--lr_policy multistep", "--lr_policy multistep: add --lr_milestones"),
        ("--lr_policy multistep --lr_milestones 5 5", "--lr_milestones 5 5: expected rising numbers of epochs"),
        ("--lr_milestones 0 3", "--lr_milestones 0 3"),
        ("--continue_train --overwrite", "--overwrite"),
        ("--num_sources 0", "--num_sources"),
        ("--input_nc 1", "--input_nc"),
        ("--no_with_target", "--no_with_target"),
        ("--dataset_mode patches", "--dataset_mode patches has no targets, which --model pix2pix trains with"),
        ("--lambda_L1 -1", "--lambda_L1"),
        ("--model gsgif --feature_stages 0 4", "--feature_stages 0 4: expected different stages of 0 to 3"),
        ("--lambda_L1 inf", "--lambda_L1"),
        ("--lr nan", "--lr"),
        ("--lr inf", "--lr"),
        ("--init_gain -1", "--init_gain"),
        ("--ndf 0", "--ndf"),
        ("--ngf 10000000", "--ngf"),
        ("--crop_size 400000", "--crop_size"),
        ("--seed 99999999999999999999999", "--seed"),
        ("--n_epochs 0 --n_epochs_decay 0", "--n_epochs"),
        ("--n_blocks -1", "--n_blocks"),
        ("--phase ..", "--phase"),
        ("--dataset_mode pmf --pairs_per_image 99999999999", "--pairs_per_image"),
        ("--dataset_mode pmf --sigma 3 2", "--sigma"),
        ("--dataset_mode saliency --pairs_per_image 0", "--pairs_per_image"),
        ("--dataset_mode saliency --num_sources_max 4 --netG unet_128", "--num_sources_max: --netG unet_128"),
        (
            "--dataset_mode saliency --num_sources_max 4 --decoders separate",
            "one number of sources; add --decoders shared",
        ),
        ("--dataset_mode saliency --num_sources_max 4 --netG DeFusion", "--num_sources_max: --netG DeFusion"),
        ("--dataset_mode saliency --dataroot /no/where", "/no/where"),
        ("--dataroot /no/where", "/no/where"),
        ("--val_dataroot /no/where", "/no/where"),
    ],
)
def test_values_out_of_range_are_named(tmp_path, text, named):
    words = text.split()
    if "--dataroot" not in words:
        words += ["--dataroot", str(tmp_path)]
    config, parsed = parse_train(words)
    with pytest.raises(UserError, match=named):
        validate_train(config, parsed)


def test_a_load_size_without_resizing_is_said(tmp_path):
    config, parsed = parse_train(["--dataroot", str(tmp_path), "--load_size", "286"])
    assert any("--load_size" in notice for notice in validate_train(config, parsed))


@pytest.mark.parametrize("command", ["train.py", "test.py"])
def test_help_answers_without_torch(command):
    code = (
        "import sys, runpy; sys.argv = [sys.argv[1], '--help']\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules and 'cv2' not in sys.modules"
    )
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--which_model_netG" in done.stdout
    assert time.perf_counter() - started < 10  # far above the second it takes; a hang, not a speed, is what fails


def test_details_of_a_config_file(tmp_path):
    file = tmp_path / "recipe.yaml"
    file.write_text("no_dropout: true\nbatchSize: 3\n")
    config = train(f"--config {file}")
    assert (config.generator.dropout, config.training.batch_size) == (False, 3)
    for text, named in (("name:\n", "name has no value"), ("lr: fast\n", r"--config .*recipe\.yaml: --lr.*fast")):
        file.write_text(text)
        with pytest.raises(UserError, match=named):
            train(f"--config {file}")


def test_the_familys_n_layers_is_taken_with_every_discriminator():
    _, parsed = parse_train(["--n_layers_D", "3"])
    assert any("n_layers" in notice for notice in parsed.notices)
    with pytest.raises(UserError, match=r"--lr is an option of train\.py alone"):
        parse_test(["--lr", "1"])


def test_a_procedure_made_for_one_network_brings_it():
    assert train("--dataroot x --model ifcnn").selection.netG == "IFCNN"
    assert train("--dataroot x --model ifcnn --netG R2GAN_generator").selection.netG == "R2GAN_generator"
    assert train("--dataroot x").selection.netG == "R2GAN_generator"


def test_what_travels_with_a_checkpoint_does_not_fit_every_other_network():
    recorded = {"netG": "IFCNN", "fusion": "sum"}
    assert parse_test([], recorded)[0].generator.fusion == "sum"
    assert parse_test(["--netG", "GSGIF_generator"], recorded)[0].generator.fusion == "saliency"
    assert parse_test(["--netG", "GSGIF_generator"], recorded | {"fusion": "max"})[0].generator.fusion == "max"
