"""Versions for variants that differ only in their accelerator, so that they match by construction.

Normally all that they ask for is resolved in one go: a package that two of them need then has one
version because the resolver can't give it two. Twins are different packages to the resolver; the
slower-moving one bounds the others, and everything is resolved again until they agree.

A recipe that exempts packages from parity can't be resolved in one go (the exempted package would
get one version too). Its variants are resolved apart, and what moves slowest bounds the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import Version

from twinforge.lock.asked import asked_by, twin_families
from twinforge.lock.explain import Question, explain
from twinforge.lock.homes import refuse_divided_homes
from twinforge.lock.resolver import Conflict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from twinforge.lock.asked import Asked
    from twinforge.lock.resolver import Resolved, Resolver, Target
    from twinforge.model.recipe import Recipe
    from twinforge.model.variant import Variant

    Preferences = Mapping[str, Mapping[str, str]]
    Found = dict[str, tuple[Resolved, ...]]

__all__ = ["resolve_siblings"]


def resolve_siblings(
    recipe: Recipe,
    siblings: Sequence[Variant],
    target: Target,
    *,
    resolver: Resolver,
    preferences: Preferences,
) -> Found:
    """Return the wheels of each variant by slug.

    Args:
        recipe: What they all are made from.
        siblings: Variants that differ only in their accelerator.
        target: What the wheels of all of them must fit.
        resolver: Picks versions.
        preferences: For each slug, versions by name that are kept where possible.

    Raises:
        LockError: There is no answer; it names the requirement that prevents it.
    """
    refuse_divided_homes(recipe, siblings)
    question = Question(recipe, tuple(siblings), target, resolver)
    run = _Run(question, twin_families(recipe, siblings))
    attempt = run.apart if recipe.parity_exempt else run.together
    outcome: Found | _Stuck = {}
    for kept in _attempts(preferences, run.families):
        outcome = attempt(kept)
        if not isinstance(outcome, _Stuck):
            break
    if isinstance(outcome, _Stuck):
        raise explain(question, outcome.bounds, outcome.conflict)
    return outcome


@dataclass(frozen=True, slots=True)
class _Stuck:
    """There was no answer under these upper bounds."""

    bounds: Mapping[str, str]
    conflict: Conflict


@dataclass(frozen=True, slots=True)
class _Run:
    question: Question
    families: Mapping[str, tuple[str, ...]]

    def together(self, preferences: Preferences) -> Found | _Stuck:
        """Resolve all siblings in one go, then take each one's part of the outcome."""
        question = self.question
        kept = _lowest(preferences.values())
        bounds: dict[str, str] = {}
        while True:
            outcome = question.solve(asked_by(question.recipe, question.siblings), bounds, kept)
            if isinstance(outcome, Conflict):
                return _Stuck(bounds, outcome)
            versions = {one.name: one.version for one in outcome}
            lower = self._lower([versions], frozenset())
            if not lower:
                return self._parts(versions)
            bounds |= lower

    def _parts(self, versions: Mapping[str, str]) -> Found | _Stuck:
        question = self.question
        pins = [f"{name}=={version}" for name, version in sorted(versions.items())]
        parts: dict[tuple[Asked, ...], tuple[Resolved, ...]] = {}
        found: Found = {}
        for variant in question.siblings:
            asked = asked_by(question.recipe, [variant])
            if asked not in parts:
                outcome = question.solve(asked, {}, versions, pins)
                if isinstance(outcome, Conflict):
                    return _Stuck({}, outcome)
                parts[asked] = outcome
            found[variant.slug] = parts[asked]
        return found

    def apart(self, preferences: Preferences) -> Found | _Stuck:
        """Resolve each sibling alone, lowering bounds until all but the exempted packages agree."""
        question = self.question
        exempt = frozenset(canonicalize_name(name) for name in question.recipe.parity_exempt)
        bounds: dict[str, str] = {}
        while True:
            found: Found = {}
            for variant in question.siblings:
                asked = asked_by(question.recipe, [variant])
                outcome = question.solve(asked, bounds, preferences.get(variant.slug, {}))
                if isinstance(outcome, Conflict):
                    return _Stuck(bounds, outcome)
                found[variant.slug] = outcome
            versions = [{one.name: one.version for one in part} for part in found.values()]
            lower = self._lower(versions, exempt)
            if not lower:
                return found
            bounds |= lower

    def _lower(self, found: Iterable[Mapping[str, str]], exempt: frozenset[str]) -> dict[str, str]:
        """Return new upper bounds for what should have one version and has more.

        Each round takes the lowest version that was found, so that the bounds only ever fall and the
        rounds end.
        """
        seen: dict[tuple[str, ...], set[Version]] = {}
        for versions in found:
            for name, version in versions.items():
                family = self.families.get(name, (name,))
                if exempt.isdisjoint(family):
                    seen.setdefault(family, set()).add(Version(Version(version).public))
        return {
            name: str(min(versions))
            for family, versions in seen.items()
            if len(versions) > 1
            for name in family
        }


def _attempts(
    preferences: Preferences, families: Mapping[str, tuple[str, ...]]
) -> tuple[Preferences, ...]:
    """Return what to keep of the previous lock: all of it, else all but the twins, else nothing.

    Half of a twin that stays at a version that the other half does not have any more would bind the
    other below it, to a version that may not exist.
    """
    if not any(preferences.values()):
        return ({},)
    loose = {
        slug: {name: version for name, version in versions.items() if name not in families}
        for slug, versions in preferences.items()
    }
    return (preferences, {}) if loose == preferences else (preferences, loose, {})


def _lowest(preferences: Iterable[Mapping[str, str]]) -> dict[str, str]:
    kept: dict[str, str] = {}
    for versions in preferences:
        for name, version in versions.items():
            if name not in kept or Version(version) < Version(kept[name]):
                kept[name] = version
    return kept
