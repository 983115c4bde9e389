"""SMFNet's training procedure: two phases, one optimiser that does what the release's five do, exact resuming."""

import pytest
import torch
from torch import nn

from engine.runtime import Runtime
from engine.training.trainer import Trainer
from models.losses.smfnet import decomposition_term, fusion_terms, reconstruction_terms
from models.smfnet_model import SMFNetModel
from options.models import SMFNetTrainingOptions
from options.training import TrainingOptions
from tests.images import scene, stacked, write_pairs, write_sources
from tests.integration.commands import curve, fuse, train
from tests.models.test_smfnet import build, images
from util.errors import UserError
from util.images.image_io import write_image

PARTS = ("DIDF_Encoder", "DIDF_Decoder", "GraphModel", "BaseFuseLayer", "DetailFuseLayer")
FUSING = ("BaseFuseLayer.", "DetailFuseLayer.", "GraphModel.C_cls.")
SCHEDULE = {"lr_policy": "step", "lr_decay_iters": 1, "lr_decay_factor": 0.5, "lr_min": 3e-5}


@pytest.fixture(scope="module", autouse=True)
def narrow():
    """Half of the channels, two for each head: what is tested here is the procedure."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.generators.smfnet.CHANNELS", 32)
        yield


def batches(count):
    torch.manual_seed(7)
    return [{"sources": torch.rand(2, 2, 1, 12, 16), "name": ["a", "b"]} for _ in range(count)]


def model_of(net, *, fusion_from=2, precision="64", **options):
    training = TrainingOptions(lr=1e-4, beta1=0.9, clip_grad=0.01, **SCHEDULE)
    runtime = Runtime(gpu_ids="-1", precision=precision)
    options = SMFNetTrainingOptions(fusion_from=fusion_from, **options)
    return SMFNetModel(runtime, net.train(), None, training, options)


def as_released(net, samples):
    """Two epochs of two steps, one in each phase: an Adam, a schedule and a limit of the gradient for each part."""
    net.double().train()
    parts = [getattr(net, name) for name in PARTS]
    optimizers = [torch.optim.Adam(part.parameters(), 1e-4) for part in parts]
    schedules = [torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5) for optimizer in optimizers]
    for epoch in (1, 2):
        for batch in samples[2 * epoch - 2 : 2 * epoch]:
            sources = list(batch["sources"].double().unbind(1))
            output = net(sources)
            if epoch == 1:
                terms, kinds = reconstruction_terms(output.reconstructions, sources), ("detail",)
            else:
                terms, kinds = fusion_terms(output.fused, sources), ("detail", "graph")
            for optimizer in optimizers:
                optimizer.zero_grad()
            (sum(terms.values()) + decomposition_term(output.features, kinds)).backward()
            for part, optimizer in zip(parts, optimizers, strict=True):
                nn.utils.clip_grad_norm_(part.parameters(), 0.01)
                optimizer.step()
        for schedule in schedules:
            schedule.step()
    return net.state_dict()


def test_one_optimiser_does_what_one_for_each_part_does():
    samples = batches(4)
    expected = as_released(build(), samples)
    model = model_of(build())
    for epoch in (1, 2):
        model.begin_epoch(epoch)
        for batch in samples[2 * epoch - 2 : 2 * epoch]:
            model.train_on(batch)
        model.update_learning_rate()
    found = model.network_weights()["G"]
    assert found.keys() == expected.keys()
    for name, weights in expected.items():  # which moved by 2e-4; the engine hands on a network's output in 32 bits
        torch.testing.assert_close(found[name], weights, rtol=0, atol=3e-7, msg=lambda m, n=name: f"{n}: {m}")
    assert model.learning_rate() == pytest.approx(3e-5), "a quarter of 1e-4, but for the lowest rate"


def moved_by_an_epoch(model, epoch):
    """The names of the trained weights that changed in one step of an epoch."""
    before = {name: weights.clone() for name, weights in model.generator.named_parameters() if weights.requires_grad}
    model.begin_epoch(epoch)
    model.train_on(batches(1)[0])
    now = dict(model.generator.named_parameters())
    return {name for name, weights in before.items() if not torch.equal(weights, now[name])}, set(before)


def test_what_only_fusing_needs_rests_in_phase_one():
    model = model_of(build(), precision="32", fusion_from=3)
    moved, trained = moved_by_an_epoch(model, 1)
    resting = {name for name in trained if name.startswith(FUSING)}
    assert resting
    assert moved == trained - resting
    assert model.losses.keys() == {
        *("G_SSIM_ir", "G_Sobel_ir", "G_SSIM_vi", "G_Sobel_vi", "G_Gram_ir", "G_gradient_vi", "G_decomposition")
    }
    assert model.visuals.keys() == {"source_1", "source_2", "reconstruction_1", "reconstruction_2"}
    assert moved_by_an_epoch(model, 2)[0] == moved
    moved, _ = moved_by_an_epoch(model, 3)
    assert moved == trained
    assert model.losses.keys() == {"G_intensity", "G_gradient", "G_decomposition"}
    assert "fused" in model.visuals


def test_the_term_of_structure_belongs_to_phase_two():
    model = model_of(build(), precision="32", lambda_ssim=100.0)
    moved_by_an_epoch(model, 1)
    assert "G_SSIM" not in model.losses
    moved_by_an_epoch(model, 2)
    assert 0 < model.losses["G_SSIM"] < 200


def test_each_part_has_its_own_limit_of_the_gradient():
    model = model_of(build(), precision="32", fusion_from=1)
    model.begin_epoch(1)
    model.train_on(batches(1)[0])
    gradients = {
        name: [p.grad for p in getattr(model.generator, name).parameters() if p.grad is not None] for name in PARTS
    }
    norms = [torch.cat([gradient.flatten() for gradient in gradients[name]]).norm().item() for name in PARTS]
    assert norms == pytest.approx([0.01] * 5, rel=1e-3)


def training(root):
    """Four epochs of three steps; phase II begins with the third."""
    for place, count in (("data", 3), ("val", 1)):
        write_sources(root / place, count, 20, 24)
    words = ["--model", "smfnet", "--dataset_mode", "sources", "--dataroot", root / "data", "--checkpoints_dir", root]
    words += ["--val_dataroot", root / "val", "--gpu_ids", "-1", "--num_threads", 0, "--display_id", 0]
    words += ["--init_type", "xavier", "--init_gain", 1, "--clip_grad", 0.01, "--beta1", 0.9, "--ema", 0.9]
    words += ["--batch_size", 1, "--crop_size", 12, "--n_epochs", 4, "--n_epochs_decay", 0, "--fusion_from", 3]
    return [*words, "--print_freq", 2, "--save_latest_freq", 1, "--save_epoch_freq", 1]


@pytest.fixture
def words(tmp_path):
    return training(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a training that nothing disturbed."""
    root = tmp_path_factory.mktemp("whole")
    assert train(*training(root), "--name", "run") == 0
    return root / "run"


@pytest.mark.parametrize("samples", [2, 6, 8])
def test_a_training_that_broke_off_in_either_phase_goes_on_bit_for_bit(words, whole, tmp_path, monkeypatch, samples):
    step = Trainer._step

    def break_off(trainer, batch):
        if trainer.progress.samples == samples:
            raise RuntimeError("the power is gone")
        step(trainer, batch)

    monkeypatch.setattr(Trainer, "_step", break_off)
    with pytest.raises(RuntimeError):
        train(*words, "--name", "parts")
    monkeypatch.setattr(Trainer, "_step", step)
    assert train("--checkpoints_dir", tmp_path, "--name", "parts", "--continue_train") == 0
    parts = tmp_path / "parts"
    assert curve(parts) == curve(whole)
    states = [torch.load(folder / "latest_state.pth", weights_only=True) for folder in (whole, parts)]
    for group in ("networks", "optimizers"):
        assert_same(*(state["model"][group]["G"] for state in states))
    assert_same(*(state["averaged"] for state in states))


def assert_same(one, two):
    if isinstance(one, dict):
        assert one.keys() == two.keys()
        for key in one:
            assert_same(one[key], two[key])
    else:
        assert torch.equal(one, two) if isinstance(one, torch.Tensor) else one == two


def test_validation_measures_what_the_phase_trains_and_the_result_fuses(whole, tmp_path):
    validations = [record for record in curve(whole) if record["kind"] == "validation"]
    measured = [set(record) - {"kind", "epoch", "samples"} for record in validations]
    fused = {f"{name}{suffix}" for name in ("Qabf", "SSIM", "VIF") for suffix in ("", "_average")}
    assert measured == [{"PSNR_rebuilt", "SSIM_rebuilt"}] * 2 + [fused] * 2
    assert (whole / "best_net_G.pth").is_file()
    losses = [set(record) for record in curve(whole) if record["kind"] == "losses"]
    assert "G_SSIM_ir" in losses[0]
    assert "G_intensity" in losses[-1]
    root = whole.parent
    words = ["--dataroot", root / "val", "--checkpoints_dir", root, "--results_dir", tmp_path / "results"]
    assert fuse(*words, "--name", "run", "--epoch", "best") == 0
    assert (tmp_path / "results" / "run" / "test_best" / "fused" / "00.png").is_file()


def test_nothing_is_called_best_before_it_fuses(words, tmp_path):
    assert train(*words, "--name", "run", "--n_epochs", 2) == 0
    assert not (tmp_path / "run" / "best_net_G.pth").exists()


def test_known_targets_are_validated_against_where_there_are_any(words, tmp_path):
    write_image(tmp_path / "val" / "target" / "00.png", scene(3, 20, 24))
    assert train(*words, "--name", "run", "--n_epochs", 3) == 0
    last = curve(tmp_path / "run")[-1]
    assert {"PSNR", "SSIM", "PSNR_average"} <= set(last)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--netG", "unet_128"], "--netG SMFNet"),
        (["--num_sources", 3], "--num_sources 3"),
        (["--fusion_from", 0], "--fusion_from 0"),
        (["--crop_size", 10], "--crop_size 10: expected 11 or more"),
        (["--lr_policy", "step", "--lr_decay_factor", 0], "--lr_decay_factor 0"),
        (["--lr_min", 1], "--lr_min 1"),
        (["--lr", -1], "--lr -1.0"),
        (["--val_dataroot", "FILE"], "expected a folder of images"),
        (["--val_dataroot", "CROWDED"], "--val_roles"),
        (["--smf_losses", "printed"], "--smf_losses"),
        (["--lambda_ssim", -1], "--lambda_ssim -1.0"),
        (["--model", "pix2pix", "--netG", "SMFNet"], "target"),
    ],
)
def test_what_cannot_be_trained_is_said_before_anything_is_written(words, tmp_path, capsys, more, said):
    if "FILE" in more:
        more = ["--val_dataroot", tmp_path / "val" / "ir" / "00.png"]
    if "CROWDED" in more:
        write_image(tmp_path / "crowded" / "labels" / "00.png", scene(0, 20, 24))
        write_sources(tmp_path / "crowded", 1, 20, 24)
        more = ["--val_dataroot", tmp_path / "crowded"]
    if "pix2pix" in more:
        at = words.index("--fusion_from")
        words = words[:at] + words[at + 2 :]
    assert train(*words, "--name", "run", *more) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert said in message
    assert not (tmp_path / "run").exists()


def test_a_batch_in_parts_records_the_terms_of_its_phase_alone(words, tmp_path):
    assert train(*words, "--name", "run", "--batch_size", 2, "--accumulate", 2) == 0
    by_epoch = {record["epoch"]: record for record in curve(tmp_path / "run") if record["kind"] == "losses"}
    assert "G_SSIM_ir" in by_epoch[2]
    assert "G_SSIM_ir" not in by_epoch[4]
    assert "G_intensity" in by_epoch[4]


def test_a_phase_that_never_comes_is_pointed_out(words, caplog, capsys):
    assert train(*words, "--name", "run", "--n_epochs", 1) == 0
    assert "--fusion_from 3: phase II, which trains fusion, begins after the last epoch, 1" in (
        caplog.text + capsys.readouterr().err
    )


def test_patches_that_the_window_of_the_loss_does_not_fit_into_are_named():
    small = [torch.rand(1, 1, 10, 30)] * 2
    with pytest.raises(UserError, match=r"30x10: .* 11x11"):
        reconstruction_terms(small, small)


def test_two_processes_train_in_both_phases(words, tmp_path):
    """The layers that rest in phase I have no gradient there, which several processes must not wait for."""
    assert train(*words, "--name", "run", "--batch_size", 2, "--gpu_ids", "-1,-1", "--max_dataset_size", 2) == 0
    assert [record["epoch"] for record in curve(tmp_path / "run") if record["kind"] == "losses"] == [1, 2, 3, 4]


def test_images_of_one_batch_are_independent():
    """Corrected correlations are of a sample; those of the release change with what else is in the batch."""
    sources = images(batch=2)
    features = build()(sources).features
    alone = [
        decomposition_term({kind: tuple(m[i : i + 1] for m in pair) for kind, pair in features.items()}, ("detail",))
        for i in range(2)
    ]
    torch.testing.assert_close(decomposition_term(features, ("detail",)), torch.stack(alone).mean())


def test_targets_of_some_items_only_are_left_out_of_validation(words, tmp_path, caplog):
    write_sources(tmp_path / "val", 2, 20, 24)
    write_image(tmp_path / "val" / "target" / "00.png", scene(3, 20, 24))
    assert train(*words, "--name", "run", "--n_epochs", 1, "--fusion_from", 1) == 0
    assert "Only 1 of them have a target" in caplog.text
    last = curve(tmp_path / "run")[-1]
    assert "PSNR" not in last
    assert "Qabf" in last


def test_the_sources_of_a_validation_set_are_chosen_among_its_folders(words, tmp_path):
    write_image(tmp_path / "val" / "labels" / "00.png", scene(0, 20, 24))
    assert train(*words, "--name", "run", "--n_epochs", 1, "--fusion_from", 1, "--val_roles", "ir,vi") == 0
    assert "Qabf" in curve(tmp_path / "run")[-1]


@pytest.mark.parametrize("with_target", [True, False])
def test_panels_are_validated_as_they_are_trained_on(words, tmp_path, with_target):
    """A | C | B is never halved, though its width is even."""
    data = write_pairs(tmp_path / "panels", 2, 20, 24, with_target=with_target)
    words = [word if word != "sources" else "aligned" for word in words]
    words += ["--dataroot", data, "--val_dataroot", data, "--n_epochs", 1, "--fusion_from", 1]
    assert stacked(0, 20, 24).shape[1] % 2 == 0
    assert train(*words, "--name", "run", "--with_target" if with_target else "--no_with_target") == 0
    assert ("PSNR" if with_target else "Qabf") in curve(tmp_path / "run")[-1]


def test_only_what_a_phase_trains_has_a_gradient():
    net, sources = build(), images()
    for trained, learns in (("all", (True, True)), ("fused", (True, False)), ("rebuilt", (False, True))):
        output = net(sources, trained=trained)
        assert (output.fused.requires_grad, output.reconstructions[0].requires_grad) == learns


def test_a_plateau_is_not_watched_for_before_there_is_a_fused_image(words, tmp_path):
    assert train(*words, "--name", "run", "--lr_policy", "plateau", "--precision", "bf16") == 0
    state = torch.load(tmp_path / "run" / "latest_state.pth", weights_only=True)
    assert state["model"]["schedulers"]["G"]["last_epoch"] == 2, "of four epochs two are of phase II"


def test_what_has_no_effect_or_a_bad_start_is_pointed_out(words, capsys):
    more = ["--n_epochs", 1, "--max_dataset_size", 1, "--init_type", "normal", "--init_gain", 0.02]
    more += ["--lr_decay_factor", 0.5, "--netD", "basic"]
    assert train(*words, "--name", "run", *more) == 0
    said = capsys.readouterr().err
    for part in ("--init_type normal: SMFNet", "--lr_decay_factor has no effect", "--netD has no effect"):
        assert part in said
