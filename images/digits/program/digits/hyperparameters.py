"""The hyperparameters of a training job: SageMaker hands all of them on as strings."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HyperparameterError", "Hyperparameters"]

RESERVED = ("sagemaker_", "_tuning_")
"""What SageMaker and its tuning jobs add of their own accord; nothing for us."""


class HyperparameterError(ValueError):
    """A hyperparameter is unknown, or its value is not allowed."""


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """What can be chosen, and the defaults."""

    max_depth: int = 4
    num_round: int = 50
    eta: float = 0.3
    subsample: float = 1.0
    validation_share: float = 0.2
    seed: int = 0

    @classmethod
    def parse(cls, texts: Mapping[str, str]) -> Self:
        """Return the hyperparameters that these strings mean.

        Raises:
            HyperparameterError: One is unknown, not a number or out of its range.
        """
        known = {field.name: type(field.default) for field in fields(cls)}
        values: dict[str, Any] = {}
        for name, text in texts.items():
            if name.startswith(RESERVED):
                continue
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(known)}"
                message = f"the hyperparameter '{name}' is unknown; {hint}"
                raise HyperparameterError(message)
            try:
                values[name] = known[name](text)
            except ValueError as error:
                kind = "a whole number" if known[name] is int else "a number"
                message = f"the hyperparameter '{name}' is '{text}', not {kind}"
                raise HyperparameterError(message) from error
        chosen = cls(**values)
        chosen._check()
        return chosen

    def _check(self) -> None:
        allowed = {
            "max_depth": (1, 16),
            "num_round": (1, 10_000),
            "eta": (1e-6, 1.0),
            "subsample": (1e-6, 1.0),
            "validation_share": (0.01, 0.9),
            "seed": (0, 2**31 - 1),
        }
        for name, (least, most) in allowed.items():
            value = getattr(self, name)
            if not least <= value <= most:  # NaN is not
                message = f"the hyperparameter '{name}' is {value}, allowed is {least} to {most}"
                raise HyperparameterError(message)
