"""The requests that make an endpoint. Pure: nothing is sent, no clock and no account is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.errors import ImpossibleError, UsageError
from twinforge.sagemaker.naming import (
    ENDPOINT_TAG,
    RECIPE_TAG,
    VARIANTS_TAG,
    content_hash,
    letters,
    named,
    tags,
)
from twinforge.sagemaker.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twinforge.sagemaker.select import Selected

__all__ = [
    "Hosting",
    "Placement",
    "Request",
    "Serverless",
    "hosting_requests",
    "parse_instance",
    "parse_serverless",
]

STARTUP_S = (60, 3600)
"""Lowest and highest ``ContainerStartupHealthCheckTimeoutInSeconds``.

Source: botocore's service model, ``ProductionVariant``.
"""
SERVERLESS_MEMORY_MB = tuple(range(1024, 6145, 1024))
SERVERLESS_CONCURRENCY = 200
"""Source: SageMaker developer guide, "Deploy models with Amazon SageMaker Serverless Inference"."""

_POOLS = 5
_DIGEST_DIGITS = 12
_FAILURES = "failures"
"""The folder of what went wrong, below that of an asynchronous endpoint's answers."""
_ALONE = "AllTraffic"
"""The name that SageMaker's own tools give to the only variant."""


@dataclass(frozen=True, slots=True)
class Placement:
    """An image on ``count`` instances of its type."""

    selected: Selected
    count: int = 1


@dataclass(frozen=True, slots=True)
class Serverless:
    """No instances of one's own: memory per worker, and how many requests are answered at once."""

    memory_mb: int
    concurrency: int


@dataclass(frozen=True, slots=True)
class Hosting:
    """How an endpoint hosts its images, beyond which and where.

    Attributes:
        serverless: Without instances, or None.
        async_output: The S3 address that answers are written to, and errors below ``failures``;
            empty for a real-time endpoint.
        is_pool: Whether the instance types are one variant that takes the first with capacity,
            instead of a variant each.
        download_s: How long the model's download may take, or 0 for SageMaker's default.
        volume_gb: The size of the instances' volume, or 0 for SageMaker's default.
    """

    serverless: Serverless | None = None
    async_output: str = ""
    is_pool: bool = False
    download_s: int = 0
    volume_gb: int = 0


def parse_instance(text: str) -> tuple[str, int]:
    """Parse ``ml.m4.xlarge`` or ``ml.m4.xlarge:2``: the type and the number of instances.

    >>> parse_instance("ml.m4.xlarge:2")
    ('ml.m4.xlarge', 2)

    Raises:
        UsageError: The number is none, or lower than one.
    """
    name, colon, count = text.partition(":")
    if not colon:
        return name, 1
    if not re.fullmatch(r"[1-9][0-9]{0,5}", count):
        message = f"'{count}' in '{text}' is not a number of instances (1 or more)"
        raise UsageError(message)
    return name, int(count)


def parse_serverless(text: str) -> Serverless:
    """Parse ``2048:5``: megabytes of memory, and requests at once.

    >>> parse_serverless("2048:5")
    Serverless(memory_mb=2048, concurrency=5)

    Raises:
        UsageError: SageMaker has no such size.
    """
    found = re.fullmatch(r"([0-9]{1,6}):([0-9]{1,6})", text)
    memory, concurrency = (int(found[1]), int(found[2])) if found else (0, 0)
    if memory not in SERVERLESS_MEMORY_MB or not 1 <= concurrency <= SERVERLESS_CONCURRENCY:
        sizes = ", ".join(str(size) for size in SERVERLESS_MEMORY_MB)
        message = f"'{text}' is not MB:CONCURRENCY with {sizes} and 1 to {SERVERLESS_CONCURRENCY}"
        raise UsageError(message)
    return Serverless(memory, concurrency)


def hosting_requests(  # noqa: PLR0913 - an endpoint's parts, all by keyword
    placements: Sequence[Placement],
    *,
    endpoint: str,
    model_data: str,
    role: str,
    startup_s: int,
    hosting: Hosting | None = None,
) -> tuple[Request, ...]:
    """Return the requests for an endpoint, in the order in which they have to be sent.

    Models and the endpoint config can't be changed once they exist, so both are named by their
    content: the same input gives the same names, another image or model gives new ones. Every
    instance type is a production variant with its own model; traffic is shared by the number of
    instances. In a pool, the types are one variant, in the order in which they are to be tried.

    Args:
        placements: The images and their instances, each type once; one for a serverless endpoint.
        endpoint: The name of the endpoint.
        model_data: The S3 address of ``model.tar.gz``.
        role: The ARN of the role that SageMaker assumes.
        startup_s: The time that the recipe's image may take to answer ``/ping``.
        hosting: How it hosts them.

    Raises:
        UsageError: There is no instance, a type is named twice, or the options contradict.
        ImpossibleError: SageMaker can't host these images in that way.
    """
    hosting = hosting or Hosting()
    types = [placement.selected.instance for placement in placements]
    if not types:
        message = "an endpoint needs at least one instance"
        raise UsageError(message)
    if twice := sorted({name for name in types if types.count(name) > 1}):
        message = f"the instance type '{twice[0]}' is named twice"
        raise UsageError(message, hint=f"give the number of instances: {twice[0]}:2")
    models = [_model(placement.selected, model_data, role) for placement in placements]
    names = [str(model.parameters["ModelName"]) for model in models]
    common = _common(hosting, startup_s)
    if hosting.serverless is not None:
        variants = [_serverless(names[0], hosting)]
    elif hosting.is_pool:
        variants = [_pool(placements, names, common)]
    else:
        variants = [
            _variant(placement, name, common, alone=len(types) == 1)
            for placement, name in zip(placements, names, strict=True)
        ]
    content: dict[str, object] = {"ProductionVariants": variants}
    if hosting.async_output:
        output = hosting.async_output.rstrip("/")
        # without a failure path a request that failed would be waited for in vain
        paths = {"S3OutputPath": hosting.async_output, "S3FailurePath": f"{output}/{_FAILURES}"}
        content["AsyncInferenceConfig"] = {"OutputConfig": paths}
    slugs = " ".join(dict.fromkeys(placement.selected.variant for placement in placements))
    config = {
        "EndpointConfigName": named(endpoint, content_hash(content)),
        **content,
        "Tags": tags(
            {
                ENDPOINT_TAG: endpoint,
                RECIPE_TAG: placements[0].selected.recipe,
                VARIANTS_TAG: slugs,
            }
        ),
    }
    unique = {model.parameters["ModelName"]: model for model in models}
    return (*unique.values(), Request("CreateEndpointConfig", config))


def _model(selected: Selected, model_data: str, role: str) -> Request:
    content: dict[str, object] = {
        "PrimaryContainer": {"Image": str(selected.pinned), "ModelDataUrl": model_data},
        "ExecutionRoleArn": role,
    }
    digest = selected.pinned.digest
    image = digest.hex[:_DIGEST_DIGITS] if digest is not None else ""
    name = named(selected.recipe, image, content_hash(content))
    mark = tags({RECIPE_TAG: selected.recipe, VARIANTS_TAG: selected.variant})
    return Request("CreateModel", {"ModelName": name, **content, "Tags": mark})


def _common(hosting: Hosting, startup_s: int) -> dict[str, object]:
    low, high = STARTUP_S
    common: dict[str, object] = {
        "ContainerStartupHealthCheckTimeoutInSeconds": min(max(startup_s, low), high)
    }
    if hosting.download_s:
        common["ModelDataDownloadTimeoutInSeconds"] = hosting.download_s
    if hosting.volume_gb:
        common["VolumeSizeInGB"] = hosting.volume_gb
    return common


def _variant(
    placement: Placement, model: str, common: Mapping[str, object], *, alone: bool
) -> dict[str, object]:
    selected = placement.selected
    parameters: dict[str, object] = {
        "VariantName": _ALONE if alone else letters(selected.instance),
        "ModelName": model,
        "InstanceType": selected.instance,
        "InitialInstanceCount": placement.count,
        "InitialVariantWeight": float(placement.count),
        **common,
    }
    if selected.ami:
        parameters["InferenceAmiVersion"] = selected.ami
    return parameters


def _pool(
    placements: Sequence[Placement], models: Sequence[str], common: Mapping[str, object]
) -> dict[str, object]:
    if len(placements) > _POOLS:
        message = f"a pool takes up to {_POOLS} instance types, not {len(placements)}"
        raise ImpossibleError(message)
    counts = {placement.count for placement in placements}
    if len(counts) > 1:
        message = "a pool has one number of instances, whichever type they turn out to be"
        raise UsageError(message, hint="give the same number with every instance type")
    amis = {placement.selected.ami for placement in placements}
    if len(amis) > 1:
        needed = ", ".join(
            f"{one.selected.instance} {one.selected.ami or 'the default'}" for one in placements
        )
        message = f"a pool has one AMI version for all its instance types; these need {needed}"
        raise ImpossibleError(message, hint="leave --pool out: a variant each has its own")
    parameters: dict[str, object] = {
        "VariantName": _ALONE,
        "ModelName": models[0],
        "InstancePools": [
            {
                "InstanceType": placement.selected.instance,
                "Priority": priority,
                "ModelNameOverride": model,
            }
            for priority, (placement, model) in enumerate(
                zip(placements, models, strict=True), start=1
            )
        ],
        "InitialInstanceCount": placements[0].count,
        "InitialVariantWeight": 1.0,
        **common,
    }
    if ami := placements[0].selected.ami:
        parameters["InferenceAmiVersion"] = ami
    return parameters


def _serverless(model: str, hosting: Hosting) -> dict[str, object]:
    if hosting.serverless is None or hosting.async_output or hosting.is_pool:
        message = "a serverless endpoint has no instances, and is not asynchronous"
        raise UsageError(message)
    return {
        "VariantName": _ALONE,
        "ModelName": model,
        "InitialVariantWeight": 1.0,
        "ServerlessConfig": {
            "MemorySizeInMB": hosting.serverless.memory_mb,
            "MaxConcurrency": hosting.serverless.concurrency,
        },
    }
