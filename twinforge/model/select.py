"""Selectors: how a user names variants.

================================  ===========================================================
``digits``                        all variants of a recipe
``digits/cu129-py3.11-debian12``  one variant, by its id
``digits/*-py3.11-*``             ids by a pattern of ``*``, ``?`` and ``[...]``
``accelerator=cpu``               all variants with this value (or pattern) of an axis
``os=debian-*,python=3.11``       all variants that meet every condition
``digits:pr``, ``:pr``            a group, of one recipe or of all
``changed-since=main``            what is made of something that changed since a revision of git
================================  ===========================================================
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from twinforge.errors import UsageError
from twinforge.model.groups import group_variants
from twinforge.model.suggest import closest
from twinforge.model.vocabulary import OF_ACCELERATOR
from twinforge.yamlfile import show_value

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from twinforge.model.project import Project
    from twinforge.model.variant import Variant

    Changed = Callable[[str], Collection[str]]

__all__ = ["CHANGED_SINCE", "DEFAULT_GROUP", "select_variants"]

CHANGED_SINCE = "changed-since"
DEFAULT_GROUP = "default"


def _ask_nobody(revision: str) -> Collection[str]:
    message = f"{show_value(f'{CHANGED_SINCE}={revision}')} can't be answered here"
    raise UsageError(message)


def select_variants(
    project: Project,
    selectors: Sequence[str],
    *,
    changed: Changed = _ask_nobody,
    may_be_unchanged: bool = False,
) -> tuple[Variant, ...]:
    """Return the variants that at least one selector names, in declared order, each once.

    Without a selector these are the variants of the group ``default``, or all if there is no such
    group.

    Args:
        project: The project.
        selectors: As on the command line; ``changed-since REV`` may be two words.
        changed: Knows the ids of the variants that changed since a revision.
        may_be_unchanged: Whether it is fine that nothing of a selector changed since its revision.

    Raises:
        UsageError: A selector names nothing.
    """
    if not selectors:
        has_default = DEFAULT_GROUP in project.matrix.groups
        return tuple(_group(project, "*", DEFAULT_GROUP)) if has_default else project.variants
    chosen: set[str] = set()
    for selector in _joined(selectors):
        found = {variant.id for variant in _select(project, selector, changed)}
        if not found and not (may_be_unchanged and CHANGED_SINCE in selector):
            message = f"the selector {show_value(selector)} matches no variant"
            raise UsageError(message, hint=_hint_for(project, selector))
        chosen |= found
    return tuple(variant for variant in project.variants if variant.id in chosen)


def _joined(selectors: Sequence[str]) -> Iterator[str]:
    """Yield the selectors, with the revision that follows ``changed-since`` joined to it."""
    words = iter(selectors)
    for word in words:
        if word == CHANGED_SINCE:
            yield f"{word}={next(words, '')}"
        else:
            yield word


def _select(project: Project, selector: str, changed: Changed) -> Iterator[Variant]:
    if "=" in selector:
        return _by_values(project, selector, changed)
    if ":" in selector:
        recipe, _, group = selector.partition(":")
        return _group(project, recipe or "*", group)
    if "/" in selector:
        return (v for v in project.variants if fnmatchcase(v.id, selector))
    return (v for v in project.variants if fnmatchcase(v.recipe, selector))


def _by_values(project: Project, selector: str, changed: Changed) -> Iterator[Variant]:
    conditions = []
    among: set[str] | None = None
    names = _names(project)
    for condition in selector.split(","):
        axis, equals, pattern = condition.strip().partition("=")
        if axis == CHANGED_SINCE:
            if not pattern:
                message = f"{CHANGED_SINCE} needs a revision of git"
                raise UsageError(message, hint=f"such as {CHANGED_SINCE}=main")
            found = set(changed(pattern))
            among = found if among is None else among & found
        elif not equals or axis not in names:
            message = (
                f"the selector {show_value(selector)} names an unknown axis {show_value(axis)}"
            )
            raise UsageError(message, hint=_hint(axis, [*names, CHANGED_SINCE]))
        else:
            conditions.append((axis, pattern))
    for variant in project.variants:
        if among is not None and variant.id not in among:
            continue
        words = variant.words
        if all(axis in words and fnmatchcase(words[axis], glob) for axis, glob in conditions):
            yield variant


def _names(project: Project) -> list[str]:
    """Return what may stand before ``=``: axes of the matrix and of recipes, and what follows."""
    axes = [axis.name for axis in project.matrix.axes]
    axes += [axis.name for recipe in project.recipes for axis in recipe.axes]
    derived = [one.name for one in project.matrix.derived]
    return list(dict.fromkeys([*axes, *derived, "recipe", *OF_ACCELERATOR]))


def _group(project: Project, recipe: str, group: str) -> Iterator[Variant]:
    rule = project.matrix.groups.get(group)
    if rule is None:
        message = f"the group {show_value(group)} does not exist"
        raise UsageError(message, hint=_hint(group, project.matrix.groups))
    for variant in group_variants(project, rule):
        if fnmatchcase(variant.recipe, recipe):
            yield variant


def _hint_for(project: Project, selector: str) -> str:
    if CHANGED_SINCE in selector:
        return "nothing that these variants are made of has changed since then"
    for shelved in project.shelved:
        name = shelved.id if "/" in selector else shelved.recipe
        if shelved.shelf is not None and fnmatchcase(name, selector):
            return f"'{shelved.id}' is shelved: {shelved.shelf.reason}"
    for excluded in project.excluded if "/" in selector else ():
        if excluded.id == selector:
            return f"{excluded.place} excludes it"
    return _hint(selector, _words(project, selector))


def _words(project: Project, selector: str) -> list[str]:
    if "=" in selector:
        known = (variant.words.items() for variant in project.variants)
        pairs = {pair: None for words in known for pair in words if pair[1]}
        return [f"{axis}={value}" for axis, value in pairs]
    recipes = [recipe.name for recipe in project.recipes]
    if ":" in selector:
        return [f"{recipe}:{selector.partition(':')[2]}" for recipe in recipes]
    return [v.id for v in project.variants] if "/" in selector else recipes


def _hint(word: str, candidates: Iterable[str]) -> str:
    near = closest(word, candidates)
    return f"did you mean {show_value(near)}?" if near else "`twinforge matrix` lists the variants"
