"""``iam``: what a project's people and roles have to be allowed, from what the project says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twinforge.errors import UsageError
from twinforge.model.suggest import known_or_close
from twinforge.sagemaker.aws import partition_of
from twinforge.sagemaker.iam import Scope

if TYPE_CHECKING:
    from twinforge.api.workspace import Workspace

__all__ = ["scope"]


def scope(  # noqa: PLR0913 - what a policy is about, all by keyword
    workspace: Workspace,
    recipe: str,
    *,
    account: str,
    regions: tuple[str, ...],
    endpoint: str,
    buckets: tuple[str, ...],
    role: str,
) -> Scope:
    """Return what a policy is about; what is not given comes from the matrix's registry.

    Raises:
        UsageError: There is no such recipe, no account or region, or the regions are of several
            partitions.
        AwsError: There is no such region.
    """
    known = [found.name for found in workspace.project.recipes]
    if recipe not in known:
        message = f"there is no recipe '{recipe}'{known_or_close(recipe, known)}"
        raise UsageError(message)
    registry = workspace.project.matrix.registry
    is_ecr = registry is not None and registry.kind == "ecr"
    account = account or (registry.account if registry is not None else "")
    regions = regions or (registry.regions if registry is not None and is_ecr else ())
    if not account:
        message = "no AWS account is given"
        raise UsageError(message, hint="give --account ID, or `registry.account` in matrix.yaml")
    if not regions:
        message = "no AWS region is given"
        raise UsageError(message, hint="give --region, or `registry.regions` in matrix.yaml")
    partitions = {partition_of(region) for region in regions}
    if len(partitions) > 1:
        message = f"the regions are of several partitions: {', '.join(sorted(partitions))}"
        raise UsageError(message, hint="make a policy for the regions of each")
    template = registry.repository if registry is not None else "{recipe}"
    return Scope(
        partition=partitions.pop(),
        regions=regions,
        account=account,
        recipe=recipe,
        repository=template.format(recipe=recipe),
        endpoint=endpoint,
        buckets=buckets,
        role=role,
    )
