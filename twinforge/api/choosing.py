"""``select`` and ``deploy``: which released image runs where, and the requests that put it there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from twinforge.errors import UsageError
from twinforge.model.rules import applies
from twinforge.model.suggest import known_or_close
from twinforge.registry.releases import read_release
from twinforge.sagemaker.hosting import Placement, Request, hosting_requests, parse_instance
from twinforge.sagemaker.model import check_requests
from twinforge.sagemaker.select import Selected, Wish, select_variant

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from twinforge.api.workspace import Workspace
    from twinforge.compat.facts import Use
    from twinforge.registry.releases import Release

__all__ = ["plan_deployment", "select"]


def select(  # noqa: PLR0913 - what, on what, for what and where, all by keyword
    workspace: Workspace,
    recipe: str,
    instance: str,
    *,
    use: Use = "hosting",
    region: str = "",
    wish: Wish | None = None,
) -> Selected:
    """Return the released image of a recipe for an instance type.

    What the matrix says under ``serves`` goes before what would be chosen otherwise.

    Raises:
        UsageError: Nothing of the recipe was released, or nothing in that region.
        UnknownError: There is no data on the instance type.
        ImpossibleError: Nothing that was released works there.
    """
    variants = [v for v in workspace.project.variants if v.recipe == recipe]
    serving = [
        rule
        for rule in workspace.project.matrix.serves
        if (rule.instance, rule.use) == (instance, use)
    ]
    narrowed = replace(
        wish or Wish(),
        order=tuple(variant.slug for variant in variants),
        serving=tuple(v.slug for v in variants for rule in serving if applies(rule, v.words)),
    )
    with workspace.own_data():
        return select_variant(
            _release(workspace, recipe), instance, use=use, region=region, wish=narrowed
        )


def plan_deployment(  # noqa: PLR0913 - an endpoint's parts, all by keyword
    workspace: Workspace,
    recipe: str,
    *,
    endpoint: str,
    instances: Sequence[str],
    model_data: str,
    role: str,
    region: str = "",
    wish: Wish | None = None,
) -> tuple[Request, ...]:
    """Return the requests of an endpoint, valid by botocore's own model of the service.

    Raises:
        TwinforgeError: As ``select``, or a request is not one that SageMaker would take.
    """
    placements = []
    for text in instances:
        name, count = parse_instance(text)
        chosen = select(workspace, recipe, name, region=region, wish=wish)
        placements.append(Placement(chosen, count))
    requests = hosting_requests(
        placements,
        endpoint=endpoint,
        model_data=model_data,
        role=role,
        startup_s=_startup_s(workspace, recipe, {one.selected.variant for one in placements}),
    )
    check_requests(requests, endpoint=endpoint)
    return requests


def _startup_s(workspace: Workspace, recipe: str, slugs: Collection[str]) -> int:
    """Return the longest time that one of the variants may take to answer."""
    project = workspace.project
    limits = [
        project.recipe_for(variant).smoke.startup_s
        for variant in project.variants
        if variant.recipe == recipe and variant.slug in slugs
    ]
    return max(limits, default=project.recipe(recipe).smoke.startup_s)


def _release(workspace: Workspace, recipe: str) -> Release:
    known = [found.name for found in workspace.project.recipes]
    if recipe not in known:
        message = f"there is no recipe '{recipe}'{known_or_close(recipe, known)}"
        raise UsageError(message)
    release = read_release(workspace.root, recipe)
    if release is None:
        message = f"nothing of the recipe '{recipe}' was released"
        raise UsageError(message, hint=f"push it first: `twinforge push {recipe}`")
    return release
