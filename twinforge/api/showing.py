"""``matrix``: what the matrix comes to, for people, scripts, workflows and bake. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from twinforge.errors import UsageError
from twinforge.model.groups import groups_of
from twinforge.model.suggest import closest
from twinforge.report.workflow import workflow_matrix
from twinforge.yamlfile import show_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinforge.api.workspace import Workspace
    from twinforge.model.place import Place
    from twinforge.model.variant import Variant

__all__ = ["LeftOut", "Shown", "bake", "github", "left_out", "show_matrix"]


@dataclass(frozen=True, slots=True)
class Shown:
    """A variant and the names of the groups that it is in."""

    variant: Variant
    groups: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Return it as ``twinforge matrix --json`` prints it."""
        variant = self.variant
        return {
            "variant": variant.id,
            "recipe": variant.recipe,
            "values": dict(variant.values),
            "derived": dict(variant.derived),
            "groups": list(self.groups),
            "tag": variant.tag,
            "aliases": list(variant.aliases),
            "base": variant.base.name,
            "cuda": variant.accelerator.cuda,
            "cudnn": variant.accelerator.cudnn,
            "overrides": [str(override.rule.place) for override in variant.overrides],
        }


def show_matrix(workspace: Workspace, selectors: Sequence[str]) -> tuple[Shown, ...]:
    """Return the selected variants, in declared order; without a selector, all of them.

    Raises:
        UsageError: A selector names nothing; that nothing changed since a revision is fine.
    """
    groups = groups_of(workspace.project)
    return tuple(
        Shown(variant, groups.get(variant.id, ())) for variant in _selected(workspace, selectors)
    )


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A cell that is not made: the place of the rule, and a reason where it is shelved."""

    id: str
    recipe: str
    place: Place
    reason: str = ""

    def as_json(self) -> dict[str, object]:
        """Return it as ``twinforge matrix --excluded --json`` prints it."""
        shelved = {"shelved": self.reason} if self.reason else {}
        return {"variant": self.id, "rule": str(self.place), **shelved}


def left_out(workspace: Workspace, patterns: Sequence[str]) -> tuple[LeftOut, ...]:
    """Return the cells that a rule excludes, and then what recipes shelve, in declared order.

    Args:
        workspace: The project.
        patterns: Recipes, or ids or patterns of ids; none for all.

    Raises:
        UsageError: A pattern matches no such cell.
    """
    project = workspace.project
    cells = [LeftOut(cell.id, cell.recipe, cell.place) for cell in project.excluded]
    cells += [
        LeftOut(variant.id, variant.recipe, variant.shelf.rule.place, variant.shelf.reason)
        for variant in project.shelved
        if variant.shelf is not None
    ]
    found: set[str] = set()
    for pattern in patterns:
        matching = {
            cell.id
            for cell in cells
            if fnmatchcase(cell.id if "/" in pattern else cell.recipe, pattern)
        }
        if not matching:
            near = closest(pattern, [cell.id for cell in cells])
            hint = f"did you mean {show_value(near)}?" if near else ""
            message = f"the selector {show_value(pattern)} matches nothing that is excluded"
            raise UsageError(message, hint=hint)
        found |= matching
    return tuple(cell for cell in cells if not patterns or cell.id in found)


def github(workspace: Workspace, selectors: Sequence[str]) -> str:
    """Return the selected variants as the matrix of a workflow, in one line.

    Raises:
        UsageError: A selector names nothing, or there are too many variants.
    """
    variants = _selected(workspace, selectors)
    return workflow_matrix(variants, groups_of(workspace.project))


def bake(workspace: Workspace, selectors: Sequence[str]) -> dict[str, object]:
    """Return the builds of the selected variants as a bake file; stages their contexts.

    The bases that Twinforge makes itself, and uv, are named as ``build`` leaves them in the engine.

    Raises:
        StaleError: A recipe is not locked.
        UsageError: A selector names nothing.
    """
    from twinforge.api.building import build_specs  # noqa: PLC0415 - heavy, for this form only
    from twinforge.build.bakefile import bake_file  # noqa: PLC0415 - likewise

    return bake_file(build_specs(workspace, _selected(workspace, selectors)))


def _selected(workspace: Workspace, selectors: Sequence[str]) -> tuple[Variant, ...]:
    if not selectors:
        return workspace.project.variants
    return workspace.select(selectors, may_be_unchanged=True)
