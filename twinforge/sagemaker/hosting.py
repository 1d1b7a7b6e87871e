"""The requests that make an endpoint. Pure: nothing is sent, no clock and no account is asked."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twinforge.sagemaker.select import Selected

__all__ = ["Placement", "Request", "hosting_requests", "parse_instance"]

STARTUP_S = (60, 3600)
"""Lowest and highest ``ContainerStartupHealthCheckTimeoutInSeconds``.

Source: botocore's service model, ``ProductionVariant``.
"""

_NAME_LIMIT = 63
_HASH_DIGITS = 10
_DIGEST_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Request:
    """One call of SageMaker's API: the operation and its parameters, ready for JSON."""

    operation: str
    parameters: Mapping[str, object]

    def as_json(self) -> dict[str, object]:
        """Return it as ``twinforge deploy --dry-run --json`` prints it."""
        return {"operation": self.operation, "parameters": dict(self.parameters)}


@dataclass(frozen=True, slots=True)
class Placement:
    """An image on ``count`` instances of its type."""

    selected: Selected
    count: int = 1


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


def hosting_requests(
    placements: Sequence[Placement], *, endpoint: str, model_data: str, role: str, startup_s: int
) -> tuple[Request, ...]:
    """Return the requests for an endpoint, in the order in which they have to be sent.

    Models and the endpoint config can't be changed once they exist, so both are named by their
    content: the same input gives the same names, another image or model gives new ones. Every
    instance type is a production variant with its own model; traffic is shared by the number of
    instances.

    Args:
        placements: The images and their instances, each type once.
        endpoint: The name of the endpoint.
        model_data: The S3 address of ``model.tar.gz``.
        role: The ARN of the role that SageMaker assumes.
        startup_s: The time that the recipe's image may take to answer ``/ping``.

    Raises:
        UsageError: There is no instance, or a type is named twice.
    """
    types = [placement.selected.instance for placement in placements]
    if not types:
        message = "an endpoint needs at least one instance"
        raise UsageError(message)
    if twice := sorted({name for name in types if types.count(name) > 1}):
        message = f"the instance type '{twice[0]}' is named twice"
        raise UsageError(message, hint=f"give the number of instances: {twice[0]}:2")
    models = [_model(placement.selected, model_data, role) for placement in placements]
    variants = [
        _variant(placement, str(model.parameters["ModelName"]), startup_s, alone=len(types) == 1)
        for placement, model in zip(placements, models, strict=True)
    ]
    name = _named(endpoint, _content_hash({"ProductionVariants": variants}))
    config = {"EndpointConfigName": name, "ProductionVariants": variants}
    unique = {model.parameters["ModelName"]: model for model in models}
    return (*unique.values(), Request("CreateEndpointConfig", config))


def _model(selected: Selected, model_data: str, role: str) -> Request:
    parameters = {
        "PrimaryContainer": {"Image": str(selected.pinned), "ModelDataUrl": model_data},
        "ExecutionRoleArn": role,
    }
    digest = selected.pinned.digest
    image = digest.hex[:_DIGEST_DIGITS] if digest is not None else ""
    name = _named(selected.recipe, image, _content_hash(parameters))
    return Request("CreateModel", {"ModelName": name, **parameters})


def _variant(placement: Placement, model: str, startup_s: int, *, alone: bool) -> dict[str, object]:
    selected = placement.selected
    low, high = STARTUP_S
    parameters: dict[str, object] = {
        # the name that SageMaker's own tools give to the only variant
        "VariantName": "AllTraffic" if alone else _letters(selected.instance),
        "ModelName": model,
        "InstanceType": selected.instance,
        "InitialInstanceCount": placement.count,
        "InitialVariantWeight": float(placement.count),
        "ContainerStartupHealthCheckTimeoutInSeconds": min(max(startup_s, low), high),
    }
    if selected.ami:
        parameters["InferenceAmiVersion"] = selected.ami
    return parameters


def _content_hash(parameters: Mapping[str, object]) -> str:
    text = json.dumps(parameters, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_DIGITS]


def _named(start: str, *ends: str) -> str:
    """Join a name for people with what makes it unique, within SageMaker's limit."""
    end = "".join(f"-{part}" for part in ends)
    return _letters(start)[: _NAME_LIMIT - len(end)].rstrip("-") + end


def _letters(text: str) -> str:
    """Replace what SageMaker's names can't hold: they are letters, digits and hyphens."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")
