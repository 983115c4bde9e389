"""SMFNet's generator: base, detail and graph features of infrared and visible luma, each fused by its own layers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.generators.base import UNCHANGED, FusionOutput, Generator, Normalisation
from models.layers.coupling import AffineCoupling, InverseAffineCoupling
from models.layers.gradient_dense import GradientDenseBlock
from models.layers.graph_fusion import GraphFusion
from models.layers.transposed_attention import (
    CrossTransposedAttention,
    DenseTransposedAttention,
    LocalFeedForward,
    PointwiseFeedForward,
    PreNormBlock,
    TransposedAttention,
)
from options.networks import SMFNetOptions
from util.errors import UserError

CHANNELS = 64
HEADS = 8


class SMFNetGenerator(Generator):
    """Decomposes two modalities' luma into three kinds of features, fuses each kind, and decodes the sum.

    One encoder for both modalities computes base features (attention between channels) and detail features (a dense
    block with gradients, cross-attention, a coupling layer); a graph on both modalities' stems computes the third kind.
    Base features are fused by an attention layer and detail features by coupling layers, each on the sum over both
    modalities, graph features by a 1x1 convolution. The decoder computes the fused image from the sum of the three
    fused features, and rebuilds each source from the sum of its own three. 3,148,818 parameters, of which 498,720 are
    unused parts of published files: they are kept, frozen, so that a file that was read can be written again.

    Args:
        options: see there; `stretch` acts in `fuse`, never in `forward`, and so not in training.

    Example:
        >>> from models import create_generator
        >>> net = create_generator("SMFNet", stretch="minmax").eval()
        >>> infrared, visible = torch.rand(2, 1, 1, 21, 30)
        >>> net([infrared, visible]).features["base"][0].shape
        torch.Size([1, 64, 21, 30])
        >>> [level.item() for level in net.fuse([infrared, visible]).aminmax()]
        [0.0, 1.0]
    """

    smallest_side = 2  # the coupling layers pad by reflection
    reach: int | None = 27  # of the convolutions; attention takes its weights from the whole image
    num_sources = 2
    channels = 1

    def __init__(self, options: SMFNetOptions) -> None:
        super().__init__()
        self.stretch = options.stretch
        if self.stretch == "minmax":
            self.reach = None
        self.DIDF_Encoder = _Encoder()
        self.DIDF_Decoder = _Decoder()
        self.GraphModel = GraphFusion(CHANNELS)
        self.BaseFuseLayer = _BaseFusion()
        self.DetailFuseLayer = _DetailFusion()

    def normalisation(self, *, grey: bool = False) -> Normalisation:  # noqa: ARG002
        """Sources and fused images are luma in [0, 1]."""
        return UNCHANGED

    def forward(self, sources: Sequence[Tensor], *, trained: str = "all") -> FusionOutput:
        """Fuses infrared and visible luma and rebuilds both.

        Args:
            sources: infrared and visible, in this order, (B, 1, H, W) each in [0, 1].
            trained: "all", or "fused" or "rebuilt", which computes the other images without a gradient.

        Returns:
            `fused` and two `reconstructions` (B, 1, H, W) in (0, 1); `features` "base", "detail" and "graph", each a
            pair (B, 64, H, W), infrared first.

        Raises:
            UserError: the number of sources is not two.
        """
        features = self._extract(sources)
        learns = torch.is_grad_enabled()
        with torch.set_grad_enabled(learns and trained != "rebuilt"):
            fused = self._decode_fused(features)
        with torch.set_grad_enabled(learns and trained != "fused"):
            triples = zip(features.base, features.detail, features.graph, strict=True)
            rebuilt = tuple(self.DIDF_Decoder(base + detail + graph) for base, detail, graph in triples)
        return FusionOutput(
            fused,
            rebuilt,
            {"base": features.base, "detail": features.detail, "graph": features.graph},
        )

    def _fused(self, sources: Sequence[Tensor]) -> Tensor:
        return self._decode_fused(self._extract(sources))

    @torch.no_grad()
    def fuse(self, sources: Sequence[Tensor]) -> Tensor:
        """Fuses infrared and visible luma (B, 1, H, W) of any size, see `Generator.fuse`; `stretch` is per image."""
        fused = super().fuse(sources)
        return _stretched(fused) if self.stretch == "minmax" else fused

    def _extract(self, sources: Sequence[Tensor]) -> _Features:
        if len(sources) != 2:
            raise UserError(f"{len(sources)} sources: SMFNet fuses two, infrared and visible in this order")
        stems, bases, details = zip(*(self.DIDF_Encoder(source) for source in sources), strict=True)
        *graphs, graph_fused = self.GraphModel(*stems)
        return _Features(bases, details, tuple(graphs), graph_fused)

    def _decode_fused(self, features: _Features) -> Tensor:
        base: Tensor = self.BaseFuseLayer(features.base[0] + features.base[1])
        detail: Tensor = self.DetailFuseLayer(features.detail[0] + features.detail[1])
        fused: Tensor = self.DIDF_Decoder(base + detail + features.graph_fused)
        return fused


class _Features(NamedTuple):
    """The features of the two modalities, (B, 64, H, W) each; pairs are infrared and visible."""

    base: tuple[Tensor, ...]
    detail: tuple[Tensor, ...]
    graph: tuple[Tensor, ...]
    graph_fused: Tensor


class _Encoder(nn.Module):
    """One modality's luma (B, 1, H, W) → stem, base and detail (B, 64, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        projection = nn.Conv2d(1, CHANNELS, 3, padding=1, bias=False)
        self.patch_embed = nn.Sequential(OrderedDict(proj=projection))
        self.encoder_level1 = nn.Sequential(_transformer_block())
        self.baseFeature = _BaseBranch()
        self.detailFeature = _DetailBranch()
        self.GRDB_module = GradientDenseBlock(CHANNELS)

    def forward(self, luma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        stem = self.encoder_level1(self.patch_embed(luma))
        return stem, self.baseFeature(stem), self.detailFeature(self.GRDB_module(stem))


class _BaseBranch(nn.Module):
    """A convolution and two stages of attention: (B, 64, H, W) → the same shape."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_first = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        self.layers = nn.Sequential(_BaseStage(), _BaseStage())
        # Unused, but part of published files.
        self.reduce_channel = nn.Conv2d(2 * CHANNELS, CHANNELS, 1, bias=False).requires_grad_(False)
        self.norm = nn.LayerNorm(CHANNELS).requires_grad_(False)
        self.conv_after_body = _narrow_convolutions().requires_grad_(False)

    def forward(self, maps: Tensor) -> Tensor:
        base: Tensor = self.layers(self.conv_first(maps))
        return base


class _BaseStage(nn.Module):
    """x + convolutions(attention(x)), with two pairs of attention blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.residual_group = nn.Sequential(*(nn.Sequential(_transformer_block(), _dense_block()) for _ in range(2)))
        self.conv = _narrow_convolutions()

    def forward(self, maps: Tensor) -> Tensor:
        corrected: Tensor = maps + self.conv(self.residual_group(maps))
        return corrected


class _DetailBranch(nn.Module):
    """Cross-attention between two halves of the channels, then coupling: (B, 64, H, W) → the same shape."""

    def __init__(self) -> None:
        super().__init__()
        self.TCA = CrossTransposedAttention(CHANNELS // 2, HEADS)
        self.layer = AffineCoupling(CHANNELS)

    def forward(self, maps: Tensor) -> Tensor:
        z1, z2 = maps.chunk(2, dim=1)
        z1, z2 = self.TCA(z2, z1), self.TCA(z1, z2)
        return torch.cat(self.layer(z1, z2), dim=1)


class _BaseFusion(PreNormBlock):
    """The attention layer that fuses base features: their sum (B, 64, H, W) → the same shape."""

    def __init__(self) -> None:
        super().__init__(CHANNELS, TransposedAttention(CHANNELS, HEADS), LocalFeedForward(CHANNELS))
        # Unused, but part of published files.
        self.reduce_channel = nn.Conv2d(2 * CHANNELS, CHANNELS, 1, bias=False).requires_grad_(False)


class _DetailFusion(nn.Module):
    """Dense block and two coupling layers that fuse detail features: their sum (B, 64, H, W) → the same shape."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(InverseAffineCoupling(CHANNELS), InverseAffineCoupling(CHANNELS))
        self.GRDB = GradientDenseBlock(CHANNELS)

    def forward(self, maps: Tensor) -> Tensor:
        fused: Tensor = self.net(self.GRDB(maps))
        return fused


class _Decoder(nn.Module):
    """The sum of the three kinds of features (B, 64, H, W) → luma (B, 1, H, W) in (0, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder_level1 = nn.Sequential(_transformer_block())
        self.output = nn.Sequential(
            nn.Conv2d(CHANNELS, CHANNELS // 2, 3, padding=1, bias=False),
            nn.LeakyReLU(0.01, inplace=True),
            nn.Conv2d(CHANNELS // 2, CHANNELS // 4, 3, padding=1, bias=False),
            nn.LeakyReLU(0.01, inplace=True),
            nn.Conv2d(CHANNELS // 4, 1, 3, padding=1, bias=False),
        )

    def forward(self, features: Tensor) -> Tensor:
        return torch.sigmoid(self.output(self.encoder_level1(features)))


def _transformer_block() -> PreNormBlock:
    """The attention block of stem, base branch and decoder."""
    return PreNormBlock(CHANNELS, TransposedAttention(CHANNELS, HEADS), LocalFeedForward(CHANNELS), name="ffn_leff")


def _dense_block() -> PreNormBlock:
    """The base branch's second kind of attention block."""
    return PreNormBlock(CHANNELS, DenseTransposedAttention(CHANNELS, HEADS), PointwiseFeedForward(CHANNELS))


def _narrow_convolutions() -> nn.Sequential:
    """3x3, 1x1 and 3x3 convolutions with a quarter of the channels inside."""
    narrow = CHANNELS // 4
    return nn.Sequential(
        nn.Conv2d(CHANNELS, narrow, 3, padding=1),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(narrow, narrow, 1),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(narrow, CHANNELS, 3, padding=1),
    )


def _stretched(images: Tensor) -> Tensor:
    """Maps the darkest pixel of each image (B, 1, H, W) to 0 and the brightest to 1; constant images stay unchanged."""
    low, high = images.amin(dim=(1, 2, 3), keepdim=True), images.amax(dim=(1, 2, 3), keepdim=True)
    return torch.where(high > low, (images - low) / (high - low), images)
