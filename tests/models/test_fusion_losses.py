"""The losses without a target agree with the metrics of the same name, and their derivatives with differences."""

from __future__ import annotations

import pytest
import torch

from models.losses.exposure_structure import exposure_structure
from models.losses.gradient_preservation import gradient_preservation
from models.losses.information_fidelity import information_fidelity
from models.losses.moments import SourceMoments
from models.losses.similarity import lost_contrast, mean_similarity, salient_similarity, source_differences
from tests.images import scene
from util.metrics import compute_metrics
from util.metrics.excess_gradient import excess_gradient


def grey(number, height=96, width=128):
    return torch.from_numpy(scene(number, height, width).mean(-1).round())[None, None].float()


SCENE = ([grey(1), grey(2), grey(3)], (0.5 * grey(1) + 0.2 * grey(2) + 0.3 * grey(3)).round())


def measured(name):
    sources, fused = SCENE
    return compute_metrics(sources, fused, [name])[name].item()


def in_unit():
    sources, fused = SCENE
    return [source / 255 for source in sources], fused / 255


@pytest.mark.parametrize(
    ("loss", "metric"),
    [
        (information_fidelity, "VIF"),
        (exposure_structure, "MEF_SSIM@one_scale"),
        (source_differences, "SCD"),
        (lambda sources, fused: mean_similarity(SourceMoments(sources, fused)), "SSIM"),
    ],
)
def test_a_loss_is_the_metric(loss, metric):
    assert loss(*in_unit()).item() == pytest.approx(measured(metric), abs=2e-4)


def test_gradient_preservation_is_the_metric_where_directions_are_alike():
    """The metric takes steep rises and falls for opposite directions; without any of them both are the same."""
    rows, columns = torch.meshgrid(torch.arange(40.0), torch.arange(40.0), indexing="ij")
    sources = [(rows + columns).round()[None, None], (2 * rows + 1.5 * columns).round()[None, None]]
    fused = (0.5 * sources[0] + 0.5 * sources[1]).round()
    value = compute_metrics(sources, fused, ["Qabf"])["Qabf"].item()
    assert gradient_preservation([source / 255 for source in sources], fused / 255).item() == pytest.approx(
        value, abs=0.02
    )


def test_all_are_at_their_best_for_equal_images():
    image = grey(1) / 255
    moments = SourceMoments([image, image], image)
    assert gradient_preservation([image, image], image).item() == pytest.approx(0.9748, abs=1e-3)
    assert salient_similarity(moments).item() == pytest.approx(1, abs=1e-5)
    assert lost_contrast(moments).item() == pytest.approx(0, abs=1e-6)


def test_lost_contrast_grows_with_blur():
    sources, _ = in_unit()
    mean = torch.stack(sources).mean(0)
    losses = [lost_contrast(SourceMoments(sources, share * sources[0] + (1 - share) * mean)) for share in (1, 0.5, 0)]
    assert losses[0] < losses[2]


@pytest.mark.parametrize(
    "loss",
    [
        gradient_preservation,
        information_fidelity,
        exposure_structure,
        source_differences,
        lambda sources, fused: mean_similarity(SourceMoments(sources, fused)),
        lambda sources, fused: salient_similarity(SourceMoments(sources, fused)),
        lambda sources, fused: lost_contrast(SourceMoments(sources, fused)),
        lambda sources, fused: excess_gradient([s[:, 0] for s in sources], fused[:, 0], 2, least=0.01),
    ],
)
def test_gradients_are_those_of_differences(loss):
    generator = torch.Generator().manual_seed(0)
    *sources, fused = torch.rand(3, 1, 1, 18, 18, dtype=torch.float64, generator=generator)
    assert torch.autograd.gradcheck(lambda image: loss(sources, image), fused.requires_grad_())
