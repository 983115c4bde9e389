"""IFCNN's generator: one small encoder for every source, an element-wise rule, one small decoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from types import MappingProxyType
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.generators.base import IMAGENET, UNCHANGED, CutsOffLevels, FusionOutput, Generator, Normalisation
from options.networks import IFCNNOptions
from util.errors import UserError

_RULES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = MappingProxyType(
    {"max": torch.maximum, "sum": torch.add, "mean": torch.add}
)


class IFCNNGenerator(CutsOffLevels, Generator):
    """Convolves every source twice, fuses the maps element by element, and convolves the result to an image.

    `conv1` is the first layer of a ResNet-101 for ImageNet, at full resolution (stride 1) and without norm or
    activation; it is frozen. `conv2` and `conv3` are 3x3 convolutions with batch norm and ReLU, `conv4` is 1x1 with a
    bias. 83,587 parameters, any number of sources, any size (Zhang et al., "IFCNN: A general image fusion framework
    based on convolutional neural network", Information Fusion 54, 2020, section 3).

    With `fixed_bn` batch norm uses its running statistics in training, too, and does not update them: those of a small
    batch are noisy estimates for the whole set, and a network that is trained with them learns the noise. All rules
    have the same weights' layout.

    Args:
        options: see there.

    Example:
        >>> from models import create_generator
        >>> net = create_generator("IFCNN", fusion="max").eval()
        >>> a, b, c = (torch.rand(1, 3, 21, 30) for _ in range(3))
        >>> net([a, b, c]).fused.shape
        torch.Size([1, 3, 21, 30])
        >>> torch.allclose(net([a, a]).fused, net([a]).fused)  # the maximum of equal maps
        True
    """

    reach = 5

    def __init__(self, options: IFCNNOptions) -> None:
        super().__init__()
        self.fusion, self.ifcnn_norm, self.fixed_bn = options.fusion, options.ifcnn_norm, options.fixed_bn
        self.conv1 = nn.Conv2d(3, 64, 7, padding=3, padding_mode="replicate", bias=False)
        self.conv1.requires_grad_(options.train_conv1)
        self.conv2 = _ConvBlock(64)
        self.conv3 = _ConvBlock(64)
        self.conv4 = nn.Conv2d(64, 3, 1)
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Switches between training and evaluation mode; with `fixed_bn` batch norm stays in evaluation mode."""
        super().train(mode)
        if self.fixed_bn:
            self.conv2.bn.eval()
            self.conv3.bn.eval()
        return self

    def normalisation(self, *, grey: bool = False) -> Normalisation:
        """By `ifcnn_norm`, the statistics of ImageNet or images as they are, in [0, 1]."""
        unchanged = self.ifcnn_norm == "none" or (self.ifcnn_norm == "auto" and grey)
        return UNCHANGED if unchanged else IMAGENET

    def forward(self, sources: Sequence[Tensor]) -> FusionOutput:
        """Fuses N sources of any size.

        Args:
            sources: N tensors (B, 3, H, W) in the range of `normalisation`.

        Returns:
            `fused` (B, 3, H, W) in the same range, not bounded.

        Raises:
            UserError: no source.
        """
        if not sources:
            raise UserError("IFCNN needs at least one source")
        # One source after the other, as published (for batch norm); memory does not grow with their number.
        fused = reduce(_RULES[self.fusion], (self.conv2(self.conv1(source)) for source in sources))
        if self.fusion == "mean":
            fused = fused / len(sources)
        return FusionOutput(self.conv4(self.conv3(fused)))


class _ConvBlock(nn.Module):
    """3x3 convolution, batch norm, ReLU: (B, C, H, W) → the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="replicate", bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, maps: Tensor) -> Tensor:
        """Convolves, normalises and rectifies."""
        return functional.relu(self.bn(self.conv(maps)), inplace=True)
