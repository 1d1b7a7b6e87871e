"""The resolver: does everything that is asked for go together, and if not, why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinforge.compat.conflict import smallest_conflict
from twinforge.compat.nearest import nearest_changes
from twinforge.compat.network import ALWAYS
from twinforge.compat.pose import framework_label, pose
from twinforge.compat.question import Answer
from twinforge.compat.solution import solve
from twinforge.compat.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twinforge.compat.facts import Fact
    from twinforge.compat.pose import Posed
    from twinforge.compat.question import Change, Question

__all__ = ["conflict_labels", "resolve"]


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
        labels = conflict_labels(posed)
        return Answer(
            Verdict.IMPOSSIBLE,
            asked=tuple(posed.asks[label] for label in _asked_for(posed, labels)),
            conflict=tuple(_told(posed, labels)),
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


def conflict_labels(posed: Posed) -> tuple[str, ...]:
    """Return the fewest labels of a question that do not hold together.

    Raises:
        ValueError: All of them do.
    """
    return smallest_conflict(posed.labels, posed.network.holding)


def _asked_for(posed: Posed, labels: tuple[str, ...]) -> Iterator[str]:
    """Yield the labels of what was asked for in a conflict, any version of a framework included."""
    blamed = {
        framework_label(name)
        for name in posed.frameworks
        if any(label.startswith(f"{name}.") for label in labels)
    }
    return (label for label in posed.asks if label in labels or label in blamed)


def _told(posed: Posed, labels: tuple[str, ...]) -> Iterator[Fact]:
    """Yield the facts of a conflict: of each, what it says of the values that the others leave."""
    for label in labels:
        if label in posed.tells:
            variable, tell = posed.tells[label]
            others = frozenset(labels) - {label}
            values = () if variable == ALWAYS else posed.network.remaining(others, variable)
            yield tell([posed.domains[variable].values[value] for value in values])
