"""Whether every variant can work, and run on the instance types that it has to serve.

Asked before anything is locked or built; of a recipe that is locked, the locked versions are asked
about, since those are what would be installed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from twinforge.api.asking import cells_of
from twinforge.api.contents import content_problems, duplicate_warnings
from twinforge.compat.resolve import resolve
from twinforge.compat.verdict import Verdict
from twinforge.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from twinforge.api.asking import Cell
    from twinforge.api.workspace import Workspace
    from twinforge.compat.question import Answer, Question
    from twinforge.model.place import Place
    from twinforge.model.variant import Variant

__all__ = ["Compatibility", "check_compatibility"]


@dataclass(frozen=True, slots=True)
class Compatibility:
    """What the facts say of a project.

    ``problems`` can't work, each with the fewest facts that show it; ``warnings`` are what is not
    known, and what is there twice; ``conditions`` are what has to be done for it to work;
    ``shelved`` is what is not made, with the reason and what speaks against it.
    """

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    conditions: tuple[Problem, ...]
    shelved: tuple[Problem, ...] = ()


def check_compatibility(workspace: Workspace, today: date) -> Compatibility:
    """Ask the facts about every variant and every instance type that it serves.

    Args:
        workspace: The project.
        today: What ends of life are compared with.

    Raises:
        ProjectError: A recipe, the matrix or a lock is wrong.
    """
    found = _Found()
    with workspace.own_data():
        for variant in workspace.project.variants:
            for cell in cells_of(workspace, variant, today):
                found.add(cell)
            found.add_contents(workspace, variant)
            found.add_duplicates(workspace, variant)
        shelved = tuple(_shelved(workspace, today))
    return replace(found.told(), shelved=shelved)


def _shelved(workspace: Workspace, today: date) -> Iterator[Problem]:
    """Yield what is shelved, one note for each reason, and then what speaks against it."""
    reasons = _Notes()
    found = _Found()
    for variant in workspace.project.shelved:
        if variant.shelf is not None:
            reasons.add(variant.shelf.rule.place, variant.shelf.reason, variant.id)
        for cell in cells_of(workspace, variant, today):
            found.add(cell)
        found.add_contents(workspace, variant)
    told = found.told()
    yield from reasons.told()
    yield from told.problems
    yield from told.warnings
    yield from told.conditions


class _Notes:
    """Messages with the cells that they are about; the same of several cells is told once."""

    def __init__(self) -> None:
        self._cells: dict[tuple[Place, str], list[str]] = {}

    def add(self, place: Place, message: str, cell: str) -> bool:
        """Note a message; whether it is a new one."""
        known = self._cells.setdefault((place, message), [])
        if cell not in known:
            known.append(cell)
        return len(known) == 1

    def told(self) -> tuple[Problem, ...]:
        """Return them in the order of their first cells."""
        found = []
        for (place, message), cells in self._cells.items():
            more = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
            text = f"{cells[0]}{more}: {message}"
            found.append(Problem(place.path, place.line, place.column, "", text))
        return tuple(found)


class _Found:
    """What was found so far."""

    def __init__(self) -> None:
        self._answers: dict[Question, Answer] = {}
        self._nearest: dict[tuple[str, ...], str] = {}
        self._problems = _Notes()
        self._warnings = _Notes()
        self._conditions = _Notes()

    def add(self, cell: Cell) -> None:
        """Ask of a cell and note what is to be said of it."""
        question = cell.question
        if question not in self._answers:
            self._answers[question] = resolve(question, changes=0)
        answer = self._answers[question]
        if answer.verdict is Verdict.IMPOSSIBLE:
            self._problems.add(*self._conflict(cell, answer), cell.told)
            return
        for missing in answer.missing:
            self._warnings.add(
                cell.place, f"it is not known whether this works: {missing}", cell.told
            )
        for condition in answer.conditions:
            self._conditions.add(cell.place, f"works on condition: {condition}", cell.told)

    def _conflict(self, cell: Cell, answer: Answer) -> tuple[Place, str]:
        places = cell.question.places
        facts = "; ".join(f"{fact.text} ({fact.sources[0]})" for fact in answer.conflict)
        asked = [replace(ask, place=places.get(ask.label, "")) for ask in answer.asked]
        lines = ", ".join(str(ask) for ask in asked if ask.place)
        key = (*(ask.text for ask in asked), facts)
        if key not in self._nearest:
            # once for a conflict: looking for what would work takes longer than seeing that it can't
            near = resolve(cell.question, changes=1).nearest
            texts = f"; this would work: {', '.join(near[0].texts)}" if near else ""
            self._nearest[key] = texts
        return cell.place, f"can't work: {facts}; asked for: {lines}{self._nearest[key]}"

    def add_contents(self, workspace: Workspace, variant: Variant) -> None:
        """Note what a variant can't hold."""
        for place, message in content_problems(workspace, variant):
            self._problems.add(place, message, variant.id)

    def add_duplicates(self, workspace: Workspace, variant: Variant) -> None:
        """Note what a variant holds more than once."""
        for place, message in duplicate_warnings(workspace, variant):
            self._warnings.add(place, message, variant.id)

    def told(self) -> Compatibility:
        """Return everything, each thing once."""
        return Compatibility(self._problems.told(), self._warnings.told(), self._conditions.told())
