"""What a run has learned so far, in `/opt/ml/checkpoints`: SageMaker keeps it in S3 while the run lasts.

Source: "Use checkpoints in Amazon SageMaker" of the developer guide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn
    from torch.optim import Optimizer

__all__ = ["Checkpoint", "CheckpointError"]


class CheckpointError(ValueError):
    """A checkpoint is of another run than this one."""


class Checkpoint:
    """The network of an interrupted run, its optimizer, and how many epochs they have seen."""

    def __init__(self, folder: Path, hidden_units: int) -> None:
        self._path = folder / "checkpoint.pt"
        self._hidden_units = hidden_units

    def read(self, network: nn.Module, optimizer: Optimizer, device: str) -> int:
        """Bring both to where they were; return the number of epochs, 0 where nothing is there.

        Raises:
            CheckpointError: It is of a network of another size.
        """
        if not self._path.is_file():
            return 0
        kept = torch.load(self._path, map_location=device, weights_only=True)
        if kept["hidden_units"] != self._hidden_units:
            message = (
                f"'{self._path}' is of a network with {kept['hidden_units']} hidden units, "
                f"not {self._hidden_units}"
            )
            raise CheckpointError(message)
        network.load_state_dict(kept["network"])
        optimizer.load_state_dict(kept["optimizer"])
        return int(kept["epochs"])

    def write(self, network: nn.Module, optimizer: Optimizer, epochs: int) -> None:
        """Replace what is there, whole or not at all: the next one can be the last."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_name(f"part-{self._path.name}")
        kept = {
            "network": network.state_dict(),
            "optimizer": optimizer.state_dict(),
            "epochs": epochs,
            "hidden_units": self._hidden_units,
        }
        torch.save(kept, part)
        part.replace(self._path)
