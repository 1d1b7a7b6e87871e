"""What a run has learned so far, in `/opt/ml/checkpoints`: SageMaker keeps it in S3 while the run lasts.

Source: "Use checkpoints in Amazon SageMaker" of the developer guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Checkpoint", "KeepEpochs"]


class Checkpoint:
    """The network of an interrupted run, its optimizer, and how many epochs they have seen."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self) -> tuple[keras.Model, int] | None:
        """Return the network and its number of epochs, or None where there is no checkpoint."""
        epochs = {self._epochs(path): path for path in self._folder.glob("epoch-*.keras")}
        if not epochs:
            return None
        latest = max(epochs)
        return keras.saving.load_model(epochs[latest]), latest

    def write(self, model: keras.Model, epochs: int) -> None:
        """Keep a network, whole or not at all: the number of its epochs is in the file's name."""
        self._folder.mkdir(parents=True, exist_ok=True)
        old = list(self._folder.glob("epoch-*.keras"))
        part, whole = self._folder / "part.keras", self._folder / f"epoch-{epochs}.keras"
        model.save(part)
        part.replace(whole)
        for path in old:
            if path != whole:
                path.unlink()

    @staticmethod
    def _epochs(path: Path) -> int:
        return int(path.stem.removeprefix("epoch-"))


class KeepEpochs(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types
    """Keeps a checkpoint of every epoch."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self._checkpoint = checkpoint

    def on_epoch_end(self, epoch: int, _logs: Any = None) -> None:
        """Write it."""
        self._checkpoint.write(self.model, epoch + 1)
