"""``iam``: the smallest policies that the verbs get by with, from the matrix. Asks nobody.

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

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinforge.api.workspace import Workspace
    from twinforge.model.matrix import Registry

__all__ = ["ACTIONS", "Job", "Place", "policy_for"]

Job = Literal["push", "registry", "train", "deploy"]

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
LOGS = ("DescribeLogStreams", "GetLogEvents")
TRAINING = ("AddTags", "CreateTrainingJob", "DescribeTrainingJob", "StopTrainingJob")
ENDPOINT = (
    *("AddTags", "CreateEndpoint", "DeleteEndpoint", "DescribeEndpoint"),
    *("InvokeEndpoint", "ListTags", "UpdateEndpoint"),
)
ENDPOINT_CONFIG = (
    *("CreateEndpoint", "CreateEndpointConfig", "DeleteEndpointConfig"),
    *("AddTags", "DescribeEndpointConfig", "ListTags", "UpdateEndpoint"),
)
MODEL = (
    "AddTags",
    "CreateEndpointConfig",
    "CreateModel",
    "DeleteModel",
    "DescribeModel",
    "ListTags",
)
LISTS = ("ListEndpointConfigs", "ListEndpoints", "ListModels")
OBJECTS = ("AbortMultipartUpload", "GetObject", "PutObject")
BUCKET = ("ListBucket",)

ACTIONS: dict[str, tuple[str, ...]] = {
    "ecr": (*LOGIN, *REPOSITORY, *DATA_PLANE, *SCAN, *RECONCILE),
    "sagemaker": (*TRAINING, *ENDPOINT, *ENDPOINT_CONFIG, *MODEL, *LISTS),
    "logs": LOGS,
    "s3": (*OBJECTS, *BUCKET),
}
"""All actions by service, for whoever checks them."""


@dataclass(frozen=True, slots=True)
class Place:
    """What the matrix does not say.

    Attributes:
        account: Twelve digits, where the matrix names none.
        regions: Regions instead of the matrix's.
        registry: The name of a registry of the matrix, or empty for all of ECR's.
        recipe: A recipe, or empty for all.
        role: The name of the role that SageMaker assumes, with its path; empty for any.
        buckets: Buckets of a job's data and models; empty for SageMaker's default bucket.
    """

    account: str = ""
    regions: tuple[str, ...] = ()
    registry: str = ""
    recipe: str = ""
    role: str = ""
    buckets: tuple[str, ...] = ()


def policy_for(workspace: Workspace, job: Job, place: Place) -> dict[str, Any]:
    """Return an identity policy, as the document that IAM takes.

    Raises:
        UsageError: An account, a region or a registry is not known.
    """
    statements = {
        "push": _push,
        "registry": _registry,
        "train": _train,
        "deploy": _deploy,
    }[job](workspace, place)
    return {"Version": "2012-10-17", "Statement": statements}


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
        # What endpoints run is not deleted; SageMaker knows no smaller resource for a list.
        _allow("Lists", "sagemaker", ("ListEndpoints",), ["*"]),
        _allow("Endpoints", "sagemaker", ("DescribeEndpoint",), _endpoints(registries, place)),
        *_key(registries, place),
    ]


def _endpoints(registries: Sequence[Registry], place: Place) -> list[str]:
    return [
        f"arn:{partition_of(region)}:sagemaker:{region}:{registry.account or _account(place)}:endpoint/*"
        for registry in registries
        for region in place.regions or registry.regions
    ]


def _train(workspace: Workspace, place: Place) -> list[dict[str, Any]]:
    group = "log-group:/aws/sagemaker/TrainingJobs:*"
    return [
        _allow(
            "Jobs", "sagemaker", TRAINING, _arns(workspace, place, "sagemaker", "training-job/*")
        ),
        _allow("Logs", "logs", LOGS, _arns(workspace, place, "logs", group)),
        *_storage(workspace, place),
        _pass_role(workspace, place),
    ]


def _deploy(workspace: Workspace, place: Place) -> list[dict[str, Any]]:
    def sagemaker(what: str) -> list[str]:
        return _arns(workspace, place, "sagemaker", f"{what}/*")

    group = "log-group:/aws/sagemaker/Endpoints/*"
    return [
        _allow("Endpoints", "sagemaker", ENDPOINT, sagemaker("endpoint")),
        _allow("Configs", "sagemaker", ENDPOINT_CONFIG, sagemaker("endpoint-config")),
        _allow("Models", "sagemaker", MODEL, sagemaker("model")),
        # SageMaker knows no smaller resource for these.
        _allow("Lists", "sagemaker", LISTS, ["*"]),
        # `--model JOB` is the address that a training job left.
        _allow(
            "Jobs",
            "sagemaker",
            ("DescribeTrainingJob",),
            _arns(workspace, place, "sagemaker", "training-job/*"),
        ),
        _allow("Logs", "logs", LOGS, _arns(workspace, place, "logs", group)),
        _pass_role(workspace, place),
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


def _arns(workspace: Workspace, place: Place, service: str, resource: str) -> list[str]:
    account = _home_account(workspace, place)
    return [
        f"arn:{partition_of(region)}:{service}:{region}:{account}:{resource}"
        for region in _regions(workspace, place)
    ]


def _storage(workspace: Workspace, place: Place) -> list[dict[str, Any]]:
    account, regions = _home_account(workspace, place), _regions(workspace, place)
    partition = partition_of(regions[0])
    buckets = place.buckets or tuple(f"sagemaker-{region}-{account}" for region in regions)
    arns = [f"arn:{partition}:s3:::{bucket}" for bucket in buckets]
    return [
        _allow("Objects", "s3", OBJECTS, [f"{arn}/*" for arn in arns]),
        _allow("Buckets", "s3", BUCKET, arns),
    ]


def _pass_role(workspace: Workspace, place: Place) -> dict[str, Any]:
    partition = partition_of(_regions(workspace, place)[0])
    role = f"arn:{partition}:iam::{_home_account(workspace, place)}:role/{place.role or '*'}"
    statement = _allow("Role", "iam", ("PassRole",), [role])
    service = {"iam:PassedToService": "sagemaker.amazonaws.com"}
    return {**statement, "Condition": {"StringEquals": service}}


def _regions(workspace: Workspace, place: Place) -> tuple[str, ...]:
    regions = place.regions or tuple(
        dict.fromkeys(
            region
            for registry in workspace.project.matrix.registries
            if place.registry in {"", registry.name}
            for region in registry.regions
        )
    )
    if not regions:
        message = "matrix.yaml names no region"
        raise UsageError(message, hint="give --region REGION")
    return regions


def _home_account(workspace: Workspace, place: Place) -> str:
    """Return the account that jobs and endpoints run in: the one asked for, else the matrix's."""
    if place.account:
        return place.account
    named = {
        registry.account
        for registry in workspace.project.matrix.registries
        if registry.kind == "ecr" and place.registry in {"", registry.name}
    }
    return named.pop() if len(named) == 1 and "" not in named else _account(place)


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
