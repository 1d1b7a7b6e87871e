"""What a run has learned so far, in `/opt/ml/checkpoints`: SageMaker keeps it in S3 while the run lasts.

Source: "Use checkpoints in Amazon SageMaker" of the developer guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import joblib

if TYPE_CHECKING:
    from pathlib import Path

    from sklearn.neural_network import MLPClassifier

__all__ = ["Checkpoint", "CheckpointError"]


class CheckpointError(ValueError):
    """A checkpoint is of another run than this one."""


class Checkpoint:
    """The network of an interrupted run with its optimizer, and how many epochs they have seen."""

    def __init__(self, folder: Path, hidden_units: int) -> None:
        self._path = folder / "checkpoint.joblib"
        self._hidden_units = hidden_units

    def read(self) -> tuple[MLPClassifier, int] | None:
        """Return both, or None where there is no checkpoint.

        Raises:
            CheckpointError: It is of a network of another size.
        """
        if not self._path.is_file():
            return None
        network, epochs = joblib.load(self._path)  # what this program wrote, and nobody else
        (units,) = network.hidden_layer_sizes
        if units != self._hidden_units:
            message = (
                f"'{self._path}' is of a network with {units} hidden units, "
                f"not {self._hidden_units}"
            )
            raise CheckpointError(message)
        return network, epochs

    def write(self, network: MLPClassifier, epochs: int) -> None:
        """Replace what is there, whole or not at all: the next one can be the last."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_name(f"part-{self._path.name}")
        joblib.dump((network, epochs), part)
        part.replace(self._path)
