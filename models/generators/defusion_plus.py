"""DeFusion++'s generator: the tokens of two sources are taken apart into what they share and what each has alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.generators.base import IMAGENET, FusionOutput, Normalisation
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
from util.errors import UserError
from util.suggest import check_choice

COMMON_ORDERS = ("ab", "ba")
DIM = 192
DEPTH = 12
HEADS_OF_ENCODER = 6
HEADS = 16  # of all other blocks, but the encoder's last
HEADS_OF_LAST = 12
DROP_PATH = 0.1
VISIBLE = 0.25


class DeFusionPlusGenerator(DecomposingGenerator):
    """Fusion from decomposition by transformers (Liang et al., arXiv 2410.12274), first stage.

    One encoder, ViT-Tiny/16, for both sources gives a code, and a skip of its first tokens. Cross-attention draws from
    both codes what they share, and from each what the other has not; twins of these layers do the same with the skips.
    Each part becomes an image, and all together, asked part by part what the common one holds of it, the fused
    image. The same layers shall rebuild the image from a quarter of the tokens (masked feature modelling).
    13,496,448 parameters with the fixed tables of positions and the encoder's last norm, which nothing is computed
    with.

    Args:
        common_order: in evaluation, the second source asks the first what they share ("ab"), or the reverse ("ba"). In
            training chance decides.
        pad: `fuse` continues images by reflection so far at each side and crops them afterwards, in pixels.
    """

    size_divisor = PATCH
    reach = SIDE * PATCH // 2  # attention looks at the whole image; the networks are trained on so much of it

    def __init__(self, *, common_order: str = "ab", pad: int = 0) -> None:
        super().__init__()
        check_choice("common_order", common_order, COMMON_ORDERS)
        self.common_order, self.pad = common_order, pad
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
        """What draws the common and the unique images, and masked feature modelling."""
        drawing = self.decoder_common_blocks[1:], self.decoder_unique_blocks[1:]
        return *drawing, self.mask_token, self.mim_decoder_blocks, self.mim_decoder_norm, self.mim_decoder_pred

    def normalisation(self, *, grey: bool = False) -> Normalisation:  # noqa: ARG002
        """RGB goes in and comes out in [0, 1]; the statistics of ImageNet are applied inside, to what goes in."""
        return Normalisation((0.0,), (1.0,))

    def forward(self, sources: Sequence[Tensor]) -> FusionOutput:
        """Takes two sources apart, fuses them, and rebuilds the fused image from a quarter of the tokens.

        Which tokens, and in training the order for the common part, is drawn from torch's global generator.

        Args:
            sources: the two, (B, 3, H, W) in [0, 1], H and W multiples of 16.

        Returns:
            `fused` (B, 3, H, W), not bounded; `features`, images of the same kind: "common", a single one of what the
            sources share, "unique", one of what each has alone, and "rebuilt", a single one.

        Raises:
            UserError: not two sources.
        """
        main, skip = self._decompose(sources)
        grid = [side // PATCH for side in sources[0].shape[-2:]]
        common, *unique = self._draw(main, skip, grid)
        images = {"common": (common,), "unique": tuple(unique), "rebuilt": (self._rebuild(main, skip, grid),)}
        return FusionOutput(self._put_together(main, skip, grid), features=images)

    def _fused(self, sources: Sequence[Tensor]) -> Tensor:
        grid = [side // PATCH for side in sources[0].shape[-2:]]
        return self._put_together(*self._decompose(sources), grid)

    def tokens(self, sources: Sequence[Tensor]) -> Tokens:
        """Takes two sources apart without drawing images; the order for the common part is drawn as in `forward`.

        Args:
            sources: the two, (B, 3, H, W) in [0, 1], H and W multiples of 16.

        Raises:
            UserError: not two sources.
        """
        codes, skips = self._encode(sources)
        swapped = self._draw_order(codes[0].device)
        main, skip = self._parts(codes, skips, swapped)
        common, twin = self.decoder_common_blocks[0], self.decode_common_skipconn
        reverse = _shared(codes, ~swapped, common) + _shared(skips, ~swapped, twin)
        unique = tuple(own + own_twin for own, own_twin in zip(main.unique, skip.unique, strict=True))
        return Tokens(main.common + skip.common, reverse, unique)

    def _draw_parts(self, sources: Sequence[Tensor]) -> tuple[Tensor, ...]:
        grid = [side // PATCH for side in sources[0].shape[-2:]]
        return self._draw(*self._decompose(sources), grid)

    def _decompose(self, sources: Sequence[Tensor]) -> tuple[_Parts, _Parts]:
        """The parts of the codes, and of the skips."""
        codes, skips = self._encode(sources)
        return self._parts(codes, skips, self._draw_order(codes[0].device))

    def _encode(self, sources: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """The sources' codes, and their skips."""
        if len(sources) != 2:
            raise UserError(f"{len(sources)} sources: DeFusionPlus fuses two")
        encoded = [self.encoder(IMAGENET.apply(source)) for source in sources]
        codes = [tokens.code for tokens in encoded]
        skips = [self.enc_norm1(tokens.embedding) + self.enc_norm2(tokens.first) for tokens in encoded]
        return codes, skips

    def _parts(self, codes: Sequence[Tensor], skips: Sequence[Tensor], swapped: Tensor) -> tuple[_Parts, _Parts]:
        common, unique = self.decoder_common_blocks[0], self.decoder_unique_blocks[0]
        common_twin, unique_twin = self.decode_common_skipconn, self.decoder_unique_skipconn
        main = _take_apart(codes, swapped, common, unique, self.decoder_unique_residual)
        return main, _take_apart(skips, swapped, common_twin, unique_twin, self.decoder_unique_residual_skipconn)

    def _draw_order(self, device: torch.device) -> Tensor:
        """Whether the first source asks the second, not the reverse; a tensor, so that compiled networks draw, too."""
        if self.training:
            return torch.rand((), device=device) < 0.5
        return torch.full((), self.common_order == "ba", device=device)

    def _fuse_tokens(self, main: _Parts, skip: _Parts) -> Tensor:
        """All parts together, (B, T, 192): z + two blocks(z), z what the unique parts find in the common one."""
        both = (main, self.decoder_fuse_blocks[0]), (skip, self.decoder_fuse_skipconn)
        found = [block(own, parts.common, parts.common) for parts, block in both for own in parts.unique]
        z = torch.stack(found).sum(0)
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

    def _put_together(self, main: _Parts, skip: _Parts, grid: Sequence[int]) -> Tensor:
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
    """What two sources are taken apart into, codes and skips added, (B, 1 + T, 192) each.

    Attributes:
        common: what they share.
        reverse: the same, with the other source asking.
        unique: what each has alone.
    """

    common: Tensor
    reverse: Tensor
    unique: tuple[Tensor, ...]


class _Parts(NamedTuple):
    """What the tokens of two sources are taken apart into, (B, T, 192) each."""

    common: Tensor
    unique: tuple[Tensor, ...]

    def at(self, places: Tensor) -> _Parts:
        """The tokens at places (B, K)."""
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
        self.norm.requires_grad_(False)  # in published files, and nothing uses it

    def forward(self, image: Tensor) -> _Encoded:
        embedding = self.embed(image)
        first = code = self.blocks[0](embedding)
        for block in self.blocks[1:]:
            code = block(code)
        return _Encoded(embedding, first, code)


def _take_apart(
    tokens: Sequence[Tensor],
    swapped: Tensor,
    common_cross: nn.Module,
    unique_cross: nn.Module,
    residual: nn.Module,
) -> _Parts:
    """Two sources' tokens → what they share, and what each has beside the other."""
    a, b = tokens
    unique = tuple(unique_cross(own, other, other) + residual(own) for own, other in ((a, b), (b, a)))
    return _Parts(_shared(tokens, swapped, common_cross), unique)


def _shared(tokens: Sequence[Tensor], swapped: Tensor, cross: nn.Module) -> Tensor:
    """What the second source, or with `swapped` the first, draws from the other of what they share."""
    a, b = tokens
    answers, asks = torch.where(swapped, b, a), torch.where(swapped, a, b)
    shared: Tensor = cross(asks, asks, answers)
    return shared


def _decoder() -> nn.ModuleList:
    """Cross-attention, a block behind it, and a linear layer to the pixels of each patch."""
    return nn.ModuleList((CrossAttentionBlock(DIM, HEADS), TransformerBlock(DIM, HEADS), _to_patches()))


def _to_patches() -> nn.Linear:
    return nn.Linear(DIM, 3 * PATCH**2)


def _image(tokens: Tensor, grid: Sequence[int]) -> Tensor:
    """The pixels of each patch, (B, 1 + T, 768), with RGB side by side → an image (B, 3, H, W)."""
    patches = tokens[:, 1:].unflatten(-1, (PATCH, PATCH, 3)).unflatten(1, tuple(grid))  # (B, rows, columns, 16, 16, 3)
    return patches.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)


def _draw_kept(batch: int, patches: int, device: torch.device) -> Tensor:
    """Draws the tokens that are not masked: the class token, 0, and a quarter of the patches', (B, 1 + K)."""
    drawn = torch.rand(batch, patches, device=device).argsort(1)[:, : max(int(VISIBLE * patches), 1)] + 1
    return torch.cat((drawn.new_zeros(batch, 1), drawn), dim=1)
