"""A listener in the training's own thread that may fail without ending the training."""

from __future__ import annotations

import logging

from util.errors import one_line
from util.loggers.events import Logger, TrainingEvent

log = logging.getLogger(__name__)


class GuardedLogger:
    """Hands the events to a listener; the first error is reported, and the listener left out from then on.

    Args:
        name: of the listener, for messages.
        logger: the listener.
        advice: what a user can do when it fails.
    """

    def __init__(self, name: str, logger: Logger, advice: str) -> None:
        self._name, self._advice = name, advice
        self._logger: Logger | None = logger

    def handle(self, event: TrainingEvent) -> None:
        """Takes in an event."""
        if self._logger is None:
            return
        try:
            self._logger.handle(event)
        except Exception as error:  # whatever it is, the training continues
            self._logger = None
            reason = f"failed ({str(error) or type(error).__name__}), is left out; the run is recorded"
            log.warning("%s", one_line(f"{self._name} {reason}. {self._advice}"))
