"""DeFusion's generator: decomposes two sources into a common and two unique embeddings, and fuses these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.generators.base import UNCHANGED, FusionOutput, Normalisation
from models.generators.decomposing import DecomposingGenerator
from models.layers.split_attention import SplitAttentionLayer
from options.networks import DeFusionOptions
from util.errors import UserError

COMMON_BLOCKS: Mapping[str, tuple[int, int, int, int]] = {"tester": (2, 2, 2, 2), "trainer": (4, 4, 6, 6)}
UNIQUE_BLOCKS = (4, 4, 6, 6)


class DeFusionGenerator(DecomposingGenerator):
    """Fusion from decomposition (Liang et al., ECCV 2022).

    One encoder for both sources, at a half, a quarter and an eighth of their size; a common encoder on both deepest
    maps. From its code one decoder computes an embedding of what the sources share, and a second one, for both sources,
    an embedding of what each has alone. A head maps each embedding to an image, and another one the sum of all three to
    the fused image. 7,874,473 parameters (depth "tester") or 8,043,817 ("trainer"); the layers that published files
    name for the second source are aliases of those of the first.

    Args:
        options: see there; with `common_head` "unique" the head of the common image is frozen. The fused image does not
            depend on it.

    Example:
        >>> from models import create_generator
        >>> net = create_generator("DeFusion").eval()
        >>> sources = [torch.rand(1, 3, 30, 41) for _ in range(2)]
        >>> net.fuse(sources).shape
        torch.Size([1, 3, 30, 41])
        >>> list(net.decompose(sources))
        ['common', 'unique 1', 'unique 2']
    """

    grid = 8  # three strides of 2
    reach = 182  # of the convolutions; split attention takes its weights from the whole image

    def __init__(self, options: DeFusionOptions) -> None:
        super().__init__()
        self.common_head, self.pad = options.common_head, options.pad
        full_size = SplitAttentionLayer(16, 8, 6, pool_stride=1, pooled_shortcut=True)
        self.encoder_upper = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), full_size)
        self.upper_encoder_layer1 = SplitAttentionLayer(32, 16, 6, pooled_shortcut=True)
        self.upper_encoder_layer2 = SplitAttentionLayer(64, 32, 4, pool_stride=2, pooled_shortcut=True)
        self.upper_encoder_layer3 = SplitAttentionLayer(128, 64, 4, pool_stride=2, pooled_shortcut=True)
        self.common_encoder = nn.Sequential(SplitAttentionLayer(512, 256, 4, pooled_shortcut=True))

        blocks = COMMON_BLOCKS[options.depth]
        self.decoder_common_layer1 = SplitAttentionLayer(1024 + 2 * 256, 64, blocks[0])
        self.decoder_common_layer2 = SplitAttentionLayer(256 + 2 * 128, 16, blocks[1])
        self.decoder_common_layer3 = SplitAttentionLayer(64 + 2 * 64, 4, blocks[2])
        self.decoder_common_layer4 = nn.Sequential(SplitAttentionLayer(16, 4, blocks[3]))
        self.decoder_upper_layer1 = SplitAttentionLayer(1024 + 256, 96, UNIQUE_BLOCKS[0])
        self.decoder_upper_layer2 = SplitAttentionLayer(384 + 128, 32, UNIQUE_BLOCKS[1])
        self.decoder_upper_layer3 = SplitAttentionLayer(128 + 64, 16, UNIQUE_BLOCKS[2])
        self.decoder_upper_layer4 = nn.Sequential(SplitAttentionLayer(64, 4, UNIQUE_BLOCKS[3]))

        self.decoder_common_projection_layer = _head()
        self.decoder_upper_projection_layer = _head()
        self.fusion_rule = _head()
        if self.common_head == "unique":
            self.decoder_common_projection_layer.requires_grad_(False)
        self._name_for_second_source()

    def _name_for_second_source(self) -> None:
        """Adds the aliases under which published files repeat the layers for the second source."""
        self.encoder_lower = self.encoder_upper
        for number in (1, 2, 3):
            setattr(self, f"lower_encoder_layer{number}", getattr(self, f"upper_encoder_layer{number}"))
        for part in ("layer1", "layer2", "layer3", "layer4", "projection_layer"):
            setattr(self, f"decoder_lower_{part}", getattr(self, f"decoder_upper_{part}"))

    def biases_of_heads(self) -> list[nn.Parameter]:
        """The biases of the common, the unique and the fused image's head, (3,) each."""
        weights = dict(self.named_parameters())
        heads = ("decoder_common_projection_layer", "decoder_upper_projection_layer", "fusion_rule")
        return [weights[f"{head}.0.bias"] for head in heads]

    def feature_layers(self) -> Sequence[nn.Module | nn.Parameter]:
        """The heads of the common and the unique images."""
        return self.decoder_common_projection_layer, self.decoder_upper_projection_layer

    def normalisation(self, *, grey: bool = False) -> Normalisation:  # noqa: ARG002
        """Sources and fused images are RGB in [0, 1]."""
        return UNCHANGED

    def forward(self, sources: Sequence[Tensor]) -> FusionOutput:
        """Decomposes two sources and fuses them.

        Args:
            sources: two, (B, 3, H, W) each in [0, 1].

        Returns:
            `fused` (B, 3, H, W), 0 or more, not bounded above; `features` with images of the same shape and range:
            "common", a single one, and "unique", one per source.

        Raises:
            UserError: the number of sources is not two.
        """
        embeddings = self._decompose(sources)
        common, *unique = self._draw(embeddings)
        images = {"common": (common,), "unique": tuple(unique)}
        return FusionOutput(self._fuse(embeddings), features=images)

    def _fused(self, sources: Sequence[Tensor]) -> Tensor:
        return self._fuse(self._decompose(sources))

    def _draw_parts(self, sources: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return self._draw(self._decompose(sources))

    def _decompose(self, sources: Sequence[Tensor]) -> _Embeddings:
        if len(sources) != 2:
            raise UserError(f"{len(sources)} sources: DeFusion fuses two")
        size = sources[0].shape[-2:]
        levels = [self._encode(source) for source in sources]
        of_both = [torch.cat(maps, dim=1) for maps in zip(*levels, strict=True)]
        code = self.common_encoder(of_both[0])
        return _Embeddings(
            self._decode("common", code, of_both, size),
            tuple(self._decode("upper", code, of_one, size) for of_one in levels),
        )

    def _encode(self, source: Tensor) -> list[Tensor]:
        """(B, 3, H, W) → (B, 256, H/8, W/8), (B, 128, H/4, W/4), (B, 64, H/2, W/2)."""
        halved = functional.max_pool2d(self.encoder_upper(source), 3, stride=2, padding=1)
        level1 = self.upper_encoder_layer1(halved)
        level2 = self.upper_encoder_layer2(level1)
        return [self.upper_encoder_layer3(level2), level2, level1]

    def _decode(self, decoder: str, code: Tensor, levels: Sequence[Tensor], size: Sequence[int]) -> Tensor:
        """Decodes the code (B, 1024, H/8, W/8) and the maps of each level, deepest first: (B, 16, H, W)."""
        layers = [getattr(self, f"decoder_{decoder}_layer{number}") for number in (1, 2, 3, 4)]
        maps = layers[0](torch.cat((code, levels[0]), dim=1))
        for layer, skip in zip(layers[1:3], levels[1:], strict=True):
            maps = layer(torch.cat((_enlarged(maps, skip.shape[-2:]), skip), dim=1))
        embedding: Tensor = layers[3](_enlarged(maps, size))
        return embedding

    def _draw(self, embeddings: _Embeddings) -> tuple[Tensor, ...]:
        """The common image and the unique ones, (B, 3, H, W) each."""
        own = self.common_head == "own"
        common_head = self.decoder_common_projection_layer if own else self.decoder_upper_projection_layer
        unique = (self.decoder_upper_projection_layer(embedding) for embedding in embeddings.unique)
        return (common_head(embeddings.common), *unique)

    def _fuse(self, embeddings: _Embeddings) -> Tensor:
        """The fused image (B, 3, H, W)."""
        fused: Tensor = self.fusion_rule(embeddings.common + embeddings.unique[0] + embeddings.unique[1])
        return fused

    @classmethod
    def options_from_state(cls, state: Mapping[str, Tensor]) -> dict[str, object]:
        """Returns the depth."""
        if "decoder_common_layer1.layer.0.conv1.weight" not in state:
            return {}
        return {"depth": "trainer" if "decoder_common_layer1.layer.2.conv1.weight" in state else "tester"}


class _Embeddings(NamedTuple):
    """The embeddings that two sources are decomposed into, (B, 16, H, W) each."""

    common: Tensor
    unique: tuple[Tensor, ...]


def _head() -> nn.Sequential:
    """An embedding (B, 16, H, W) → an image (B, 3, H, W), 0 or more."""
    return nn.Sequential(nn.Conv2d(16, 3, 3, padding=1), nn.ReLU())


def _enlarged(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Doubles the size of (B, C, h, w) bilinearly; then, where `size` is odd, resizes to it by nearest neighbours."""
    doubled = functional.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)
    return doubled if doubled.shape[-2:] == tuple(size) else functional.interpolate(doubled, size=tuple(size))
