"""The perceptual loss: images compared by their features in a network that was trained on ImageNet."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional

from models.generators.base import IMAGENET
from models.weights import load_weights, open_weights
from util.errors import UserError

CONV1 = "conv1.weight"  # the first layer's name in the files of torchvision's ResNets, and in IFCNN's
CONV1_SHAPE = (64, 3, 7, 7)
log = logging.getLogger(__name__)


class PerceptualLoss(nn.Module):
    """Mean squared difference of the features of two images after a ResNet's last convolution.

    The features are (B, C, H/32, W/32), C being 2048 (resnet18: 512) (Zhang et al., Information Fusion 54, 2020,
    section 3). The network is frozen and in evaluation mode whatever the training does.

    Args:
        backbone: one of `options.models.BACKBONES`.
        weights: its state dict.
        source: where that comes from, for the message.

    Raises:
        UserError: the weights do not fit.

    Example:
        >>> weights = torchvision.models.get_model("resnet18", weights=None).state_dict()
        >>> loss = PerceptualLoss("resnet18", weights, "random weights")
        >>> images = torch.rand(1, 3, 64, 64)
        >>> loss.features(images).shape, float(loss(images, images))
        (torch.Size([1, 512, 2, 2]), 0.0)
    """

    def __init__(self, backbone: str, weights: Mapping[str, Tensor], source: str) -> None:
        super().__init__()
        network = torchvision.models.get_model(backbone, weights=None)
        load_weights(network, weights, source)
        layers = [layer for name, layer in network.named_children() if name not in ("avgpool", "fc")]
        self.features = nn.Sequential(*layers).requires_grad_(False).eval()

    def forward(self, fused: Tensor, target: Tensor) -> Tensor:
        """Compares images (B, 3, H, W) in [0, 1], which need not be clamped; a scalar, `target` gets no gradient."""
        with torch.no_grad():
            expected = self.features(IMAGENET.apply(target))
        return functional.mse_loss(self.features(IMAGENET.apply(fused)), expected)


def read_backbone(backbone: str, file: str = "") -> tuple[dict[str, Tensor], str]:
    """Reads the weights of a ResNet for ImageNet (those of the original training recipe, which the papers used).

    Args:
        backbone: one of `options.models.BACKBONES`.
        file: their path; "" is torchvision's own copy, which is downloaded if it is missing.

    Returns:
        The state dict and the file it came from.

    Raises:
        UserError: they can neither be found nor downloaded; the message names the file to get.
    """
    path = Path(file) if file else _torchvisions_copy(backbone)
    return open_weights(path), str(path)


def read_conv1(weights: Mapping[str, Tensor], source: str) -> Tensor:
    """Returns the first layer's weights, (64, 3, 7, 7), from the state dict of a ResNet or of IFCNN.

    Args:
        weights: the state dict.
        source: where that comes from, for the message.

    Raises:
        UserError: there are none, or some are not finite.
    """
    conv1 = weights.get(CONV1)
    if conv1 is None or tuple(conv1.shape) != CONV1_SHAPE:
        shape = "x".join(map(str, CONV1_SHAPE))
        raise UserError(f"{source} holds no {CONV1} of {shape}, as the files of ResNet and IFCNN do")
    if not torch.isfinite(conv1).all():
        raise UserError(f"{source} holds NaN or infinite values in {CONV1}")
    return conv1


def _torchvisions_copy(backbone: str) -> Path:
    """The path of torchvision's own copy of the weights, downloaded if it is missing."""
    url: str = torchvision.models.get_model_weights(backbone)["IMAGENET1K_V1"].url
    name = Path(urlsplit(url).path).name
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    if path.is_file():
        return path
    log.info("Downloading %s to %s", url, path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The beginning of the checksum is a part of the name, as in resnet101-63fe2227.pth.
        torch.hub.download_url_to_file(url, str(path), hash_prefix=path.stem.rpartition("-")[2], progress=False)
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"the weights of {backbone} cannot be downloaded ({str(error) or type(error).__name__}): put {name} into "
            f"{path.parent} or name it with --backbone_weights; --train_conv1 --perceptual_from 0 needs none"
        ) from error
    return path
