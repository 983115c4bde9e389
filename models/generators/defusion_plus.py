"""DeFusion++'s generator: decomposes the tokens of two sources into common and unique ones, and fuses these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.generators.base import IMAGENET, UNCHANGED, FusionOutput, Normalisation
from models.generators.decomposing import DecomposingGenerator
from models.layers.vision_transformer import (
    PATCH,
    SIDE,
    CrossAttentionBlock,
    TransformerBlock,
    VisionTransformer,
    resized_positions,
    sincos_positions,
)
from options.networks import DeFusionPlusOptions
from util.errors import UserError

DIM = 192
DEPTH = 12
HEADS_OF_ENCODER = 6
HEADS = 16  # of all other blocks, but the encoder's last
HEADS_OF_LAST = 12
DROP_PATH = 0.1
VISIBLE = 0.25


class DeFusionPlusGenerator(DecomposingGenerator):
    """Fusion from decomposition by transformers (Liang et al., arXiv 2410.12274), first stage.

    One encoder, ViT-Tiny/16, for both sources returns a code, and a skip of its first tokens. Cross-attention computes
    the common tokens from both codes, and the unique ones of each; a second set of these layers does the same with the
    skips. Each part is decoded to an image. The fused image is decoded from the unique tokens' cross-attention to the
    common ones; `forward` also rebuilds it, with the same layers, from a quarter of the tokens (masked modelling).
    13,496,448 parameters including the fixed position embeddings and the encoder's last norm, which is unused.

    Args:
        options: see there; in training, `common_order` is drawn at random.

    Example:
        >>> from models import create_generator
        >>> net = create_generator("DeFusionPlus").eval()
        >>> sources = [torch.rand(1, 3, 30, 41) for _ in range(2)]
        >>> net.fuse(sources).shape
        torch.Size([1, 3, 30, 41])
        >>> list(net.decompose(sources))
        ['common', 'unique 1', 'unique 2']
    """

    size_divisor = PATCH
    reach = SIDE * PATCH // 2  # attention covers the whole image; in training, images have this half side

    def __init__(self, options: DeFusionPlusOptions) -> None:
        super().__init__()
        self.common_order, self.pad = options.common_order, options.pad
        self.encoder = _Encoder()
        self.enc_norm1, self.enc_norm2 = nn.LayerNorm(DIM), nn.LayerNorm(DIM)

        self.decoder_common_blocks = _decoder()
        self.decode_common_skipconn = CrossAttentionBlock(DIM, HEADS)
        self.decoder_unique_blocks = _decoder()
        self.decoder_unique_residual = TransformerBlock(DIM, HEADS)
        self.decoder_unique_skipconn = CrossAttentionBlock(DIM, HEADS)
        self.decoder_unique_residual_skipconn = TransformerBlock(DIM, HEADS)
        self.decoder_fuse_blocks = _decoder()
        self.decoder_fuse_skipconn = CrossAttentionBlock(DIM, HEADS)
        self.recon_blocks_mim_encoder = nn.Sequential(*(TransformerBlock(DIM, HEADS) for _ in range(2)))

        self.mask_token = nn.Parameter(0.02 * torch.randn(1, 1, DIM))
        self.decoder_pos_embed = nn.Parameter(sincos_positions(DIM, SIDE, SIDE), requires_grad=False)
        self.mim_decoder_blocks = nn.Sequential(*(TransformerBlock(DIM, HEADS) for _ in range(2)))
        self.mim_decoder_norm = nn.LayerNorm(DIM)
        self.mim_decoder_pred = _to_patches()

    def feature_layers(self) -> Sequence[nn.Module | nn.Parameter]:
        """The decoders of the common and the unique images, and the layers of masked feature modelling."""
        decoders = self.decoder_common_blocks[1:], self.decoder_unique_blocks[1:]
        return *decoders, self.mask_token, self.mim_decoder_blocks, self.mim_decoder_norm, self.mim_decoder_pred

    def normalisation(self, *, grey: bool = False) -> Normalisation:  # noqa: ARG002
        """Sources and fused images are RGB in [0, 1]; the encoder applies the statistics of ImageNet itself."""
        return UNCHANGED

    def forward(self, sources: Sequence[Tensor]) -> FusionOutput:
        """Decomposes two sources, fuses them, and rebuilds the fused image from a quarter of the tokens.

        Which tokens, and in training `common_order`, is drawn from torch's global generator.

        Args:
            sources: two, (B, 3, H, W) each in [0, 1], H and W multiples of 16.

        Returns:
            `fused` (B, 3, H, W), not bounded; `features` with images of the same shape: "common", a single one,
            "unique", one per source, and "rebuilt", a single one.

        Raises:
            UserError: the number of sources is not two.
        """
        main, skip = self._decompose(sources)
        grid = _grid(sources)
        common, *unique = self._draw(main, skip, grid)
        images = {"common": (common,), "unique": tuple(unique), "rebuilt": (self._rebuild(main, skip, grid),)}
        return FusionOutput(self._fuse(main, skip, grid), features=images)

    def _fused(self, sources: Sequence[Tensor]) -> Tensor:
        return self._fuse(*self._decompose(sources), _grid(sources))

    def tokens(self, sources: Sequence[Tensor]) -> Tokens:
        """Decomposes two sources without decoding images; in training `common_order` is drawn as in `forward`.

        Args:
            sources: two, (B, 3, H, W) each in [0, 1], H and W multiples of 16.

        Returns:
            Common and unique tokens, (B, 1 + H / 16 · W / 16, 192) each.

        Raises:
            UserError: the number of sources is not two.
        """
        codes, skips = self._encode(sources)
        swapped = self._draw_order(codes[0].device)
        main, skip = self._parts(codes, skips, swapped)
        of_codes, of_skips = self.decoder_common_blocks[0], self.decode_common_skipconn
        reverse = _shared(codes, ~swapped, of_codes) + _shared(skips, ~swapped, of_skips)
        unique = tuple(code + skipped for code, skipped in zip(main.unique, skip.unique, strict=True))
        return Tokens(main.common + skip.common, reverse, unique)

    def _draw_parts(self, sources: Sequence[Tensor]) -> tuple[Tensor, ...]:
        return self._draw(*self._decompose(sources), _grid(sources))

    def _decompose(self, sources: Sequence[Tensor]) -> tuple[_Parts, _Parts]:
        """The parts of the codes, and those of the skips."""
        codes, skips = self._encode(sources)
        return self._parts(codes, skips, self._draw_order(codes[0].device))

    def _encode(self, sources: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """The sources' codes and skips, (B, T, 192) each."""
        if len(sources) != 2:
            raise UserError(f"{len(sources)} sources: DeFusionPlus fuses two")
        encoded = [self.encoder(IMAGENET.apply(source)) for source in sources]
        codes = [tokens.code for tokens in encoded]
        skips = [self.enc_norm1(tokens.embedding) + self.enc_norm2(tokens.first) for tokens in encoded]
        return codes, skips

    def _parts(self, codes: Sequence[Tensor], skips: Sequence[Tensor], swapped: Tensor) -> tuple[_Parts, _Parts]:
        """Decomposes the codes and the skips, each by their own set of layers."""
        common, unique = self.decoder_common_blocks[0], self.decoder_unique_blocks[0]
        common_skip, unique_skip = self.decode_common_skipconn, self.decoder_unique_skipconn
        main = _decompose(codes, swapped, common, unique, self.decoder_unique_residual)
        return main, _decompose(skips, swapped, common_skip, unique_skip, self.decoder_unique_residual_skipconn)

    def _draw_order(self, device: torch.device) -> Tensor:
        """Whether the query is the first source; a 0-d tensor, so that compiled networks draw it anew each time."""
        if self.training:
            return torch.rand((), device=device) < 0.5
        return torch.full((), self.common_order == "ba", device=device)

    def _fuse_tokens(self, main: _Parts, skip: _Parts) -> Tensor:
        """The fused tokens (B, T, 192): z + two blocks(z), z the sum of the unique parts' attention to the common."""
        both = (main, self.decoder_fuse_blocks[0]), (skip, self.decoder_fuse_skipconn)
        attended = [block(own, parts.common, parts.common) for parts, block in both for own in parts.unique]
        z = torch.stack(attended).sum(0)
        fused: Tensor = z + self.recon_blocks_mim_encoder(z)
        return fused

    def _draw(self, main: _Parts, skip: _Parts, grid: Sequence[int]) -> tuple[Tensor, ...]:
        """The common image and the unique ones, (B, 3, H, W) each."""
        _, common_block, common_head = self.decoder_common_blocks
        _, unique_block, unique_head = self.decoder_unique_blocks
        uniques = zip(main.unique, skip.unique, strict=True)
        return (
            _image(common_head(common_block(main.common + skip.common)), grid),
            *(_image(unique_head(unique_block(own + twin)), grid) for own, twin in uniques),
        )

    def _fuse(self, main: _Parts, skip: _Parts, grid: Sequence[int]) -> Tensor:
        """The fused image (B, 3, H, W)."""
        _, block, head = self.decoder_fuse_blocks
        return _image(head(block(self._fuse_tokens(main, skip))), grid)

    def _rebuild(self, main: _Parts, skip: _Parts, grid: Sequence[int]) -> Tensor:
        """Masked feature modelling: the image (B, 3, H, W) from a quarter of the tokens of all parts."""
        kept = _draw_kept(len(main.common), grid[0] * grid[1], main.common.device)
        visible = self._fuse_tokens(main.at(kept), skip.at(kept))
        masked = self.mask_token.to(visible.dtype).expand_as(main.common)
        tokens = masked.scatter(1, kept[..., None].expand_as(visible), visible)
        tokens = self.mim_decoder_blocks(tokens + resized_positions(self.decoder_pos_embed, SIDE, grid[0], grid[1]))
        return _image(self.mim_decoder_pred(self.mim_decoder_norm(tokens)), grid)


class Tokens(NamedTuple):
    """The tokens that two sources are decomposed into, codes and skips added, (B, 1 + T, 192) each.

    Attributes:
        common: what the sources share.
        reverse: the same, with the other source as the query.
        unique: what each has alone.
    """

    common: Tensor
    reverse: Tensor
    unique: tuple[Tensor, ...]


class _Parts(NamedTuple):
    """The parts that the tokens of two sources are decomposed into, (B, T, 192) each."""

    common: Tensor
    unique: tuple[Tensor, ...]

    def at(self, places: Tensor) -> _Parts:
        """The tokens at places (B, K), (B, K, 192) each."""
        index = places[..., None].expand(-1, -1, self.common.shape[-1])
        return _Parts(self.common.gather(1, index), tuple(own.gather(1, index) for own in self.unique))


class _Encoded(NamedTuple):
    """The tokens of a source (B, T, 192): before the first block, after it, after the last."""

    embedding: Tensor
    first: Tensor
    code: Tensor


class _Encoder(VisionTransformer):
    """ViT-Tiny/16: an image (B, 3, H, W) → tokens (B, 1 + H / 16 · W / 16, 192)."""

    def __init__(self) -> None:
        heads = [HEADS_OF_ENCODER] * (DEPTH - 1) + [HEADS_OF_LAST]
        super().__init__(DIM, heads, drop_path=DROP_PATH)
        self.norm.requires_grad_(False)  # unused, but part of published files

    def forward(self, image: Tensor) -> _Encoded:
        embedding = self.embed(image)
        first = code = self.blocks[0](embedding)
        for block in self.blocks[1:]:
            code = block(code)
        return _Encoded(embedding, first, code)


def _decompose(
    tokens: Sequence[Tensor],
    swapped: Tensor,
    common_cross: nn.Module,
    unique_cross: nn.Module,
    residual: nn.Module,
) -> _Parts:
    """Two sources' tokens (B, T, 192) → common and unique ones."""
    a, b = tokens
    unique = tuple(unique_cross(own, other, other) + residual(own) for own, other in ((a, b), (b, a)))
    return _Parts(_shared(tokens, swapped, common_cross), unique)


def _shared(tokens: Sequence[Tensor], swapped: Tensor, cross: nn.Module) -> Tensor:
    """The common tokens (B, T, 192): the query is the second source, or with `swapped` the first."""
    a, b = tokens
    value, query = torch.where(swapped, b, a), torch.where(swapped, a, b)
    shared: Tensor = cross(query, query, value)
    return shared


def _decoder() -> nn.ModuleList:
    """Cross-attention, a transformer block, and a linear layer to the pixels of each patch."""
    return nn.ModuleList((CrossAttentionBlock(DIM, HEADS), TransformerBlock(DIM, HEADS), _to_patches()))


def _to_patches() -> nn.Linear:
    return nn.Linear(DIM, 3 * PATCH**2)


def _grid(sources: Sequence[Tensor]) -> list[int]:
    """Rows and columns of patches."""
    return [side // PATCH for side in sources[0].shape[-2:]]


def _image(tokens: Tensor, grid: Sequence[int]) -> Tensor:
    """The pixels of each patch, (B, 1 + T, 768) with interleaved RGB → an image (B, 3, H, W)."""
    patches = tokens[:, 1:].unflatten(-1, (PATCH, PATCH, 3)).unflatten(1, tuple(grid))  # (B, rows, columns, 16, 16, 3)
    return patches.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)


def _draw_kept(batch: int, patches: int, device: torch.device) -> Tensor:
    """Draws the indices of the visible tokens: the class token, 0, and a quarter of the patches, (B, 1 + K)."""
    drawn = torch.rand(batch, patches, device=device).argsort(1)[:, : max(int(VISIBLE * patches), 1)] + 1
    return torch.cat((drawn.new_zeros(batch, 1), drawn), dim=1)
