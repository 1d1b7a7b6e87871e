"""``registry plan`` and ``registry apply``: ECR's repositories as ``matrix.yaml`` wants them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinforge.api.destinations import named_registry
from twinforge.errors import UsageError
from twinforge.registry.filters import alias_filters
from twinforge.registry.releases import read_release
from twinforge.registry.repositories import RegionPlan, Wanted, plan_regions

if TYPE_CHECKING:
    from twinforge.api.workspace import Workspace
    from twinforge.model.matrix import Registry
    from twinforge.registry.items import AwsAccess

__all__ = ["plan_repositories", "wanted_repositories"]


def plan_repositories(workspace: Workspace, name: str, access: AwsAccess) -> tuple[RegionPlan, ...]:
    """Return what differs between ECR and the matrix, in all regions of a registry.

    Args:
        workspace: The project.
        name: The registry's name, or empty for the first of kind ecr.
        access: How AWS is reached.

    Raises:
        UsageError: There is no such registry, or it is none of ECR's.
        RegistryError: AWS could not be used, or something differs that can't be changed.
    """
    registry = _ecr(workspace, name)
    return plan_regions(registry, wanted_repositories(workspace, registry), access=access)


def wanted_repositories(workspace: Workspace, registry: Registry) -> tuple[Wanted, ...]:
    """Return the repositories that a registry must have, one per recipe in declared order."""
    project = workspace.project
    templates = tuple(alias.tag for alias in project.matrix.aliases)
    wanted = []
    for recipe in project.recipes:
        variants = [one for one in project.variants if one.recipe == recipe.name]
        aliases = tuple(alias for variant in variants for alias in variant.aliases)
        release = read_release(workspace.root, recipe.name)
        released = release.variants if release else ()
        immutable = (
            *(variant.tag for variant in variants),
            *(tag for variant in released for tag in variant.tags),
        )
        wanted.append(
            Wanted(
                registry.repository.format(recipe=recipe.name),
                alias_filters(aliases, templates=templates, immutable=immutable),
                frozenset(variant.version for variant in released),
                frozenset(digest for variant in released for digest in variant.digests.values()),
            )
        )
    return tuple(wanted)


def _ecr(workspace: Workspace, name: str) -> Registry:
    if name:
        registry = named_registry(workspace, name)
        if registry.kind != "ecr":
            message = f"the registry '{name}' is of kind {registry.kind}; ECR's are reconciled"
            raise UsageError(
                message, hint="other registries make repositories when they are pushed to"
            )
        return registry
    for registry in workspace.project.matrix.registries:
        if registry.kind == "ecr":
            return registry
    message = "matrix.yaml names no registry of kind ecr"
    raise UsageError(message, hint="other registries make repositories when they are pushed to")
