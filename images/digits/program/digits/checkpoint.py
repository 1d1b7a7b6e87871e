"""What a run has learned so far, in `/opt/ml/checkpoints`: SageMaker keeps it in S3 while the run lasts.

Source: "Use checkpoints in Amazon SageMaker" of the developer guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import xgboost

if TYPE_CHECKING:
    import threading
    from pathlib import Path

__all__ = ["Checkpoint", "Rounds"]

EVERY = 10
"""Rounds between two checkpoints: a round takes a few milliseconds, and writing one as long."""


class Checkpoint:
    """The trees of an interrupted run."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "checkpoint.ubj"

    def read(self, num_round: int) -> xgboost.Booster | None:
        """Return the first `num_round` rounds of what is there, or None where nothing is."""
        if not self._path.is_file():
            return None
        booster = xgboost.Booster(model_file=self._path)
        # The run that wrote it may have been told to go further than this one.
        return booster[:num_round] if booster.num_boosted_rounds() > num_round else booster

    def write(self, booster: xgboost.Booster) -> None:
        """Replace what is there, whole or not at all: the next one can be the last."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_name(f"part-{self._path.name}")
        booster.save_model(part)
        part.replace(self._path)


class Rounds(xgboost.callback.TrainingCallback):
    """Keeps a checkpoint, and ends the training after the round in which a stop was asked for."""

    def __init__(self, checkpoint: Checkpoint, asked: threading.Event) -> None:
        super().__init__()
        self._checkpoint = checkpoint
        self._asked = asked

    def after_iteration(self, model: Any, epoch: int, _evals_log: Any) -> bool:
        """Return whether to stop."""
        if (epoch + 1) % EVERY == 0:
            self._checkpoint.write(model)
        return self._asked.is_set()
