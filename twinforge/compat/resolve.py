"""The resolver: does everything that is asked for go together, and if not, why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinforge.compat.conflict import smallest_conflict
from twinforge.compat.nearest import nearest_changes
from twinforge.compat.pose import pose
from twinforge.compat.question import Answer
from twinforge.compat.solution import solve
from twinforge.compat.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinforge.compat.facts import Fact
    from twinforge.compat.pose import Posed
    from twinforge.compat.question import Change, Question

__all__ = ["resolve"]


def resolve(question: Question, *, changes: int = 5) -> Answer:
    """Answer a question.

    Args:
        question: What has to go together.
        changes: How many changes that work are looked for, when it is not possible or not known.
    """
    posed = pose(question)
    solved = solve(posed)
    near: tuple[Change, ...] = ()
    if changes and (solved is None or solved.verdict is Verdict.UNKNOWN):
        near = nearest_changes(question, posed, changes)
    if solved is None:
        asked, conflict = _conflict(posed)
        return Answer(
            Verdict.IMPOSSIBLE,
            asked=tuple(posed.asks[label] for label in asked),
            conflict=conflict,
            nearest=near,
        )
    return Answer(
        solved.verdict,
        solved.choice,
        conditions=solved.conditions,
        missing=solved.missing,
        facts=solved.facts,
        nearest=near,
    )


def _conflict(posed: Posed) -> tuple[Sequence[str], tuple[Fact, ...]]:
    known: dict[frozenset[str], bool] = {}

    def holds(labels: frozenset[str]) -> bool:
        if labels not in known:
            known[labels] = posed.network.first(labels) is not None
        return known[labels]

    # with few labels first: what has no part in a conflict makes the search for a small one longer
    labels = smallest_conflict(posed.labels, holds)
    asked = [label for label in labels if label in posed.asks]
    facts = []
    for label in labels:
        if label in posed.tells:
            variable, tell = posed.tells[label]
            others = frozenset(labels) - {label}
            values = posed.network.remaining(others, variable)
            facts.append(tell([posed.domains[variable].values[value] for value in values]))
    return asked, tuple(facts)
