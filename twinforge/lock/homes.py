"""Packages that come from an index of their own, and indexes that do not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from twinforge.errors import IndexUnreachableError, LockError
from twinforge.lock.asked import asked_by
from twinforge.model.merge import variant_recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinforge.model.recipe import Recipe
    from twinforge.model.variant import Variant

__all__ = ["explain_unreachable", "refuse_divided_homes"]


def refuse_divided_homes(recipe: Recipe, siblings: Sequence[Variant]) -> None:
    """Refuse a package that siblings take from different indexes and that parity is asked of.

    One file in all of them can't be had from two places.

    Raises:
        LockError: It names the first such package with its lines.
    """
    exempt = {canonicalize_name(name) for name in recipe.parity_exempt}
    lines = asked_by(recipe, siblings)
    for one in lines:
        divided = [other for other in lines if other.name == one.name and other.index != one.index]
        if divided and one.name not in exempt:
            message = (
                f"{one} and {divided[0]} come from different indexes, so that the variants of "
                f"'{recipe.name}' can't hold the same file"
            )
            hint = "name one index on both lines, or allow it, with a reason, under parity.exempt"
            raise LockError(message, hint=hint)


def explain_unreachable(
    recipe: Recipe, siblings: Sequence[Variant], error: IndexUnreachableError
) -> IndexUnreachableError:
    """Return the error that also says which variants need the index, and what else can be done.

    Args:
        recipe: What the siblings are made from.
        siblings: Variants that differ only in their accelerator.
        error: The index that does not answer.
    """
    needing = [one for one in siblings if error.index in _indexes(recipe, one)]
    place = next(
        (one.place for one in asked_by(recipe, siblings) if one.index == error.index), recipe.place
    )
    others = [one for one in siblings if one not in needing]
    whom = " and ".join(one.id for one in needing)
    message = (
        f"{place}: the index {error.index}, which {whom} can't be locked without, is out of reach: "
        f"{error.said}"
    )
    hint = "check the network, the proxy and the CA bundle, or name a mirror of the index there"
    if others:
        shelf = (
            f"shelved: [{{when: {_condition(needing, others)}, reason: its index is out of reach}}]"
        )
        hint += f"; to go on with {' and '.join(one.id for one in others)} alone, add `{shelf}`"
    return IndexUnreachableError(message, index=error.index, said=error.said, hint=hint)


def _indexes(recipe: Recipe, variant: Variant) -> set[str]:
    own = variant_recipe(recipe, variant)
    return {*own.indexes, *own.homes.values()}


def _condition(needing: Sequence[Variant], others: Sequence[Variant]) -> str:
    """Return the shortest condition that these variants meet and those don't."""
    kinds = {one.accelerator.kind for one in needing}
    if len(kinds) == 1 and kinds.isdisjoint(one.accelerator.kind for one in others):
        return f"kind == {kinds.pop()}"
    # in quotes, for the commas and brackets in a mapping of YAML
    return f'"accelerator in [{", ".join(one.accelerator.name for one in needing)}]"'
