"""Frozen encoders of masked autoencoders, whose latents a network learns to predict."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from models.generators.base import IMAGENET
from models.layers.vision_transformer import VisionTransformer
from models.weights import checked_state, load_weights
from util.errors import UserError
from util.safe_load import load_file

DIM = 768
DEPTH = 12
HEADS = 12
_OF_DECODER = ("decoder_", "mask_token")  # part of the files of a whole masked autoencoder


class Teacher(VisionTransformer):
    """ViT-B/16 as a masked autoencoder's encoder (He et al., CVPR 2022), frozen, without masking.

    Example:
        >>> with torch.device("meta"):  # the shape alone, without 86 million weights
        ...     latents = Teacher()(torch.rand(2, 3, 32, 48))
        >>> latents.shape
        torch.Size([2, 7, 768])
    """

    def __init__(self) -> None:
        super().__init__(DIM, [HEADS] * DEPTH)
        self.requires_grad_(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) in [0, 1], H and W multiples of 16 → latents (B, 1 + H / 16 · W / 16, 768)."""
        tokens = self.embed(IMAGENET.apply(images))
        for block in self.blocks:
            tokens = block(tokens)
        latents: Tensor = self.norm(tokens)
        return latents


def read_teacher(file: str, option: str) -> Teacher:
    """Reads a teacher from a file of a masked autoencoder: its state dict, bare or as {"model": …}.

    Args:
        file: its path.
        option: the command-line option that named it, for messages.

    Raises:
        UserError: the file cannot be opened safely, or holds no ViT-B/16.
    """
    source = f"--{option} {file}"
    try:
        content = load_file(Path(file))
    except UserError as error:
        # Those of MAE's own training hold its arguments beside the weights, an object and not a plain value.
        hint = 'of a checkpoint that a training wrote, save checkpoint["model"] alone'
        raise UserError(f"--{option} {error}; {hint}") from error
    inner = content.get("model")
    state = checked_state(inner if isinstance(inner, Mapping) else content, source)
    encoder = {name: tensor for name, tensor in state.items() if not name.startswith(_OF_DECODER)}
    with torch.device("meta"):  # initial weights would cost seconds, and draw from the training's random numbers
        teacher = Teacher()
    teacher.to_empty(device="cpu")
    try:
        load_weights(teacher, encoder, source)
    except UserError as error:
        raise UserError(f"{error}; expected the encoder of a masked autoencoder, ViT-B/16") from error
    return teacher
