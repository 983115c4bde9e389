"""The base of training procedures: they take a batch, compute losses and update networks."""

from __future__ import annotations

import contextlib
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import reduce
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from models.generators.base import Generator, pad_to_multiple
from models.layers.modes import frozen_statistics
from models.schedules import build_scheduler, restore_scheduler
from options.models import ModelOptions
from options.training import TrainingOptions


class Runtime(Protocol):
    """What a procedure needs of devices, processes and precision; `engine.runtime.Runtime` is one."""

    def prepare(self, network: nn.Module, *optimizers: Optimizer, may_compile: bool = True) -> tuple[Any, ...]:
        """Returns the network and its optimisers, on their device, in their precision."""

    def to_device(self, tensor: Tensor) -> Tensor:
        """Returns the tensor on the device of this process."""

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which a network that was not prepared computes in the chosen precision."""

    def backward(self, loss: Tensor) -> None:
        """Computes gradients."""

    def accumulating(self, network: Any) -> AbstractContextManager[Any]:
        """The context of a pass whose gradients are only a part of the step's."""


class BaseModel(ABC):
    """Base of all training procedures.

    A procedure implements `forward` and `optimize_parameters`, which `train_on` calls after `set_input` for each batch;
    one that trains more than the generator overrides `build_networks`. It keeps its newest losses in `losses` and its
    newest images in `visuals`, which are recorded and shown. `models/template_model.py` is one to start from.

    Images come in as float tensors in [0, 1]; `to_range` and `from_range` convert to and from the generator's
    `normalisation`.

    Args:
        runtime: devices, processes and precision.
        netG: the generator.
        netD: the discriminator; None where the `trains_discriminator` of the options is False.
        training: how networks are updated.
        options: those of the procedure alone.

    Attributes:
        losses: name → newest value, detached, on the device.
        visuals: name → newest images (B, C, H, W) in the generator's range, detached.
        fuses: whether the network is trained to fuse at present, not only to rebuild its sources.
        fused_from_step: the first step, from 0, in which the fused image is trained.
        uses_all_weights: whether every weight that is trained has a gradient in every step.
        compares_features: whether its loss is of the generator's `features`, too; if not, the layers that are there for
            them alone are frozen, since several processes would wait for their gradients in vain.
    """

    uses_all_weights = True
    compares_features = False

    def __init__(
        self,
        runtime: Runtime,
        netG: Generator,
        netD: nn.Module | None,
        training: TrainingOptions,
        options: ModelOptions,
    ) -> None:
        self.runtime, self.training, self.options = runtime, training, options
        self.generator = netG
        self.losses: dict[str, Tensor] = {}
        self.visuals: dict[str, Tensor] = {}
        self.fuses = True
        self.fused_from_step = 0
        self._networks: dict[str, nn.Module] = {}
        self._optimizers: dict[str, Optimizer] = {}
        self._schedulers: dict[str, Any] = {}
        self._wrapped: dict[str, Any] = {}
        self._parts: Sequence[Mapping[str, Any]] = ()
        if not self.compares_features:
            for layer in netG.feature_layers():
                layer.requires_grad_(False)
        self.build_networks(netD)

    def build_networks(self, netD: nn.Module | None) -> None:  # noqa: ARG002  (for those that train one)
        """Called by the constructor: adds the networks that are trained, by default the generator alone."""
        self.netG = self.add_network("G", self.generator)

    def set_initial_weights(self) -> None:  # noqa: B027  (a hook)
        """Called once at the start of a training, not when it is resumed: for weights that come from files.

        Raises:
            UserError: they cannot be read or downloaded.
        """

    def begin_epoch(self, epoch: int) -> None:  # noqa: B027  (a hook)
        """Called before the first batch of every epoch (from 1), also of one that is resumed in the middle."""

    def train_on(self, batch: Mapping[str, Any]) -> None:
        """Updates the networks once, by a batch."""
        if self.training.accumulate > 1:
            self._parts = split_batch(batch, self.training.accumulate)
        else:
            self.set_input(batch)
            self.forward()
        self.optimize_parameters()

    def set_input(self, batch: Mapping[str, Any]) -> None:
        """Takes a batch: "sources" (B, N, C, H, W) and "target" (B, C, H, W), both in [0, 1]."""
        self.sources, self.target = self.take_images(batch)

    @abstractmethod
    def forward(self) -> None:
        """Runs the networks on the batch."""

    @abstractmethod
    def optimize_parameters(self) -> None:
        """Updates the networks once, after `forward`, each with `update`."""

    def add_network(self, name: str, network: nn.Module) -> Any:
        """Creates Adam and its schedule for a network and prepares both for the devices.

        Args:
            name: the network's letter in file names: G for the generator and what is trained with it.
            network: the network.

        Returns:
            The network to call.
        """
        training = self.training
        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]  # some may be frozen
        optimizer: Optimizer = torch.optim.Adam(trained, lr=training.lr, betas=(training.beta1, 0.999))
        self._networks[name] = network
        self._schedulers[name] = build_scheduler(optimizer, training)
        # A gradient penalty differentiates through the discriminator twice, which compiled networks do not support.
        may_compile = name == "G"
        self._wrapped[name], self._optimizers[name] = self.runtime.prepare(network, optimizer, may_compile=may_compile)
        return self._wrapped[name]

    def update(self, name: str, loss: Callable[[], Tensor]) -> None:
        """Updates one network once by the gradient of a loss.

        Args:
            name: the letter it was added under.
            loss: computes a scalar, a mean over the samples of the input, and records its terms in `losses`. With
                --accumulate it is called for each part of the batch, after `set_input` and `forward` of the part.
        """
        optimizer = self._optimizers[name]
        optimizer.zero_grad()
        if self._parts:
            self._backward_in_parts(name, loss)
        else:
            self.runtime.backward(loss())
        if self.training.clip_grad > 0:
            for part in self.parts_of(name):
                nn.utils.clip_grad_norm_(part.parameters(), self.training.clip_grad)
        optimizer.step()

    def sum_terms(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Records the weighted terms of a loss in `losses` and returns their sum."""
        self.losses |= {name: term.detach() for name, term in terms.items()}
        return reduce(torch.add, terms.values())

    def parts_of(self, name: str) -> Sequence[nn.Module]:
        """The parts of a network whose gradients are clipped separately: in most procedures the whole network."""
        return [self._networks[name]]

    def _backward_in_parts(self, name: str, loss: Callable[[], Tensor]) -> None:
        """Adds up the gradients and the recorded terms of all parts, which are computed one after the other."""
        before, terms = self.losses, dict[str, Tensor]()
        for number, part in enumerate(self._parts, start=1):
            last = number == len(self._parts)
            with contextlib.nullcontext() if last else self.runtime.accumulating(self._wrapped[name]):
                self.set_input(part)
                # Each part is computed for both networks, but updates batch norm's running statistics once.
                with contextlib.nullcontext() if name == "G" else frozen_statistics(self.generator):
                    self.forward()
                self.losses = {}
                self.runtime.backward(loss() / len(self._parts))
            for term, value in self.losses.items():
                terms[term] = terms.get(term, 0) + value / len(self._parts)
        self.losses = before | terms

    def take_images(self, batch: Mapping[str, Any]) -> tuple[list[Tensor], Tensor]:
        """Moves "sources" (B, N, C, H, W) and "target" (B, C, H, W), both in [0, 1], to the device.

        Returns:
            N sources and the target, each (B, C, H, W), in the generator's range, and padded by reflection to sides
            that it accepts: images that were not cropped may have any size.
        """
        return self.take_sources(batch), self._take(batch["target"])

    def take_sources(self, batch: Mapping[str, Any]) -> list[Tensor]:
        """As `take_images`, for the sources alone: N of (B, C, H, W)."""
        return [self._take(source) for source in batch["sources"].unbind(1)]

    def _take(self, images: Tensor) -> Tensor:
        generator = self.generator
        padded = pad_to_multiple(generator.take(images), generator.size_divisor, generator.smallest_side)
        return self.to_range(self.runtime.to_device(padded))

    def to_range(self, images: Tensor) -> Tensor:
        """Converts images (B, C, H, W) from [0, 1] to the generator's range."""
        return self.generator.normalisation().apply(images)

    def from_range(self, images: Tensor) -> Tensor:
        """Converts images (B, C, H, W) from the generator's range to [0, 1], clamped."""
        return self.generator.normalisation().undo(images).clamp(0, 1)

    def learning_rate(self) -> float:
        """The generator's current learning rate."""
        return float(self._optimizers["G"].param_groups[0]["lr"])

    def update_learning_rate(self, quality: float | None = None) -> None:
        """Steps the schedules at the end of an epoch.

        Args:
            quality: monitored by the policy "plateau", higher is better; None if it was not measured.
        """
        with warnings.catch_warnings():
            # A training that is resumed at the end of an epoch correctly steps its schedule before its optimiser.
            warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler.step")
            for scheduler in self._schedulers.values():
                if self.training.lr_policy != "plateau":
                    scheduler.step()
                elif quality is not None:
                    scheduler.step(quality)

    def network_weights(self) -> dict[str, dict[str, Tensor]]:
        """The plain state dicts, letter → weights."""
        return {name: dict(network.state_dict()) for name, network in self._networks.items()}

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes during training."""
        return {
            "networks": self.network_weights(),
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self._optimizers.items()},
            "schedulers": {name: scheduler.state_dict() for name, scheduler in self._schedulers.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restores a state from `state_dict`."""
        for name, network in self._networks.items():
            network.load_state_dict(state["networks"][name])
            self._optimizers[name].load_state_dict(state["optimizers"][name])
            restore_scheduler(self._schedulers[name], state["schedulers"][name])

    def restart_schedules(self, finished_epochs: int) -> None:
        """Resets rates, momenta and schedules to the options, after the state of `finished_epochs` epochs was loaded.

        The policy "plateau" starts monitoring again.
        """
        for name, scheduler in self._schedulers.items():
            optimizer = scheduler.optimizer
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] = self.training.lr
                group["betas"] = (self.training.beta1, 0.999)
            self._schedulers[name] = build_scheduler(optimizer, self.training)
            if self.training.lr_policy != "plateau":
                restore_scheduler(self._schedulers[name], {"last_epoch": finished_epochs})

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """The unwrapped networks, letter → module."""
        return self._networks


def split_batch(batch: Mapping[str, Any], parts: int) -> list[dict[str, Any]]:
    """Splits a batch into equal parts.

    Args:
        batch: tensors (B, …) and lists of B.
        parts: their number, a divisor of B.

    Example:
        >>> [part["target"].shape for part in split_batch({"target": torch.zeros(4, 3, 8, 8)}, parts=2)]
        [torch.Size([2, 3, 8, 8]), torch.Size([2, 3, 8, 8])]
    """
    size = len(next(iter(batch.values()))) // parts
    return [{key: value[i * size : (i + 1) * size] for key, value in batch.items()} for i in range(parts)]


def numbered(name: str, images: Iterable[Tensor]) -> dict[str, Tensor]:
    """Images for `visuals`, detached, with numbers from 1.

    Example:
        >>> list(numbered("source", torch.zeros(2, 1, 3, 8, 8)))
        ['source_1', 'source_2']
    """
    return {f"{name}_{number}": image.detach() for number, image in enumerate(images, start=1)}


def set_requires_grad(networks: Sequence[nn.Module], required: bool) -> None:
    """Enables or disables gradients of whole networks, so that none are computed for networks that are not updated."""
    for network in networks:
        network.requires_grad_(required)
