"""Bottleneck blocks with split attention (Zhang et al., "ResNeSt", CVPRW 2022, section 3), radix 2, without norm."""

from __future__ import annotations

from torch import Tensor, nn

RADIX = 2
EXPANSION = 4
_REDUCTION = 4
_FEWEST_CHANNELS = 32


class SplitAttentionLayer(nn.Module):
    """A chain of bottleneck blocks: (B, in_channels, H, W) → (B, 4 · planes, H / stride, W / stride), rounded up.

    Args:
        in_channels: channels of the input.
        planes: channels inside the blocks; the output has four times as many.
        blocks: their number.
        pool_stride: stride of the first block's 3x3 average pool, which counts the padding; 0 for no pool.
        pooled_shortcut: the first block's shortcut is an average pool of that stride, then a 1x1 convolution; otherwise
            the convolution alone, or the identity where input and output have as many channels.

    Example:
        >>> import torch
        >>> SplitAttentionLayer(8, 4, blocks=2, pool_stride=2, pooled_shortcut=True)(torch.rand(1, 8, 9, 12)).shape
        torch.Size([1, 16, 5, 6])
    """

    def __init__(
        self, in_channels: int, planes: int, blocks: int, *, pool_stride: int = 0, pooled_shortcut: bool = False
    ) -> None:
        super().__init__()
        out_channels = EXPANSION * planes
        first = _Bottleneck(in_channels, planes, pool_stride=pool_stride, pooled_shortcut=pooled_shortcut)
        self.layer = nn.Sequential(first, *(_Bottleneck(out_channels, planes) for _ in range(blocks - 1)))

    def forward(self, maps: Tensor) -> Tensor:
        """(B, in_channels, H, W) → (B, 4 · planes, H / stride, W / stride)."""
        result: Tensor = self.layer(maps)
        return result


class SplitAttention(nn.Module):
    """A 3x3 convolution to two groups of maps, which are averaged channel by channel with weights of sum 1.

    The weights are computed from both groups' sum, averaged over the whole image: (B, C, H, W) → the same shape.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(channels * RADIX // _REDUCTION, _FEWEST_CHANNELS)
        self.conv = nn.Conv2d(channels, RADIX * channels, 3, padding=1, groups=RADIX, bias=False)
        self.fc1 = nn.Conv2d(channels, inner, 1)
        self.fc2 = nn.Conv2d(inner, RADIX * channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        groups = self.conv(maps).relu().unflatten(1, (RADIX, -1))  # (B, 2, C, H, W)
        summary = groups.sum(1).mean((2, 3), keepdim=True)
        weights = self.fc2(self.fc1(summary).relu()).unflatten(1, (RADIX, -1)).softmax(1)
        mixed: Tensor = (groups * weights).sum(1)
        return mixed


class _Bottleneck(nn.Module):
    """ReLU(shortcut(x) + 1x1(pool(split attention(ReLU(1x1(x))))))."""

    def __init__(self, in_channels: int, planes: int, *, pool_stride: int = 0, pooled_shortcut: bool = False) -> None:
        super().__init__()
        out_channels = EXPANSION * planes
        self.conv1 = nn.Conv2d(in_channels, planes, 1, bias=False)
        self.conv2 = SplitAttention(planes)
        self.pool = nn.AvgPool2d(3, pool_stride, padding=1) if pool_stride else nn.Identity()
        self.conv3 = nn.Conv2d(planes, out_channels, 1, bias=False)
        self.downsample = nn.Sequential()
        if in_channels != out_channels:
            stride = max(pool_stride, 1)
            pool = [nn.AvgPool2d(stride, stride, ceil_mode=True)] if pooled_shortcut else []
            self.downsample = nn.Sequential(*pool, nn.Conv2d(in_channels, out_channels, 1, bias=False))

    def forward(self, maps: Tensor) -> Tensor:
        inner = self.conv2(self.conv1(maps).relu())
        result: Tensor = (self.downsample(maps) + self.conv3(self.pool(inner))).relu()
        return result
