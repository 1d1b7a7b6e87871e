"""The values that compatibility is decided with: dotted versions, and facts with their sources."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, Self

__all__ = ["USES", "Dotted", "Fact", "Use"]

Use = Literal["hosting", "processing", "training", "transform"]
"""What SageMaker runs an image for."""

USES: tuple[Use, ...] = ("hosting", "processing", "training", "transform")

_DOTTED = re.compile(r"[0-9]+(?:\.[0-9]+)*")


@dataclass(frozen=True, slots=True, order=True)
class Dotted:
    """A version of numbers only (a driver, CUDA, a compute capability), ordered by its numbers.

    The text stays as the source writes it. A shorter version is lower: ``470`` may be any driver
    of that branch.

    >>> Dotted.parse("450.80.02") < Dotted.parse("470")
    True
    """

    parts: tuple[int, ...]
    text: str = field(compare=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse numbers with dots between them.

        Raises:
            ValueError: It is something else.
        """
        return cls(_numbers(text), text)

    @property
    def major(self) -> int:
        """The first number; of a driver, its branch."""
        return self.parts[0]

    def __str__(self) -> str:
        """Return it as the source writes it."""
        return self.text


@lru_cache(maxsize=4096)  # the data names a few hundred versions, each of them many times
def _numbers(text: str) -> tuple[int, ...]:
    if not _DOTTED.fullmatch(text):
        message = f"'{text}' is not a version (numbers with dots between them)"
        raise ValueError(message)
    return tuple(int(part) for part in text.split("."))


@dataclass(frozen=True, slots=True)
class Fact:
    """One statement, in half a sentence, with where it was read.

    ``verified`` is false where it is inferred or comes from a third party.
    """

    text: str
    sources: tuple[str, ...]
    verified: bool = True

    def __str__(self) -> str:
        """Return the statement without its sources."""
        return self.text
