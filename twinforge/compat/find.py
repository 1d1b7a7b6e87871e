"""What works, best first: every build of the frameworks that is left by what was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from twinforge.compat.domain import Unheard
from twinforge.compat.pose import pose
from twinforge.compat.solution import solved
from twinforge.compat.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from twinforge.compat.pose import Posed
    from twinforge.compat.question import Choice, Question

__all__ = ["Combination", "find_combinations"]


@dataclass(frozen=True, slots=True)
class Combination:
    """One that works: a build of each framework (or, without one, a CUDA release).

    ``choice`` holds the best of everything else; ``pythons`` are all that it works with, newest
    first, ``glibc`` the oldest that its wheels are for, where that is known.
    """

    choice: Choice
    verdict: Verdict
    conditions: tuple[str, ...]
    pythons: tuple[str, ...]
    glibc: str

    def as_json(self) -> dict[str, object]:
        """Return it as ``twinforge compat find --json`` prints it."""
        return {
            "verdict": self.verdict.value,
            "conditions": list(self.conditions),
            **self.choice.as_json(),
            "pythons": list(self.pythons),
            "glibc": self.glibc,
        }


def find_combinations(question: Question, limit: int) -> tuple[Combination, ...]:
    """Return what works, the newest versions first, and what needs no condition before what does.

    What is not known to work is left out.
    """
    return tuple(islice(_combinations(question), limit))


def _combinations(question: Question) -> Iterator[Combination]:
    posed = pose(question)
    kept = posed.network.labels
    names = list(posed.frameworks) or [name for name in ("cuda",) if name in posed.domains]
    held: dict[tuple[int, ...], dict[str, int]] = {}
    for found in posed.network.distinct(kept, Verdict.CONDITIONAL, names):
        held[tuple(found[name] for name in names)] = found
    works = posed.network.distinct(kept, Verdict.WORKS, names)
    held.update({tuple(found[name] for name in names): found for found in works})
    told: set[tuple[object, ...]] = set()
    for found in held.values():
        one = _combination(posed, found, names)
        # wheels for two CPU architectures are two builds, and one answer where none is asked for
        key = (one.choice.frameworks, one.choice.cuda, one.choice.cudnn, one.verdict)
        if key not in told:
            told.add(key)
            yield one


def _combination(posed: Posed, found: Mapping[str, int], names: list[str]) -> Combination:
    kept = posed.network.labels
    answer = solved(posed, kept, found)
    pythons: tuple[str, ...] = ()
    if "python" in posed.domains:
        fixed = {name: found[name] for name in (*names, "cuda") if name in found}
        values = posed.domains["python"].values
        left = posed.network.remaining(kept, "python", answer.verdict, fixed)
        pythons = tuple(values[index] for index in left if not isinstance(values[index], Unheard))
    builds = [answer.values[name] for name in posed.frameworks]
    needed = [build.glibc for build in builds if build.glibc is not None]
    return Combination(
        answer.choice,
        answer.verdict,
        answer.conditions,
        pythons,
        str(max(needed)) if needed else "",
    )
