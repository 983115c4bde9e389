"""Gradients of our own losses and layers against finite differences, in float64 (`torch.autograd.gradcheck`)."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest
import torch
import torchvision
from torch import nn
from torch.autograd import gradcheck
from torch.func import functional_call

import models.layers
from models.layers import source_fusion
from models.layers.coupling import AffineCoupling, InverseAffineCoupling, InvertedBottleneck
from models.layers.gradient_dense import GradientDenseBlock
from models.layers.graph_fusion import GraphFusion
from models.layers.resnet import ResidualBlock
from models.layers.source_fusion import RunningBlend, RunningFusion
from models.layers.split_attention import SplitAttention, SplitAttentionLayer
from models.layers.transposed_attention import (
    ChannelNorm,
    CrossTransposedAttention,
    DenseTransposedAttention,
    LocalFeedForward,
    PointwiseFeedForward,
    PreNormBlock,
    TransposedAttention,
)
from models.layers.vision_transformer import (
    CrossAttentionBlock,
    DropPath,
    SelfAttention,
    TransformerBlock,
    VisionTransformer,
    resized_positions,
)
from models.losses.gan import gradient_penalty
from models.losses.perceptual import PerceptualLoss
from models.losses.smfnet import decomposition_term
from options.networks import GSGIF_FUSIONS
from tests.models.losses import FEATURES, LOSSES, TOKENS, terms_of

MAPS, HALF = (2, 4, 5, 6), (2, 2, 5, 6)


def numbers(*shapes, seed=0):
    """Tensors of float64 in [0, 1)."""
    generator = torch.Generator().manual_seed(seed)
    drawn = [torch.rand(shape, generator=generator, dtype=torch.float64) for shape in shapes]
    return tuple(tensor.requires_grad_() for tensor in drawn)


class Embedding(VisionTransformer):
    """The tokens of an image, whose grid is not the one that the table of positions is for."""

    def __init__(self):
        super().__init__(4, [2])

    def forward(self, image):
        return self.embed(image)


LAYERS = {
    "InvertedBottleneck": (lambda: InvertedBottleneck(4), [MAPS]),
    "AffineCoupling": (lambda: AffineCoupling(4), [HALF, HALF]),
    "InverseAffineCoupling": (lambda: InverseAffineCoupling(4), [MAPS]),
    "GradientDenseBlock": (lambda: GradientDenseBlock(4), [MAPS]),
    "GraphFusion": (lambda: GraphFusion(4), [MAPS, MAPS]),
    "ResidualBlock": (lambda: ResidualBlock(4, "batch", dropout=False), [MAPS]),
    "SplitAttention": (lambda: SplitAttention(4), [MAPS]),
    "SplitAttentionLayer": (lambda: SplitAttentionLayer(4, 2, 2, pool_stride=2, pooled_shortcut=True), [MAPS]),
    "ChannelNorm": (lambda: ChannelNorm(4), [MAPS]),
    "TransposedAttention": (lambda: TransposedAttention(4, 2), [MAPS]),
    "DenseTransposedAttention": (lambda: DenseTransposedAttention(4, 2), [MAPS]),
    "CrossTransposedAttention": (lambda: CrossTransposedAttention(4, 2), [MAPS, MAPS]),
    "LocalFeedForward": (lambda: LocalFeedForward(4), [MAPS]),
    "PointwiseFeedForward": (lambda: PointwiseFeedForward(4), [MAPS]),
    "PreNormBlock": (lambda: PreNormBlock(4, TransposedAttention(4, 2), PointwiseFeedForward(4)), [MAPS]),
    "SelfAttention": (lambda: SelfAttention(4, 2), [TOKENS]),
    "TransformerBlock": (lambda: TransformerBlock(4, 2, drop_path=0.5), [TOKENS]),
    "DropPath": (lambda: DropPath(0.5), [TOKENS]),
    "CrossAttentionBlock": (lambda: CrossAttentionBlock(4, 2), [TOKENS, TOKENS, TOKENS]),
    "VisionTransformer": (Embedding, [(1, 3, 16, 32)]),
}


def test_every_layer_has_its_gradient_checked():
    modules = [importlib.import_module(f"models.layers.{m.name}") for m in pkgutil.iter_modules(models.layers.__path__)]
    found = {
        name
        for module in modules
        for name, cls in inspect.getmembers(module, inspect.isclass)
        if issubclass(cls, nn.Module) and cls.__module__ == module.__name__ and not name.startswith("_")
    }
    assert found == set(LAYERS)


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_in_training_has_the_gradient_of_its_inputs_and_weights(name):
    make, shapes = LAYERS[name]
    torch.manual_seed(0)
    layer = make().double().train()
    weights = {key: weight for key, weight in layer.named_parameters() if weight.requires_grad}
    for weight in weights.values():
        nn.init.uniform_(weight, -0.7, 0.7)  # nothing that begins at 0, such as γ of graphs, hides what comes before it
    inputs = numbers(*shapes)

    def call(*tensors):
        torch.manual_seed(1)  # what is dropped
        given, replaced = tensors[: len(inputs)], tensors[len(inputs) :]
        return functional_call(layer, dict(zip(weights, replaced, strict=True)), given)

    assert gradcheck(call, (*inputs, *weights.values()), fast_mode=True)


@pytest.mark.parametrize("rule", GSGIF_FUSIONS)
def test_fusing_maps_has_its_gradient(rule):
    def fused(*sources):
        fusion = RunningFusion(rule)
        for maps in sources:
            fusion.add(maps - 0.5)
        return fusion.result()

    assert gradcheck(fused, numbers((1, 2, 4, 5), (1, 2, 4, 5), (1, 2, 4, 5)))


def test_blending_bands_has_its_gradient():
    def blended(a, b, logits_a, logits_b):
        blend = RunningBlend()
        blend.add(a, logits_a)
        blend.add(b, logits_b)
        return blend.result()

    image, logits = (1, 2, 5, 6), (1, source_fusion.BANDS, 5, 6)
    assert gradcheck(blended, numbers(image, image, logits, logits), fast_mode=True)


def test_stretching_positions_has_its_gradient():
    assert gradcheck(lambda table: resized_positions(table, 3, 4, 5), numbers((1, 10, 2)))


def test_the_gradient_penalty_has_a_gradient_for_the_discriminator_alone():
    torch.manual_seed(0)
    discriminator = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Conv2d(3, 1, 1)).double()
    weights = dict(discriminator.named_parameters())
    real, fake = numbers((2, 2, 4, 4), (2, 2, 4, 4))

    def penalty(*replaced):
        torch.manual_seed(1)  # where between real and fake
        replacing = dict(zip(weights, replaced, strict=True))
        return gradient_penalty(lambda images: functional_call(discriminator, replacing, images), real, fake)

    assert gradcheck(penalty, tuple(weights.values()))
    penalty(*weights.values()).backward()
    assert real.grad is None
    assert fake.grad is None


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_has_its_gradient(name):
    assert gradcheck(lambda *tensors: terms_of(name, tensors), numbers(*LOSSES[name][1]), fast_mode=True)


def test_the_perceptual_loss_has_its_gradient():
    torch.manual_seed(0)
    weights = torchvision.models.resnet18(weights=None).state_dict()
    loss = PerceptualLoss("resnet18", weights, "random weights").double()
    (target,) = numbers((1, 3, 32, 32), seed=1)
    assert gradcheck(lambda fused: loss(fused, target), numbers((1, 3, 32, 32)), fast_mode=True)
    loss(*numbers((1, 3, 32, 32)), target).backward()
    assert target.grad is None


def test_the_published_correlation_is_a_number_without_a_gradient():
    base, detail = numbers(FEATURES, FEATURES), numbers(FEATURES, FEATURES, seed=1)
    published = decomposition_term({"base": base, "detail": detail}, ["detail"], form="published")
    assert published > 0
    assert not published.requires_grad
