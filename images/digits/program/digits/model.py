"""The trained model, as it serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import xgboost

from digits.images import PIXELS

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MODEL_FILE", "Model"]

MODEL_FILE = "model.ubj"


class Model:
    """Trees that tell digits apart; threads may share one."""

    def __init__(self, booster: xgboost.Booster) -> None:
        self._booster = booster

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Load the model that `train` wrote.

        Raises:
            FileNotFoundError: There is none.
            ValueError: It was trained on something else than these images.
        """
        path = folder / MODEL_FILE
        if not path.is_file():
            message = f"there is no model: '{path}' does not exist"
            raise FileNotFoundError(message)
        booster = xgboost.Booster(model_file=path)
        # Serving is for single images, for which the way to a GPU is longer than the work.
        booster.set_param({"device": "cpu"})
        if booster.num_features() != PIXELS:
            message = f"'{path}' takes {booster.num_features()} numbers, not {PIXELS}"
            raise ValueError(message)
        return cls(booster)

    def predict(self, images: NDArray[np.float32]) -> list[int]:
        """Return the digit that each image shows."""
        # Unlike predict, this is safe in many threads and makes no copy.
        likelihoods: NDArray[np.float32] = self._booster.inplace_predict(images)
        return [int(digit) for digit in likelihoods.argmax(axis=1)]
