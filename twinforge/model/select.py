"""Selectors: how a user names variants.

==============================  ===========================================================
``digits``                      all variants of a recipe
``digits/cu129-py3.11-debian12``  one variant, by its id
``digits/*-py3.11-*``           ids by a pattern of ``*``, ``?`` and ``[...]``
``accelerator=cpu``             all variants with this value (or pattern) of an axis
``os=debian-*,python=3.11``     all variants that meet every condition
``digits:pr``, ``:pr``          a group, of one recipe or of all
==============================  ===========================================================
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from twinforge.errors import UsageError
from twinforge.model.suggest import closest
from twinforge.yamlfile import show_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from twinforge.model.project import Project
    from twinforge.model.variant import Variant

__all__ = ["DEFAULT_GROUP", "select_variants"]

DEFAULT_GROUP = "default"


def select_variants(project: Project, selectors: Sequence[str]) -> tuple[Variant, ...]:
    """Return the variants that at least one selector names, in declared order, each once.

    Without a selector these are the variants of the group ``default``, or all if there is no such
    group.

    Raises:
        UsageError: A selector names nothing.
    """
    if not selectors:
        has_default = DEFAULT_GROUP in project.matrix.groups
        return tuple(_group(project, "*", DEFAULT_GROUP)) if has_default else project.variants
    chosen: set[str] = set()
    for selector in selectors:
        found = {variant.id for variant in _select(project, selector)}
        if not found:
            message = f"the selector {show_value(selector)} matches no variant"
            raise UsageError(message, hint=_hint(selector, _words(project, selector)))
        chosen |= found
    return tuple(variant for variant in project.variants if variant.id in chosen)


def _select(project: Project, selector: str) -> Iterator[Variant]:
    if "=" in selector:
        return _by_values(project, selector)
    if ":" in selector:
        recipe, _, group = selector.partition(":")
        return _group(project, recipe or "*", group)
    if "/" in selector:
        return (v for v in project.variants if fnmatchcase(v.id, selector))
    return (v for v in project.variants if fnmatchcase(v.recipe, selector))


def _by_values(project: Project, selector: str) -> Iterator[Variant]:
    conditions = []
    axes = [axis.name for axis in project.matrix.axes]
    for condition in selector.split(","):
        axis, equals, pattern = condition.strip().partition("=")
        if not equals or axis not in {*axes, "recipe"}:
            message = (
                f"the selector {show_value(selector)} names an unknown axis {show_value(axis)}"
            )
            raise UsageError(message, hint=_hint(axis, [*axes, "recipe"]))
        conditions.append((axis, pattern))
    for variant in project.variants:
        values = {**dict(variant.values), "recipe": variant.recipe}
        if all(fnmatchcase(values[axis], pattern) for axis, pattern in conditions):
            yield variant


def _group(project: Project, recipe: str, group: str) -> Iterator[Variant]:
    rule = project.matrix.groups.get(group)
    if rule is None:
        message = f"the group {show_value(group)} does not exist"
        raise UsageError(message, hint=_hint(group, project.matrix.groups))
    for variant in project.variants:
        values = {**dict(variant.values), "recipe": variant.recipe}
        is_in_group = all(values[axis] == value for axis, value in rule.values.items())
        if is_in_group and fnmatchcase(variant.recipe, recipe):
            yield variant


def _words(project: Project, selector: str) -> list[str]:
    if "=" in selector:
        pairs = {pair: None for variant in project.variants for pair in variant.values}
        return [f"{axis}={value}" for axis, value in pairs]
    recipes = [recipe.name for recipe in project.recipes]
    if ":" in selector:
        return [f"{recipe}:{selector.partition(':')[2]}" for recipe in recipes]
    return [v.id for v in project.variants] if "/" in selector else recipes


def _hint(word: str, candidates: Iterable[str]) -> str:
    near = closest(word, candidates)
    return f"did you mean {show_value(near)}?" if near else "`twinforge plan` lists the variants"
