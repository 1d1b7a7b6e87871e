"""Packages that a recipe keeps out, and that nothing would have brought in.

Only a resolution knows what the packages of a variant ask for. So each variant is resolved once more
at the versions that it got, with one of its exclusions lifted: if the excluded package is in the
answer, or if there is no answer any more, it was asked for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from twinforge.errors import LockError
from twinforge.lock.asked import asked_by
from twinforge.lock.explain import Question
from twinforge.lock.resolve import sibling_groups, target_of
from twinforge.lock.resolver import Conflict
from twinforge.model.suggest import likely_slip
from twinforge.yamlfile import show_value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twinforge.lock.locked import RecipeLock
    from twinforge.lock.resolver import Resolver
    from twinforge.model.recipe import Recipe
    from twinforge.model.variant import Variant

__all__ = ["refuse_idle_exclusions"]


def refuse_idle_exclusions(
    recipe: Recipe,
    variants: Sequence[Variant],
    lock: RecipeLock,
    *,
    resolver: Resolver,
    glibc: Callable[[Variant], str],
) -> None:
    """Refuse what a recipe names under ``python.without`` and no variant of it would install.

    What it has from the recipe that it extends is not its own to take out, and is left alone.

    Args:
        recipe: Whose exclusions are looked at.
        variants: All its variants.
        lock: What they got.
        resolver: Picks wheels.
        glibc: The glibc version of a variant's base, such as ``2.36``.

    Raises:
        LockError: There are such entries; all are named with their places.
    """
    own = {
        name: exclusion
        for name, exclusion in recipe.without.items()
        if exclusion.place.path == recipe.place.path
    }
    if not own:
        return
    questions = [
        Question(recipe, siblings, target_of(siblings, glibc), resolver)
        for siblings in sibling_groups(variants)
    ]
    idle = [name for name in own if not any(_is_asked_for(name, one, lock) for one in questions)]
    if not idle:
        return
    installed = sorted({wheel.name for one in lock.variants for wheel in one.wheels})
    told = "; ".join(
        f"{own[name].place}: {show_value(name)} stays out, and no variant of '{recipe.name}' would "
        f"install it{_meant(name, installed)}"
        for name in idle
    )
    raise LockError(told, hint="take the entry out of python.without, or correct its name")


def _is_asked_for(name: str, question: Question, lock: RecipeLock) -> bool:
    """Return whether one of the siblings would install a package if it did not stay out."""
    others = {one: why for one, why in question.recipe.without.items() if one != name}
    lifted = replace(question, recipe=replace(question.recipe, without=others))
    for variant in question.siblings:
        versions = {wheel.name: wheel.version for wheel in lock.variant(variant.slug).wheels}
        pins = [f"{one}=={version}" for one, version in sorted(versions.items())]
        outcome = lifted.solve(asked_by(question.recipe, [variant]), {}, versions, pins)
        # the same question has an answer while the package stays out
        if isinstance(outcome, Conflict) or any(one.name == name for one in outcome):
            return True
    return False


def _meant(name: str, installed: Sequence[str]) -> str:
    near = likely_slip(name, installed)
    return f"; did you mean {show_value(near)}?" if near else ""
