"""Blocks of a vision transformer (Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021) and of its decoders.

Tokens are (B, T, C). Attention does not hold its T x T weights where torch has a kernel that computes them a part at a
time, as for all fusing; on a CPU it has none that drops weights, so that cross-attention holds them in training.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

MLP_RATIO = 4
PATCH = 16
SIDE = 14  # of the grid of patches that a table of positions is for: images of 224 x 224


class VisionTransformer(nn.Module):
    """What encoders of patches of 16 x 16 with a class token are made of, under the usual names; norms have eps 1e-6.

    Args:
        dim: C.
        heads: of each block's attention.
        drop_path: of the last block; it grows evenly from 0 at the first.
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
        """Patches become tokens that know their place: (B, 3, H, W) → (B, 1 + H / 16 · W / 16, C)."""
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
        drop_path: how often, in training, a sample goes around the attention, and around the MLP.
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
        """Attends, then computes on each token."""
        tokens = tokens + self.drop_path(self.attn(self.norm1(tokens)))
        result: Tensor = tokens + self.drop_path(self.mlp(self.norm2(tokens)))
        return result


class SelfAttention(nn.Module):
    """Attention of tokens to each other: (B, T, C) → the same shape."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor) -> Tensor:
        """Attends."""
        query, key, value = self.qkv(tokens).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(query, key, value)  # (B, heads, T, C / heads)
        result: Tensor = self.proj(attended.transpose(1, 2).flatten(2))
        return result


class DropPath(nn.Dropout):
    """Drops whole samples in training and scales up the others (Huang et al., "Stochastic Depth", ECCV 2016)."""

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, C) → the same shape."""
        if not self.training or self.p == 0:
            return tokens
        return tokens * functional.dropout(tokens.new_ones(len(tokens), 1, 1), self.p)


class CrossAttentionBlock(nn.Module):
    """norm(query + attention), then norm(x + feed-forward(x)): tokens that ask others.

    As in the decoder of Vaswani et al., "Attention Is All You Need", 2017, with a linear layer of its own before each
    input of the attention.

    Args:
        dim: C.
        heads: of the attention; a divisor of C.
        dropout: share of what is dropped in training: of attention's weights and behind each layer.
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
        """Takes from `value` what `query` looks for among `key`; (B, T, C) each, and the result as well."""
        drop = self.dropout
        tokens = self.norm1(query + drop(self.multi_input_self_attn(query, key, value)))
        inner = drop(self.linear1(tokens).relu())
        result: Tensor = self.norm2(tokens + drop(self.linear2(inner)))
        return result


class _ProjectedAttention(nn.Module):
    """A linear layer for each input, then multi-head attention with its own ones."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(dim, dim) for _ in range(3))
        self.multihead_attn = nn.MultiheadAttention(dim, heads, dropout, batch_first=True)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        inputs = self.query(query), self.key(key), self.value(value)
        attended: Tensor = self.multihead_attn(*inputs, need_weights=False)[0]
        return attended


def sincos_positions(dim: int, rows: int, columns: int) -> Tensor:
    """Where each token of a grid stands: (1, 1 + rows · columns, dim), with zeros for a class token before them.

    Half of the channels tell the column, the other half the row: the sines, then the cosines, of the place times
    10000^(-4k / dim), k from 0 to dim / 4.
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
    """Stretches a square table of positions (1, 1 + side², C) to a grid: (1, 1 + rows · columns, C), bicubically."""
    if (rows, columns) == (side, side):
        return table
    grid = table[:, 1:].unflatten(1, (side, side)).movedim(-1, 1)
    resized = functional.interpolate(grid, (rows, columns), mode="bicubic", align_corners=False)
    return torch.cat((table[:, :1], resized.flatten(2).transpose(1, 2)), dim=1)
