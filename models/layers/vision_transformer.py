"""Blocks of a vision transformer (Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021) and of its decoders.

Tokens are (B, T, C). Attention does not store its T x T weights where torch has a memory-efficient kernel, which is
always so in evaluation; on a CPU there is none with dropout, so that cross-attention stores them in training.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

MLP_RATIO = 4
PATCH = 16
SIDE = 14  # of the grid of patches that position embeddings are made for: images of 224 x 224


class VisionTransformer(nn.Module):
    """The layers of an encoder of 16 x 16 patches with a class token, under the usual names; norms have eps 1e-6.

    Args:
        dim: C.
        heads: of each block's attention.
        drop_path: of the last block; it grows linearly from 0 at the first.

    Example:
        >>> VisionTransformer(8, heads=[2]).embed(torch.rand(1, 3, 32, 48)).shape  # 1 + 2 · 3 tokens
        torch.Size([1, 7, 8])
    """

    def __init__(self, dim: int, heads: Sequence[int], *, drop_path: float = 0.0) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(0.02 * torch.randn(1, 1, dim))
        self.pos_embed = nn.Parameter(sincos_positions(dim, SIDE, SIDE), requires_grad=False)
        self.patch_embed = nn.Sequential(OrderedDict(proj=nn.Conv2d(3, dim, PATCH, stride=PATCH)))
        drops = [drop_path * number / max(len(heads) - 1, 1) for number in range(len(heads))]
        self.blocks = nn.ModuleList(
            TransformerBlock(dim, number, eps=1e-6, drop_path=drop) for number, drop in zip(heads, drops, strict=True)
        )
        self.norm = nn.LayerNorm(dim, eps=1e-6)

    def embed(self, image: Tensor) -> Tensor:
        """Embeds patches, with a class token and positions: (B, 3, H, W) → (B, 1 + H / 16 · W / 16, C)."""
        maps = self.patch_embed(image)
        patches = maps.flatten(2).transpose(1, 2)
        tokens = torch.cat((self.cls_token.expand(len(patches), -1, -1), patches), dim=1)
        return tokens + resized_positions(self.pos_embed, SIDE, maps.shape[-2], maps.shape[-1])


class TransformerBlock(nn.Module):
    """x + attention(norm(x)), then x + MLP(norm(x)): (B, T, C) → the same shape.

    Args:
        dim: C.
        heads: of the attention; a divisor of C.
        eps: of both layer norms.
        drop_path: the probability, in training, that a sample skips the attention, and that it skips the MLP.

    Example:
        >>> TransformerBlock(8, heads=2)(torch.rand(1, 5, 8)).shape
        torch.Size([1, 5, 8])
    """

    def __init__(self, dim: int, heads: int, *, eps: float = 1e-5, drop_path: float = 0.0) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=eps)
        self.attn = SelfAttention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=eps)
        layers = OrderedDict(fc1=nn.Linear(dim, MLP_RATIO * dim), act=nn.GELU(), fc2=nn.Linear(MLP_RATIO * dim, dim))
        self.mlp = nn.Sequential(layers)
        self.drop_path = DropPath(drop_path)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, C) → the same shape."""
        tokens = tokens + self.drop_path(self.attn(self.norm1(tokens)))
        result: Tensor = tokens + self.drop_path(self.mlp(self.norm2(tokens)))
        return result


class SelfAttention(nn.Module):
    """Multi-head self-attention: (B, T, C) → the same shape."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, C) → the same shape."""
        query, key, value = self.qkv(tokens).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(query, key, value)  # (B, heads, T, C / heads)
        result: Tensor = self.proj(attended.transpose(1, 2).flatten(2))
        return result


class DropPath(nn.Dropout):
    """Zeroes whole samples in training and scales up the others (Huang et al., "Stochastic Depth", ECCV 2016)."""

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, C) → the same shape."""
        if not self.training or self.p == 0:
            return tokens
        return tokens * functional.dropout(tokens.new_ones(len(tokens), 1, 1), self.p)


class CrossAttentionBlock(nn.Module):
    """norm(query + cross-attention), then norm(x + feed-forward(x)).

    As in the decoder of Vaswani et al., "Attention Is All You Need", 2017, with an additional linear layer before each
    input of the attention.

    Args:
        dim: C.
        heads: of the attention; a divisor of C.
        dropout: the probability, in training, of dropping an attention weight or an output of a layer.

    Example:
        >>> block = CrossAttentionBlock(8, heads=2)
        >>> query, others = torch.rand(1, 5, 8), torch.rand(1, 7, 8)
        >>> block(query, others, others).shape
        torch.Size([1, 5, 8])
    """

    def __init__(self, dim: int, heads: int, *, dropout: float = 0.1) -> None:
        super().__init__()
        self.multi_input_self_attn = _ProjectedAttention(dim, heads, dropout)
        self.linear1 = nn.Linear(dim, MLP_RATIO * dim)
        self.linear2 = nn.Linear(MLP_RATIO * dim, dim)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attention of `query` (B, T, C) to `key` and `value`, (B, S, C) each → (B, T, C)."""
        drop = self.dropout
        tokens = self.norm1(query + drop(self.multi_input_self_attn(query, key, value)))
        inner = drop(self.linear1(tokens).relu())
        result: Tensor = self.norm2(tokens + drop(self.linear2(inner)))
        return result


class _ProjectedAttention(nn.Module):
    """A linear layer for each input, then multi-head attention, which has another one for each."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(dim, dim) for _ in range(3))
        self.multihead_attn = nn.MultiheadAttention(dim, heads, dropout, batch_first=True)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        inputs = self.query(query), self.key(key), self.value(value)
        attended: Tensor = self.multihead_attn(*inputs, need_weights=False)[0]
        return attended


def sincos_positions(dim: int, rows: int, columns: int) -> Tensor:
    """Position embeddings of a grid of tokens: (1, 1 + rows · columns, dim), the first of a class token all zeros.

    Half of the channels encode the column, the other half the row: the sines, then the cosines, of the position times
    10000^(-4k / dim), for k from 0 to dim / 4 - 1.

    Example:
        >>> sincos_positions(4, 1, 2)  # a class token, (0, 0) and (row 0, column 1)
        tensor([[[0.0000, 0.0000, 0.0000, 0.0000],
                 [0.0000, 1.0000, 0.0000, 1.0000],
                 [0.8415, 0.5403, 0.0000, 1.0000]]])
    """
    rates = 10000.0 ** (-torch.arange(dim // 4, dtype=torch.float64) / (dim // 4))

    def waves(places: int) -> Tensor:
        angles = torch.arange(places, dtype=torch.float64)[:, None] * rates
        return torch.cat((angles.sin(), angles.cos()), dim=1)

    of_column = waves(columns)[None].expand(rows, -1, -1)
    of_row = waves(rows)[:, None].expand(-1, columns, -1)
    table = torch.cat((of_column, of_row), dim=2).flatten(0, 1)
    return functional.pad(table, (0, 0, 1, 0))[None].float()


def resized_positions(table: Tensor, side: int, rows: int, columns: int) -> Tensor:
    """Resizes position embeddings bicubically: a square's (1, 1 + side², C) → a grid's (1, 1 + rows · columns, C)."""
    if (rows, columns) == (side, side):
        return table
    grid = table[:, 1:].unflatten(1, (side, side)).movedim(-1, 1)
    resized = functional.interpolate(grid, (rows, columns), mode="bicubic", align_corners=False)
    return torch.cat((table[:, :1], resized.flatten(2).transpose(1, 2)), dim=1)
