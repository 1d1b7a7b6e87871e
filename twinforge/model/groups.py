"""Groups: the variants that a rule names, or so few of them that each pair of values is in one."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING, TypeAlias

from twinforge.model.rules import applies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinforge.model.matrix import Group
    from twinforge.model.project import Project
    from twinforge.model.variant import Variant

__all__ = ["group_variants", "groups_of", "sample_pairs"]

_Pair: TypeAlias = "tuple[tuple[str, str], tuple[str, str]]"


def group_variants(project: Project, group: Group) -> tuple[Variant, ...]:
    """Return the variants of a group, in declared order.

    A sample is taken of each recipe by itself: each has images of its own.
    """
    matching = [variant for variant in project.variants if applies(group, variant.words)]
    if not group.sample:
        return tuple(matching)
    chosen: list[Variant] = []
    for _, family in itertools.groupby(matching, key=lambda variant: variant.recipe):
        chosen += sample_pairs(tuple(family))
    return tuple(chosen)


def groups_of(project: Project) -> dict[str, tuple[str, ...]]:
    """Return the names of the groups that each variant is in, by its id; of those in any."""
    found: dict[str, list[str]] = {}
    for name, group in project.matrix.groups.items():
        for variant in group_variants(project, group):
            found.setdefault(variant.id, []).append(name)
    return {key: tuple(names) for key, names in found.items()}


def sample_pairs(variants: Sequence[Variant]) -> tuple[Variant, ...]:
    """Return few variants in which each pair of values occurs that occurs in any, in their order.

    The variant with most new pairs is taken first, and of equals the first one: the same variants
    give the same sample. With less than two axes, each value is in one.

    It chooses among variants that exist. Generators of pairs, such as allpairspy, make rows of their
    own and drop those that a filter refuses, and pairs that would still be possible are lost by that.

    Source: https://github.com/thombashi/allpairspy/issues/2
    """
    pairs = [_pairs(variant) for variant in variants]
    missing = set().union(*pairs)
    # What a variant adds only ever shrinks, so that what the heap says of it is never too little.
    heap = [(-len(found), index) for index, found in enumerate(pairs)]
    heapq.heapify(heap)
    chosen: list[int] = []
    while missing:
        promised, index = heapq.heappop(heap)
        new = len(pairs[index] & missing)
        if new == -promised:
            chosen.append(index)
            missing -= pairs[index]
        elif new:
            heapq.heappush(heap, (-new, index))
    return tuple(variants[index] for index in sorted(chosen))


def _pairs(variant: Variant) -> frozenset[_Pair]:
    width = min(2, len(variant.values))
    if width == 1:
        return frozenset((value, value) for value in variant.values)
    return frozenset(itertools.combinations(variant.values, 2))
