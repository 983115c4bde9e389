"""Two modalities as a graph: each has nodes at three scales, which gate the other's nodes and pass messages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor, nn

DILATIONS = (4, 8, 16)
GATING_PASSES = 2
MESSAGE_PASSES = 2


class GraphFusion(nn.Module):
    """Updates the features of two modalities, a and b, by message passing, and fuses them.

    Layers named `*_rgb` in a state dict are those of a, `*_dep` those of b.

    Args:
        channels: of the features, an even number.

    Example:
        >>> a, b, fused = GraphFusion(4)(torch.rand(1, 4, 8, 8), torch.rand(1, 4, 8, 8))
        >>> fused.shape
        torch.Size([1, 4, 8, 8])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.graph = _GraphReadout(channels)
        self.C_cls = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Two tensors (B, C, H, W) → the graph's features of a, those of b, and the fused ones, of the same shape."""
        a, b = self.graph(a, b)
        return a, b, self.C_cls(torch.cat((a, b), dim=1))


class _GraphReadout(nn.Module):
    """A convolution of each modality's concatenated nodes: two tensors (B, C, H, W) → two of the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        nodes = len(DILATIONS)
        self.graph = _NodeGraph(channels)
        # Four more readouts and a fusion are unused, but part of published files.
        self.C_cat = nn.ModuleList(_conv_norm(nodes * channels, channels) for _ in range(6))
        self.C_cat[2:].requires_grad_(False)
        self.C_cls = nn.Conv2d(2 * channels, channels, 1).requires_grad_(False)

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        nodes_a, nodes_b = self.graph(a, b)
        return self.C_cat[0](torch.cat(nodes_a, dim=1)), self.C_cat[1](torch.cat(nodes_b, dim=1))


class _NodeGraph(nn.Module):
    """Nodes of both modalities, which gate each other and then pass messages within their modality."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.ppm_rgb = _Nodes(channels)
        self.ppm_dep = _Nodes(channels)
        self.graph_rgb = _MessagePassing(channels)
        self.graph_dep = _MessagePassing(channels)
        # Unused, but part of published files.
        self.C_ca = nn.ModuleList(_unused_channel_gate(channels) for _ in range(2)).requires_grad_(False)
        self.C_pa = nn.ModuleList(nn.Conv2d(channels, 1, 1, bias=False) for _ in range(2))

    def forward(self, a: Tensor, b: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        nodes_a, nodes_b = self.ppm_rgb(a), self.ppm_dep(b)
        for scale in range(len(DILATIONS)):
            for _ in range(GATING_PASSES):
                nodes_a[scale], nodes_b[scale] = self._gate(nodes_a[scale], nodes_b[scale])
        for _ in range(MESSAGE_PASSES):
            nodes_a = self.graph_rgb(nodes_a)
            nodes_b = self.graph_dep(nodes_b)
        return nodes_a, nodes_b

    def _gate(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Returns a + b · σ(P1(b − a)) and b + a · σ(P0(a − b))."""
        to_b, to_a = torch.sigmoid(self.C_pa[0](a - b)), torch.sigmoid(self.C_pa[1](b - a))
        return a + b * to_a, b + a * to_b


class _Nodes(nn.Module):
    """One node for each of `DILATIONS`: (B, C, H, W) → a list of tensors of that shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(_conv_norm(channels, channels, dilation) for dilation in DILATIONS)

    def forward(self, maps: Tensor) -> list[Tensor]:
        return [conv(maps) for conv in self.convs]


class _MessagePassing(nn.Module):
    """Every node receives a message from the other two: node ← node + γ · GRU(message, node), (B, C, H, W) each."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        others = len(DILATIONS) - 1
        self.gamma = nn.Parameter(torch.zeros(1))
        self.C_wgt = nn.Conv2d(others * channels, others, 1, groups=others, bias=False)
        self.ConvGRU = _ConvGRU(channels)

    def forward(self, nodes: Sequence[Tensor]) -> list[Tensor]:
        """Updates all nodes from their old values."""
        return [self._update(node, [other for other in nodes if other is not node]) for node in nodes]

    def _update(self, node: Tensor, others: Sequence[Tensor]) -> Tensor:
        weights = torch.sigmoid(self.C_wgt(torch.cat([node - other for other in others], dim=1)))
        # There is one weight map for each other node, but the release assigns them alternately to channels, not to
        # nodes: in a channel the other nodes have the same weight, so their sum can be weighted.
        alternating = weights.repeat(1, node.shape[1] // len(others), 1, 1)
        message = reduce(torch.add, others) * alternating
        return node + self.gamma * self.ConvGRU(message, node)


class _ConvGRU(nn.Module):
    """A gated recurrent unit of 1x1 convolutions (Cho et al., EMNLP 2014)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.ConvGates = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.Conv_ct = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, message: Tensor, hidden: Tensor) -> Tensor:
        """The next hidden state, (1 − z) · h + z · tanh(…); all are (B, C, H, W)."""
        gates = torch.sigmoid(self.ConvGates(torch.cat((message, hidden), dim=1)))
        reset, update = gates.chunk(2, dim=1)
        candidate = torch.tanh(self.Conv_ct(torch.cat((message, reset * hidden), dim=1)))
        return (1 - update) * hidden + update * candidate


def _conv_norm(in_channels: int, out_channels: int, dilation: int = 1) -> nn.Sequential:
    """3x3 convolution, batch norm, ReLU; keeps the size."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=dilation, dilation=dilation, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.ReLU(inplace=True),
    )


def _unused_channel_gate(channels: int) -> nn.Sequential:
    """Placeholders for the weights in published files: 1x1 convolutions at 1 and 3."""
    convolutions = (
        nn.Conv2d(2 * channels, channels // 2, 1, bias=False),
        nn.Conv2d(channels // 2, channels, 1, bias=False),
    )
    return nn.Sequential(nn.Identity(), convolutions[0], nn.Identity(), convolutions[1])
