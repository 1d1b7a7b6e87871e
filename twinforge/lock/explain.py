"""Why siblings can't be locked: the search for the requirement that prevents it.

The resolver's own explanation speaks of all requirements at once. Here it is asked again, with fewer
of them, until it is known whether one variant fails by itself or only the match fails, and which
line of the recipe stands in the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from twinforge.errors import IndexUnreachableError, LockError
from twinforge.lock.asked import asked_by, twin_families
from twinforge.lock.homes import explain_unreachable
from twinforge.lock.resolver import Conflict
from twinforge.model.merge import variant_recipe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from twinforge.lock.asked import Asked
    from twinforge.lock.resolver import Resolved, Resolver, Target
    from twinforge.model.recipe import Recipe
    from twinforge.model.variant import Variant

__all__ = ["Question", "explain"]

_WHEELS_ONLY = "only wheels that fit are taken, nothing is compiled in a build"
_EXEMPT = "widen it, or allow the package by name, with a reason, under parity.exempt"


@dataclass(frozen=True, slots=True)
class Question:
    """What is being resolved: siblings of a recipe, for one target."""

    recipe: Recipe
    siblings: tuple[Variant, ...]
    target: Target
    resolver: Resolver

    def solve(
        self,
        asked: Sequence[Asked],
        bounds: Mapping[str, str],
        preferences: Mapping[str, str],
        pins: Sequence[str] = (),
    ) -> tuple[Resolved, ...] | Conflict:
        """Ask the resolver; ``bounds`` are the highest versions that packages may have.

        Raises:
            IndexUnreachableError: It names the variants that need the index.
        """
        try:
            return self.resolver.compile(
                list(dict.fromkeys(one.text for one in asked)),
                [*(f"{name}<={version}" for name, version in sorted(bounds.items())), *pins],
                self.target,
                preferences=preferences,
                indexes=self._indexes,
                without=tuple(sorted(self.recipe.without)),
                homes=sorted({(one.name, one.index) for one in asked if one.index}),
            )
        except IndexUnreachableError as error:
            raise explain_unreachable(self.recipe, self.siblings, error) from error

    @property
    def _indexes(self) -> tuple[str, ...]:
        """Those of all siblings: a package that they share comes from one place."""
        own = (variant_recipe(self.recipe, variant).indexes for variant in self.siblings)
        return tuple(dict.fromkeys(index for indexes in own for index in indexes))


def explain(question: Question, bounds: Mapping[str, str], conflict: Conflict) -> LockError:
    """Return the error that names what prevents an answer.

    Args:
        question: What was asked.
        bounds: The upper bounds under which there was no answer.
        conflict: The resolver's own words.
    """
    alone: dict[str, tuple[Resolved, ...]] = {}
    for variant in question.siblings:
        outcome = question.solve(asked_by(question.recipe, [variant]), {}, {})
        if isinstance(outcome, Conflict):
            return _fails_alone(question, variant, outcome)
        alone[variant.slug] = outcome
    if bounds:
        twins = _diverging_twins(question, bounds, conflict)
        if twins is not None:
            return twins
    return _fails_together(question, bounds, conflict, alone)


def _fails_alone(question: Question, variant: Variant, conflict: Conflict) -> LockError:
    asked = asked_by(question.recipe, [variant])
    for one in asked:
        outcome = question.solve([one], {}, {})
        if isinstance(outcome, Conflict):
            where = f" in the index {one.index}" if one.index else ""
            message = (
                f"{one.place}: '{one.text}' of {variant.id} has no answer for {question.target}"
                f"{where}: {outcome.explanation}"
            )
            return LockError(message, hint=_WHEELS_ONLY)
    culprits = _without_which_it_works(question, asked, {})
    message = (
        f"{variant.id} can't have {_names(culprits or asked)} together for {question.target}: "
        f"{conflict.explanation}"
    )
    return LockError(message, hint="change the versions that these lines ask for")


def _diverging_twins(
    question: Question, bounds: Mapping[str, str], conflict: Conflict
) -> LockError | None:
    asked = _union(question)
    if isinstance(question.solve(asked, {}, {}), Conflict):
        return None
    for family in sorted(set(twin_families(question.recipe, question.siblings).values())):
        others = {name: version for name, version in bounds.items() if name not in family}
        if len(others) < len(bounds) and not isinstance(
            question.solve(asked, others, {}), Conflict
        ):
            place = next(one.place for one in asked if _is_of(one, family))
            names = " and ".join(f"'{name}'" for name in family)
            message = (
                f"{place}: the twins {names} have no version in common "
                f"for {question.target}: {conflict.explanation}"
            )
            return LockError(
                message, hint="give the twin a version that all of its packages were published in"
            )
    return None


def _fails_together(
    question: Question,
    bounds: Mapping[str, str],
    conflict: Conflict,
    alone: Mapping[str, tuple[Resolved, ...]],
) -> LockError:
    culprits: list[Asked] = []
    for asked in _asked_in_one_go(question):
        if isinstance(question.solve(asked, bounds, {}), Conflict):
            culprits += _without_which_it_works(question, asked, bounds)
    blamed = _names(dict.fromkeys(culprits), " or ")
    prevents = f"parity is possible only without {blamed}; " if culprits else ""
    message = (
        f"{question.recipe.name}: {' and '.join(alone)} can't have the same versions: {prevents}"
        f"{_differences(question, alone)}{conflict.explanation}"
    )
    return LockError(message, hint=_EXEMPT)


def _union(question: Question) -> tuple[Asked, ...]:
    return asked_by(question.recipe, question.siblings)


def _asked_in_one_go(question: Question) -> tuple[tuple[Asked, ...], ...]:
    if not question.recipe.parity_exempt:
        return (_union(question),)
    each = (asked_by(question.recipe, [variant]) for variant in question.siblings)
    return tuple(dict.fromkeys(each))


def _without_which_it_works(
    question: Question, asked: Sequence[Asked], bounds: Mapping[str, str]
) -> tuple[Asked, ...]:
    return tuple(
        one
        for one in asked
        if not isinstance(
            question.solve([other for other in asked if other != one], bounds, {}), Conflict
        )
    )


def _differences(question: Question, alone: Mapping[str, tuple[Resolved, ...]]) -> str:
    """Return which packages would differ if each sibling had its own way, and how."""
    exempt = {canonicalize_name(name) for name in question.recipe.parity_exempt}
    versions: dict[str, dict[str, str]] = {}
    for slug, wheels in alone.items():
        for wheel in wheels:
            if wheel.name not in exempt:
                versions.setdefault(wheel.name, {})[slug] = wheel.version
    phrases = [
        f"'{name}' would be "
        + " and ".join(f"{version} in {slug}" for slug, version in by_slug.items())
        for name, by_slug in sorted(versions.items())
        if len(set(by_slug.values())) > 1
    ]
    return "".join(f"{phrase}; " for phrase in phrases)


def _names(asked: Iterable[Asked], joiner: str = " and ") -> str:
    return joiner.join(str(one) for one in asked)


def _is_of(asked: Asked, family: tuple[str, ...]) -> bool:
    return canonicalize_name(Requirement(asked.text).name) in family
