"""Whether recipes give severities to checks that there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinforge.errors import Problem, ProjectError
from twinforge.model.place import Place
from twinforge.model.suggest import known_or_close

if TYPE_CHECKING:
    from collections.abc import Iterable

    from twinforge.model.project import Project
    from twinforge.model.recipe import Recipe
    from twinforge.model.variant import Variant

__all__ = ["refuse_unknown_severities", "severity_problems"]


def refuse_unknown_severities(project: Project, variants: Iterable[Variant]) -> None:
    """Refuse variants whose recipes give a severity to a check that there is not.

    Raises:
        ProjectError: All such checks.
    """
    said = {
        change.place
        for variant in variants
        for change in project.recipe_for(variant).smoke.severities.values()
    }
    problems = [
        problem
        for problem in severity_problems(project)
        if Place(problem.path, problem.line, problem.column) in said
    ]
    if problems:
        raise ProjectError(problems, hint="see `twinforge smoke --list`")


def severity_problems(project: Project) -> tuple[Problem, ...]:
    """Return the severities of a project that are for a check that there is not.

    Recipes of which every variant is excluded, and variants that are shelved, are looked at as well.
    """
    cells = (*project.variants, *project.shelved)
    distinct = {(variant.recipe, variant.overrides): variant for variant in cells}
    recipes = (*project.recipes, *map(project.recipe_for, distinct.values()))
    saying = [recipe for recipe in recipes if recipe.smoke.severities]
    return _problems(saying) if saying else ()


def _problems(recipes: Iterable[Recipe]) -> tuple[Problem, ...]:
    from twinforge.smoke.contract import required_checks  # noqa: PLC0415 - few recipes say severities
    from twinforge.smoke.rules import load_rules  # noqa: PLC0415 - as above

    known = [rule.id for rule in load_rules()]
    asked: dict[tuple[Place, str], set[str]] = {}
    # an override may add the request or the command that a severity is for, or take it away
    for recipe in recipes:
        own = set(required_checks(recipe.smoke)) - set(known)
        for name, change in recipe.smoke.severities.items():
            asked.setdefault((change.place, name), set()).update(own)
    problems = []
    for (place, name), own in asked.items():
        names = [*known, *sorted(own)]
        if name not in names:
            message = f"'{name}' is no check{known_or_close(name, names)}"
            where = f"smoke.severities.{name}"
            problems.append(Problem(place.path, place.line, place.column, where, message))
    return tuple(problems)
