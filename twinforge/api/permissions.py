"""``iam``: what a project's people and roles have to be allowed, from the matrix. Asks nobody.

Every action stands for an operation that the code calls, or that a registry checks for one of our
HTTP requests; a test holds the two together.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from twinforge.errors import UsageError
from twinforge.model.suggest import known_or_close
from twinforge.registry.aws import partition_of
from twinforge.sagemaker.iam import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinforge.api.workspace import Workspace
    from twinforge.model.matrix import Registry

__all__ = ["ACTIONS", "DATA_PLANE", "Place", "RegistryKind", "plan_registry_policy", "scope"]

RegistryKind = Literal["push", "registry"]

DATA_PLANE = (
    *("BatchCheckLayerAvailability", "BatchGetImage", "CompleteLayerUpload"),
    *("GetDownloadUrlForLayer", "InitiateLayerUpload", "PutImage", "UploadLayerPart"),
)
"""What ECR checks for the requests of its registry: HEAD, GET, POST, PATCH and PUT."""
LOGIN = ("GetAuthorizationToken",)
REPOSITORY = ("CreateRepository", "DescribeRepositories")
SCAN = ("DescribeImageScanFindings", "StartImageScan")
RECONCILE = (
    *("DeleteRepositoryPolicy", "GetLifecyclePolicy", "GetLifecyclePolicyPreview"),
    *("GetRepositoryPolicy", "ListTagsForResource", "PutImageScanningConfiguration"),
    *("PutImageTagMutability", "PutLifecyclePolicy", "SetRepositoryPolicy"),
    *("StartLifecyclePolicyPreview", "TagResource"),
)
ENDPOINTS = ("DescribeEndpoint", "DescribeEndpointConfig", "DescribeModel")
ACTIONS = (*LOGIN, *REPOSITORY, *DATA_PLANE, *SCAN, *RECONCILE)
"""All actions of ECR, for whoever checks them."""


@dataclass(frozen=True, slots=True)
class Place:
    """What the matrix does not say.

    Attributes:
        account: Twelve digits, where the matrix names none.
        regions: Regions instead of the matrix's.
        registry: The name of a registry of the matrix, or empty for all of ECR's.
        recipe: A recipe, or empty for all.
    """

    account: str = ""
    regions: tuple[str, ...] = ()
    registry: str = ""
    recipe: str = ""


def plan_registry_policy(workspace: Workspace, kind: RegistryKind, place: Place) -> dict[str, Any]:
    """Return what pushing (and promoting), or reconciling repositories, has to be allowed.

    Raises:
        UsageError: An account, a region or a registry is not known.
    """
    statements = {"push": _push, "registry": _registry}[kind](workspace, place)
    return {"Version": "2012-10-17", "Statement": statements}


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
        RegistryError: There is no such region.
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


def _push(workspace: Workspace, place: Place) -> list[dict[str, Any]]:
    registries = _registries(workspace, place)
    scanned = any(registry.scan is not None for registry in registries)
    actions = (*REPOSITORY, *DATA_PLANE, *(SCAN if scanned else ()))
    return [
        _allow("Login", "ecr", LOGIN, ["*"]),
        _allow("Repositories", "ecr", actions, _repositories(workspace, registries, place)),
        *_key(registries, place),
    ]


def _registry(workspace: Workspace, place: Place) -> list[dict[str, Any]]:
    registries = _registries(workspace, place)
    actions = (*REPOSITORY, *RECONCILE)
    return [
        _allow("Repositories", "ecr", actions, _repositories(workspace, registries, place)),
        # What endpoints name is not deleted; SageMaker knows no smaller resource for a list.
        _allow("Lists", "sagemaker", ("ListEndpoints",), ["*"]),
        _allow("Endpoints", "sagemaker", ENDPOINTS, _endpoints(registries, place)),
        *_key(registries, place),
    ]


def _endpoints(registries: Sequence[Registry], place: Place) -> list[str]:
    return [
        f"arn:{partition_of(region)}:sagemaker:{region}:{registry.account or _account(place)}:{kind}/*"
        for registry in registries
        for region in place.regions or registry.regions
        for kind in ("endpoint", "endpoint-config", "model")
    ]


def _registries(workspace: Workspace, place: Place) -> tuple[Registry, ...]:
    every = workspace.project.matrix.registries
    found = tuple(one for one in every if one.kind == "ecr" and place.registry in {"", one.name})
    if found:
        return found
    if place.registry:
        names = [one.name for one in every if one.kind == "ecr"]
        message = f"matrix.yaml names no registry '{place.registry}' of kind ecr"
        raise UsageError(message + known_or_close(place.registry, names))
    message = "matrix.yaml names no registry of kind ecr"
    raise UsageError(message, hint="policies of IAM are for AWS; other registries have users")


def _recipes(workspace: Workspace, place: Place) -> list[str]:
    names = [recipe.name for recipe in workspace.project.recipes]
    if place.recipe and place.recipe not in names:
        message = f"there is no recipe '{place.recipe}'{known_or_close(place.recipe, names)}"
        raise UsageError(message)
    return [name for name in names if place.recipe in {"", name}]


def _repositories(workspace: Workspace, registries: Sequence[Registry], place: Place) -> list[str]:
    arns: dict[str, None] = {}
    for registry in registries:
        account = registry.account or _account(place)
        for region in place.regions or registry.regions:
            prefix = f"arn:{partition_of(region)}:ecr:{region}:{account}:repository"
            for recipe in _recipes(workspace, place):
                arns[f"{prefix}/{registry.repository.format(recipe=recipe)}"] = None
    return list(arns)


def _key(registries: Sequence[Registry], place: Place) -> list[dict[str, Any]]:
    """Return what a repository with a customer's key takes: ECR makes a grant in our name."""
    arns: dict[str, None] = {}
    services: dict[str, None] = {}
    for registry in registries:
        key = registry.kms_key
        if key in {"", "aws"}:
            continue
        for region in place.regions or registry.regions:
            services[f"ecr.{region}.amazonaws.com"] = None
            if partition_of(region) == "aws-cn":
                # Some services name themselves by the partition's domain there. Source:
                # https://github.com/terraform-aws-modules/terraform-aws-eks/issues/3155
                services[f"ecr.{region}.amazonaws.com.cn"] = None
            if key.startswith("arn:") and ":key/" in key:
                arns[key] = None
                continue
            account = registry.account or _account(place)
            # A policy names keys by their id; an alias says which one only when it is asked.
            name = "*" if "alias/" in key else key
            arns[f"arn:{partition_of(region)}:kms:{region}:{account}:key/{name}"] = None
    if not arns:
        return []
    statement = _allow("Key", "kms", ("CreateGrant", "DescribeKey"), list(arns))
    return [{**statement, "Condition": {"StringEquals": {"kms:ViaService": list(services)}}}]


def _account(place: Place) -> str:
    if not place.account:
        message = "the AWS account is not known"
        hint = (
            "give --account ID, or `account:` in matrix.yaml; `aws sts get-caller-identity` says it"
        )
        raise UsageError(message, hint=hint)
    return place.account


def _allow(
    name: str, service: str, actions: Sequence[str], resources: Sequence[str]
) -> dict[str, Any]:
    return {
        "Sid": f"Twinforge{name}",
        "Effect": "Allow",
        "Action": sorted(f"{service}:{action}" for action in dict.fromkeys(actions)),
        "Resource": list(resources),
    }
