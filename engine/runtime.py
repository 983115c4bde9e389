"""The runtime: devices, processes, precision, memory layout. The only module that knows lightning-fabric."""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import TorchElasticEnvironment
from lightning_fabric.strategies import DDPStrategy
from torch import Tensor, distributed, nn
from torch.optim import Optimizer

from engine.failures import explain
from engine.launch import ProcessRank
from util.errors import Interrupted, UserError

log = logging.getLogger(__name__)
T = TypeVar("T")
PRECISIONS: Final = {"32": "32-true", "bf16": "bf16-mixed", "64": "64-true"}


class Runtime:
    """Prepares networks and tensors for one device, runs the backward pass, communicates with other processes.

    Args:
        gpu_ids: "0" or "0,1" for GPUs, "-1" for the CPU, "" for GPU 0 where there is one.
        precision: "32", "bf16" for bfloat16 arithmetic with 32-bit weights, or "64" to check the arithmetic itself.
        seed: seed of torch's global random generators, the same in all processes until `seed_process`.
        channels_last: keep 4-D tensors channels-last in memory.
        compile_networks: compile the networks that `prepare` gets.
        sync_bn: with several CUDA processes, let batch norm compute its statistics over all of them; the attribute says
            whether it does.
        all_weights: every weight that is trained has a gradient in every step; several processes need not look for
            those that have none.
        process: which process of a job this is.

    Raises:
        UserError: a GPU was asked for that is not there.
    """

    def __init__(
        self,
        *,
        gpu_ids: str = "",
        precision: str = "32",
        seed: int = 0,
        channels_last: bool = True,
        compile_networks: bool = False,
        sync_bn: bool = True,
        all_weights: bool = True,
        process: ProcessRank | None = None,
    ) -> None:
        process = process or ProcessRank()
        self.rank, self.world_size = process.rank, process.world_size
        gpus = _choose_gpus(gpu_ids, process)
        settings: dict[str, Any] = {"accelerator": "cuda" if gpus else "cpu", "precision": PRECISIONS[precision]}
        if self.world_size == 1:
            self._fabric = Fabric(devices=gpus or 1, **settings)
        else:
            self._fabric = _join(gpus or process.local_world_size, process, all_weights, settings)
        self.device: torch.device = self._fabric.device
        # Objects other than tensors of the device are exchanged between the CPUs.
        on_gpus = self.world_size > 1 and self.device.type == "cuda"
        self._between_cpus: Any = distributed.new_group(backend="gloo") if on_gpus else None
        self._memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self._compile = compile_networks
        self.sync_bn = sync_bn and on_gpus  # torch has it for CUDA only
        self._seed = seed
        torch.manual_seed(seed)

    def __enter__(self) -> Runtime:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        """Leaves the job in good order: gloo aborts a process that ends while it still belongs to one.

        A process that failed does not: the others would have to take part (see `engine.launch.leave`).

        Raises:
            UserError, FailedError: what went wrong, in one line, where that is known.
        """
        if isinstance(error, Exception) and (known := explain(error, self.world_size)) is not error:
            raise known from error
        if self.world_size > 1 and (kind is None or issubclass(kind, Interrupted)):
            distributed.barrier(group=self._between_cpus)  # no process leaves while another still needs it
            distributed.destroy_process_group()

    @property
    def is_main(self) -> bool:
        """Whether this is the process that writes the files and the log."""
        return self.rank == 0

    def prepare(self, network: nn.Module, *optimizers: Optimizer, may_compile: bool = True) -> tuple[Any, ...]:
        """Moves a network to the device and wraps it, and its optimisers, for the chosen precision.

        Returns:
            The wrapped network, compiled if that is asked for and allowed, then the wrapped optimisers.
        """
        network.to(memory_format=self._memory_format)
        if self.sync_bn:
            nn.SyncBatchNorm.convert_sync_batchnorm(network)  # replaces the layers inside, keeps their parameters
        if self._compile and may_compile:
            network.compile()
        with warnings.catch_warnings():
            # Its successor is not there yet in all versions of torch that are supported.
            warnings.filterwarnings("ignore", message="`broadcast_buffers` is deprecated")
            if not optimizers:
                return (self._fabric.setup_module(network),)
            return tuple(self._fabric.setup(network, *optimizers))

    def move(self, network: nn.Module) -> None:
        """Moves a network to the device in the chosen memory layout without wrapping it, for evaluation."""
        network.to(self.device).to(memory_format=self._memory_format)

    def to_device(self, tensor: Tensor) -> Tensor:
        """Moves a tensor to the device, 4-D ones in the chosen memory layout."""
        moved = tensor.to(self.device, non_blocking=True)
        return moved.contiguous(memory_format=self._memory_format) if moved.ndim == 4 else moved

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which an unwrapped network computes in the chosen precision."""
        return self._fabric.autocast()

    def backward(self, loss: Tensor) -> None:
        """Computes the gradients of `loss`, which are averaged over the processes."""
        self._fabric.backward(loss)

    def accumulating(self, network: Any) -> AbstractContextManager[Any]:
        """The context of a forward and backward pass whose gradients are not yet averaged over the processes."""
        return contextlib.nullcontext() if self.world_size == 1 else self._fabric.no_backward_sync(network)

    def share_of(self, batch_size: int, parts: int = 1) -> int:
        """The samples of a batch that this process takes.

        Args:
            batch_size: samples of all processes together.
            parts: how many parts each process then computes one after the other.

        Raises:
            UserError: it cannot be divided evenly.
        """
        if batch_size % (self.world_size * parts):
            each = f" and --accumulate {parts}" if parts > 1 else ""
            raise UserError(
                f"--batch_size {batch_size}: expected a multiple of {self.world_size * parts}, as it is shared by "
                f"{self.world_size} process{'es' if self.world_size > 1 else ''}{each}"
            )
        return batch_size // self.world_size

    def gather(self, value: T) -> list[T]:
        """Returns the values of all processes, in their order; each must be picklable and hold no CUDA tensor."""
        if self.world_size == 1:
            return [value]
        values: list[Any] = [None] * self.world_size
        distributed.all_gather_object(values, value, group=self._between_cpus)
        return values

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in some process."""
        if self.world_size == 1:
            return flag
        found = torch.tensor(int(flag))
        distributed.all_reduce(found, op=distributed.ReduceOp.MAX, group=self._between_cpus)
        return bool(found)

    def mean(self, values: Mapping[str, float]) -> dict[str, float]:
        """The mean of each value over the processes, which all have the same names."""
        gathered = self.gather(dict(values))
        return {name: sum(of_process[name] for of_process in gathered) / len(gathered) for name in values}

    def from_main(self, make: Callable[[], T]) -> T:
        """Lets the main process make something and hands it to all."""
        if self.world_size == 1:
            return make()
        box: list[Any] = [make() if self.is_main else None]
        distributed.broadcast_object_list(box, src=0, group=self._between_cpus)
        result: T = box[0]
        return result

    @torch.no_grad()
    def share_buffers(self, network: nn.Module) -> None:
        """Gives all processes the main one's buffers: batch norm counts its running statistics in each by itself."""
        if self.world_size > 1:
            for buffer in network.buffers():
                distributed.broadcast(buffer, src=0)

    def seed_process(self) -> None:
        """Gives each process its own dropout and noise, once the networks, the same in all, have been made."""
        if self.rank:
            torch.manual_seed(int(np.random.SeedSequence([self._seed, self.rank]).generate_state(1)[0]))

    def random_state(self) -> dict[str, Tensor]:
        """The state of torch's random generators on the CPU and on this device."""
        state = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            state["cuda"] = torch.cuda.get_rng_state(self.device)
        return state

    def set_random_state(self, state: Mapping[str, Tensor]) -> None:
        """Puts torch's random generators back into a state from `random_state`."""
        torch.set_rng_state(state["cpu"].cpu())
        if self.device.type == "cuda" and "cuda" in state:
            torch.cuda.set_rng_state(state["cuda"].cpu(), self.device)


def _join(devices: list[int] | int, process: ProcessRank, all_weights: bool, settings: Mapping[str, Any]) -> Fabric:
    """Waits for the other processes of the job."""
    nodes, rest = divmod(process.world_size, process.local_world_size)
    if rest:
        raise UserError(
            f"{process.world_size} processes on machines with {process.local_world_size} each: expected equally many"
        )
    # Buffers are not shared in each forward pass: writing to them between two passes of the discriminator would break
    # the gradient of the first. `share_buffers` does it where they are used.
    backend = "gloo" if sys.platform == "win32" else None  # NCCL, the default for GPUs, is not there
    strategy = DDPStrategy(
        cluster_environment=TorchElasticEnvironment(),
        process_group_backend=backend,
        broadcast_buffers=False,
        find_unused_parameters=not all_weights,
    )
    fabric = Fabric(devices=devices, num_nodes=nodes, strategy=strategy, **settings)
    fabric.launch()
    return fabric


def _choose_gpus(gpu_ids: str, process: ProcessRank) -> list[int]:
    """The GPUs of this machine that the job uses, none for the CPU."""
    wanted = [int(part) for part in gpu_ids.split(",") if part.strip()]
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if any(index < 0 for index in wanted):
        return []
    if process.by_torchrun:
        if wanted:
            log.info("--gpu_ids %s has no effect: torchrun says which processes there are.", gpu_ids)
        if 0 < found < process.local_world_size:
            raise UserError(f"torchrun starts {process.local_world_size} processes where there are {found} GPUs")
        wanted = list(range(process.local_world_size)) if found else []
    if not found and not wanted:
        log.info("No GPU found: using the CPU (say --gpu_ids -1 to ask for it).")
        return []
    for index in wanted:
        if index >= found:
            there = f"only GPUs 0 to {found - 1} are" if found else "no GPU is"
            raise UserError(f"--gpu_ids {','.join(map(str, wanted))}: {there} on this machine; -1 is the CPU")
    if process.world_size == 1 and len(wanted) > 1:
        log.info("--gpu_ids %s: this command runs in one process, on GPU %d.", gpu_ids, wanted[0])
    return wanted[:1] or [0] if process.world_size == 1 else wanted
