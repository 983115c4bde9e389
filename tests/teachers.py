"""Weights of masked autoencoders' encoders that tests make for themselves."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

DIM, PATCHES = 768, 14 * 14


def teacher_weights(seed: int, depth: int = 12) -> dict[str, Tensor]:
    """A state dict of a ViT-B/16 in the published layout.

    Rows of a matrix overlap in memory, so that the file of 86 million random weights is small.
    """
    generator = torch.Generator().manual_seed(seed)

    def matrix(rows: int, columns: int) -> Tensor:
        return (0.04 * torch.randn(3 * rows + columns, generator=generator)).as_strided((rows, columns), (3, 1))

    def layer(name: str, rows: int, columns: int) -> dict[str, Tensor]:
        return {f"{name}.weight": matrix(rows, columns), f"{name}.bias": matrix(1, rows)[0]}

    def norm(name: str) -> dict[str, Tensor]:
        return {f"{name}.weight": 1 + matrix(1, DIM)[0], f"{name}.bias": matrix(1, DIM)[0]}

    state = {"cls_token": matrix(1, DIM)[None], "pos_embed": matrix(1 + PATCHES, DIM)[None]}
    weight = matrix(DIM, 3 * 16 * 16).as_strided((DIM, 3, 16, 16), (3, 256, 16, 1))
    state |= {"patch_embed.proj.weight": weight, "patch_embed.proj.bias": matrix(1, DIM)[0]}
    for number in range(depth):
        block = f"blocks.{number}"
        state |= norm(f"{block}.norm1") | layer(f"{block}.attn.qkv", 3 * DIM, DIM)
        state |= layer(f"{block}.attn.proj", DIM, DIM) | norm(f"{block}.norm2")
        state |= layer(f"{block}.mlp.fc1", 4 * DIM, DIM) | layer(f"{block}.mlp.fc2", DIM, 4 * DIM)
    return state | norm("norm")


def write_teacher(path: Path, seed: int, depth: int = 12) -> Path:
    """Writes such weights as they are published, {"model": …}, and returns the file."""
    torch.save({"model": teacher_weights(seed, depth)}, path)
    return path
