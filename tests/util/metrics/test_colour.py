"""Colour as VIFB and MEFB measure it: channel by channel, then averaged."""

import numpy as np
import torch

from tests.data.helpers import shared
from tests.util.metrics import gold
from util.metrics import compute_metrics

GOLD = {
    ("vifb", "Avg_gradient"): "AG@over_inner",
    ("vifb", "Cross_entropy"): "CE",
    ("vifb", "Edge_intensity"): "EI",
    ("vifb", "Entropy"): "EN",
    ("vifb", "Mutinf"): "MI@nats",
    ("vifb", "Psnr"): "PSNR@rmse_root_first",
    ("vifb", "Qcb"): "QCB",
    ("vifb", "Qcv"): "QCV",
    ("vifb", "Rmse"): "RMSE@root_first",
    ("vifb", "Ssim"): "SSIM@sum",
    ("vifb", "Variance"): "SD",
    ("mefb", "Qp"): "QP",
    ("mefb", "Qw"): "QW@edge",
    ("mefb", "Qy"): "QY",
    ("mefb", "Spatial_frequency"): "SF@over_pixels",
}


def test_channels_measured_as_a_batch_and_averaged_are_the_published_values():
    shared("reference", "metrics")
    images = gold.images("lytroRGB", "lytro-01")
    *sources, fused = (torch.from_numpy(np.array(each)).permute(2, 0, 1)[:, None] for each in images)
    found = compute_metrics(sources, fused, list(GOLD.values()))
    for (implementation, metric), name in GOLD.items():
        expected = gold.rows()["lytroRGB", "lytro-01", implementation, metric]
        assert gold.difference(float(found[name].mean()), expected) < 1e-9, name
