"""How good an answer is, and what one judgement of two values says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twinforge.compat.facts import Fact

__all__ = ["FINE", "Judgement", "Verdict"]


class Verdict(StrEnum):
    """What the facts say, best first. ``unknown`` is never taken for "works"."""

    WORKS = "works"
    CONDITIONAL = "conditional"
    UNKNOWN = "unknown"
    IMPOSSIBLE = "impossible"

    @property
    def rank(self) -> int:
        """0 for the best; of several verdicts the highest rank is that of the whole."""
        return _RANKS[self]


_RANKS = {verdict: rank for rank, verdict in enumerate(Verdict)}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is said of one value, or of two together.

    ``conditions`` say under which it works, ``missing`` names the datum without which it is not
    known, ``facts`` are what a "works" or "conditional" rests on.
    """

    verdict: Verdict
    facts: tuple[Fact, ...] = ()
    conditions: tuple[str, ...] = ()
    missing: str = ""

    @classmethod
    def unknown(cls, missing: str) -> Judgement:
        """Return that it is not known, for want of this datum."""
        return cls(Verdict.UNKNOWN, missing=missing)


FINE = Judgement(Verdict.WORKS)
