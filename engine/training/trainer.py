"""The training loop: step, tell the loggers, validate, save."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from data.sampler import EpochSampler
from engine.checkpoint import CheckpointFolder
from engine.failures import explain
from engine.runtime import Runtime
from engine.stop_signals import StopSignals
from engine.training.averaging import averaged_copy
from engine.training.loss_window import LossWindow
from engine.training.progress import Progress
from engine.training.validation import Validator, quality_of
from models.base_model import BaseModel
from models.generators.base import Generator
from options.saved import differences
from options.training import TrainingOptions
from util.errors import Interrupted, UserError
from util.loggers.events import Kind, Logger, TrainingEvent

log = logging.getLogger(__name__)
RATE_OPTIONS = frozenset({"lr", "beta1", "lr_policy", "lr_decay_iters", "lr_milestones", "lr_decay_factor", "lr_min"})


class Trainer:
    """Trains a model from where `progress` says to the last epoch.

    Args:
        options: length, rhythm, averaging.
        configuration: all options, group → option → value, which are saved with the state.
        runtime: devices, processes and precision.
        model: the training procedure.
        loader: training batches; its sampler decides the order.
        sampler: the order of the samples.
        checkpoints: where to save.
        validator: measures the generator, or None.
    """

    def __init__(
        self,
        options: TrainingOptions,
        *,
        configuration: Mapping[str, Any],
        runtime: Runtime,
        model: BaseModel,
        loader: DataLoader,
        sampler: EpochSampler,
        checkpoints: CheckpointFolder,
        validator: Validator | None = None,
    ) -> None:
        self.options, self.runtime, self.model = options, runtime, model
        self.configuration = dict(configuration)
        self.loader, self.sampler, self.validator = loader, sampler, validator
        self.checkpoints = checkpoints
        self.loggers: Sequence[Logger] = ()
        self.progress = Progress()
        self.last_epoch = options.n_epochs + options.n_epochs_decay
        self._averaged = averaged_copy(model.generator, options.ema) if options.ema > 0 else None
        self._window = LossWindow()

    @property
    def total_samples(self) -> int:
        """Samples of the whole training."""
        return self.sampler.samples_per_epoch * self.last_epoch

    @property
    def is_finished(self) -> bool:
        """Whether no epoch is left."""
        return self.progress.epoch > self.last_epoch

    @property
    def generator(self) -> Generator:
        """The generator that is validated and saved: the averaged one where --ema is on."""
        if self._averaged is None:
            return self.model.generator
        averaged: Any = self._averaged.module
        return averaged

    def fit(self) -> None:
        """Trains to the end and releases the lock of the run's folder.

        Raises:
            Interrupted: the user stopped it; the state was saved first.
            UserError: a loss is no longer a finite number, or nothing can be saved; the last good state is kept. Or a
                sample cannot be read; a single process saves the state first.
            FailedError: a process of the job ended; the last good state is kept.
        """
        with StopSignals(speak=self.runtime.is_main) as stop:
            try:
                while not self.is_finished:
                    self._run_epoch(stop)
                self._tell("end", text=f"done: {self.progress.samples} samples, {self.last_epoch} epochs")
            except BaseException as error:
                known = explain(error, self.runtime.world_size) if isinstance(error, Exception) else error
                reason = str(known) or type(known).__name__
                self._tell("end", text=f"stopped after {self.progress.samples} samples: {reason}", whole=False)
                if known is error:
                    raise
                raise known from error
            finally:
                self.checkpoints.unlock()

    def _run_epoch(self, stop: StopSignals) -> None:
        progress = self.progress
        self.model.begin_epoch(progress.epoch)
        self.sampler.set_epoch(progress.epoch, start=progress.position)
        for batch in self._batches():
            self._step(batch)
            self._tell_of_step()
            if self._is_due(self.options.save_latest_freq):
                self._save()
            self._stop_if_asked(stop)
        quality = self._validate(stop)
        self.model.update_learning_rate(quality)
        finished = progress.epoch
        progress.end_epoch()
        if finished % self.options.save_epoch_freq == 0 or finished == self.last_epoch:
            self._save(str(finished))

    def _batches(self) -> Iterator[dict[str, Any]]:
        """Yields the batches of an epoch; one damaged file among thousands must not cost hours of work."""
        try:
            yield from self.loader
        except UserError as error:
            # Saving takes all processes, and the others cannot know of it in the middle of their step.
            if self.runtime.world_size > 1 or not self.progress.samples:
                raise
            self._save()
            folder = self.checkpoints.folder
            raise UserError(f"{error}; saved in {folder}: resume with --continue_train without it") from error

    def _stop_if_asked(self, stop: StopSignals) -> None:
        """Saves and stops; all processes do so at the same place."""
        if self.runtime.any(stop.requested):
            self._save()
            raise Interrupted(f"interrupted; saved in {self.checkpoints.folder}: resume with --continue_train")

    def _step(self, batch: dict[str, Any]) -> None:
        self.model.train_on(batch)
        if self._averaged is not None:
            self._averaged.update_parameters(self.model.generator)
        self._window.add(self.model.losses)
        self.progress.add(self.options.batch_size)

    def _is_due(self, frequency: int) -> bool:
        """Whether the last step completed another `frequency` samples."""
        return self.progress.samples % frequency < self.options.batch_size

    def _tell_of_step(self) -> None:
        """Tells what is due after a step.

        Before anything is saved at this step, and never again: what a killed run told after its last save comes again
        when it is resumed.
        """
        options, progress = self.options, self.progress
        self._tell("progress")
        # The training's last record may come before --print_freq is full.
        is_last_step = (
            progress.epoch == self.last_epoch and progress.position + options.batch_size > self.sampler.length
        )
        if self._is_due(options.print_freq) or is_last_step:
            self._report_losses()
        if self._is_due(options.update_html_freq) or progress.samples == options.batch_size:
            self._tell("images", images={name: self._image(tensor) for name, tensor in self.model.visuals.items()})

    def _report_losses(self) -> None:
        self._refuse_divergence()
        values = self.runtime.mean(self._window.means())
        values["samples_per_s"] = self._window.steps * self.options.batch_size / self._window.seconds()
        values["lr"] = self.model.learning_rate()
        self._window = LossWindow()
        self._tell("losses", values=values)

    def _image(self, tensor: Tensor) -> Any:
        pixels = self.model.from_range(tensor[0].float()) * 255
        return pixels.round().byte().permute(1, 2, 0).expand(-1, -1, 3).cpu().numpy()

    def _validate(self, stop: StopSignals) -> float | None:
        last = self.progress.epoch == self.last_epoch
        if self.validator is None or not (last or self.progress.epoch % self.options.val_freq == 0):
            return None
        self._refuse_divergence()
        generator = self.generator
        self.runtime.share_buffers(generator)
        generator.eval()
        with self._window.stopped_clock():
            values = self.validator.measure(generator, lambda: stop.requested, fuses=self.model.fuses)
        generator.train()
        self._stop_if_asked(stop)  # perhaps in the middle of the measurement, which is then made again
        self._tell("validation", values=values)
        found = quality_of(values)
        if found is None:
            return None
        if self.progress.improves(*found) and self.runtime.is_main:
            self.checkpoints.save_networks("best", {"G": self.generator.state_dict()})
        return found[1]

    def _save(self, label: str | None = None) -> None:
        """Saves the state first, since it alone is enough to resume, then the plain networks."""
        self._refuse_divergence()
        state = {
            "model": self.model.state_dict(),
            "processes": self.runtime.gather({"random": self.runtime.random_state(), "window": self._window.state()}),
            "progress": asdict(self.progress),
            "options": self.configuration,
            "items": self.sampler.length,
        }
        if self._averaged is not None:
            state["averaged"] = self._averaged.state_dict()
        if not self.runtime.is_main:
            return
        with self._window.stopped_clock():
            self.checkpoints.save_state(state)
            networks = self.model.network_weights() | {"G": self.generator.state_dict()}
            for name in ["latest"] + ([label] if label else []):
                self.checkpoints.save_networks(name, networks)

    def _refuse_divergence(self) -> None:
        """Ends the run when a loss or a weight is no longer finite, before anything of it is saved."""
        wrong = self._window.not_finite()
        if not wrong:
            wrong = [f"net{name}" for name, net in self.model.networks.items() if not _is_finite(net)]
        if wrong:
            folder = self.checkpoints.folder
            kept = (
                f"the last good state is kept in {folder}" if self.checkpoints.has_state() else "nothing was saved yet"
            )
            raise UserError(
                f"{', '.join(wrong)} became NaN or infinite at {self.progress.samples} samples; {kept}; "
                "a lower --lr, --clip_grad or --precision 32 may help (with --continue_train --accept_changes)"
            )

    def resume(self) -> None:
        """Restores the last saved state; what depends on options that have changed starts anew.

        Raises:
            UserError: there is none, it is broken, or it belongs to other networks.
        """
        state = self.runtime.from_main(self.checkpoints.load_state)
        try:
            self.progress = Progress(**state["progress"])
            self.model.load_state_dict(state["model"])
            changed = differences(state["options"], self.configuration)
            if RATE_OPTIONS & set(changed):
                self.model.restart_schedules(finished_epochs=self.progress.epoch - 1)
            if {"val_dataroot", "val_roles"} & set(changed):
                self.progress.best_quality = float("-inf")
            self._resume_process(state["processes"])
            if self._averaged is not None and "averaged" in state:
                self._averaged.load_state_dict(state["averaged"])
            if state["items"] != self.sampler.length and self.progress.position:
                log.warning(
                    "The data set had %d items and has %d: epoch %d starts over.",
                    state["items"],
                    self.sampler.length,
                    self.progress.epoch,
                )
                self.progress.position = 0
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = str(error).split("\n", maxsplit=1)[0]
            raise UserError(
                f"{self.checkpoints.folder}: the saved state does not fit these options ({reason})"
            ) from error

    def _resume_process(self, processes: Sequence[Mapping[str, Any]]) -> None:
        """Restores what each process has of its own: its random state and its losses since the last record."""
        if len(processes) != self.runtime.world_size:
            log.warning(
                "Saved by %d processes, resumed by %d: dropout and noise differ from those of the run as it was begun.",
                len(processes),
                self.runtime.world_size,
            )
        if len(processes) > self.runtime.rank:
            self.runtime.set_random_state(processes[self.runtime.rank]["random"])
        if len(processes) == self.runtime.world_size:
            self._window = LossWindow(**processes[self.runtime.rank]["window"])

    def _tell(self, kind: Kind, **details: Any) -> None:
        event = TrainingEvent(kind, self.progress.samples, self.progress.epoch, **details)
        for logger in self.loggers:
            # At the end all are told, and one that fails then must not hide how the training ended.
            with contextlib.suppress(*([Exception] if kind == "end" else [])):
                logger.handle(event)


def _is_finite(network: nn.Module) -> bool:
    return all(bool(torch.isfinite(weights).all()) for weights in network.parameters())
