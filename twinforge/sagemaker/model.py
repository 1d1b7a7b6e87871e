"""SageMaker's own description of its API, as botocore ships it: no network, no credentials.

Botocore's validator checks names, types and lower bounds; the service also refuses what is too
long or too large, outside an enumeration, or against a pattern. Here all of it is checked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.loaders import Loader
from botocore.model import (
    ListShape,
    MapShape,
    OperationNotFoundError,
    ServiceModel,
    StringShape,
    StructureShape,
)
from botocore.validate import ParamValidator

from twinforge.errors import TwinforgeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from botocore.model import Shape

    from twinforge.sagemaker.request import Request

__all__ = ["check_requests", "request_problems"]

_SHOWN = 8
_NUMBERS = {"integer", "long", "float", "double"}


@cache
def service_model() -> ServiceModel:
    """Return botocore's model of SageMaker; the user's own models under ``~/.aws`` stay out."""
    loader = Loader(
        extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False
    )
    return ServiceModel(loader.load_service_model("sagemaker", "service-2"), "sagemaker")


def check_requests(requests: Sequence[Request], *, endpoint: str = "") -> None:
    """Refuse requests that SageMaker would refuse by their form.

    Args:
        requests: What would be sent.
        endpoint: The name of the endpoint, which no ``Create...`` request before it holds.

    Raises:
        TwinforgeError: One or more do not follow the service model; the message holds every
            problem, one a line.
    """
    problems = [
        f"{request.operation}: {problem}"
        for request in requests
        for problem in request_problems(request)
    ]
    if endpoint:
        shape = service_model().shape_for("EndpointName")
        problems.extend(f"endpoint: {text}" for text in _problems(shape, endpoint, "EndpointName"))
    if problems:
        message = "sagemaker would refuse this:\n" + "\n".join(problems)
        raise TwinforgeError(message)


def request_problems(request: Request) -> tuple[str, ...]:
    """Return everything that is wrong with the form of a request, by the service model."""
    try:
        shape = service_model().operation_model(request.operation).input_shape
    except OperationNotFoundError:
        return ("sagemaker has no such operation",)
    if shape is None:
        return ()
    report = ParamValidator().validate(dict(request.parameters), shape)
    basic = report.generate_report().splitlines() if report.has_errors() else []
    return (*basic, *_problems(shape, request.parameters, ""))


def _problems(shape: Shape, value: Any, where: str) -> Iterator[str]:
    """What botocore's validator leaves to the service; wrong types are its own business."""
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        for name in [name for name in value if name in shape.members]:
            yield from _problems(shape.members[name], value[name], f"{where}.{name}".lstrip("."))
    elif isinstance(shape, ListShape) and isinstance(value, (list, tuple)):
        yield from _too_much(shape, len(value), f"{where} has {len(value)} items")
        for position, item in enumerate(value):
            yield from _problems(shape.member, item, f"{where}[{position}]")
    elif isinstance(shape, MapShape) and isinstance(value, Mapping):
        yield from _too_much(shape, len(value), f"{where} has {len(value)} entries")
        for name, item in value.items():
            yield from _problems(shape.key, name, f"{where} key")
            yield from _problems(shape.value, item, f"{where}.{name}")
    else:
        yield from _scalar_problems(shape, value, where)


def _scalar_problems(shape: Shape, value: Any, where: str) -> Iterator[str]:
    if isinstance(shape, StringShape) and isinstance(value, str):
        yield from _too_much(shape, len(value), f"{where} has {len(value)} characters")
        yield from _text_problems(shape, value, where)
    elif shape.type_name in _NUMBERS and isinstance(value, (int, float)):
        yield from _too_much(shape, value, f"{where} is {value}")


def _too_much(shape: Shape, amount: float, claim: str) -> Iterator[str]:
    limit = shape.metadata.get("max")
    if limit is not None and amount > float(limit):
        yield f"{claim}, at most {limit} is allowed"


def _text_problems(shape: StringShape, value: str, where: str) -> Iterator[str]:
    allowed = shape.metadata.get("enum", [])
    if allowed and value not in allowed:
        shown = ", ".join(allowed[:_SHOWN]) + (", ..." if len(allowed) > _SHOWN else "")
        yield f"{where} is '{value}', which is none of {shape.name} ({shown})"
    pattern = shape.metadata.get("pattern")
    if pattern and not _fits(pattern, value):
        yield f"{where} is '{value}', which does not match {pattern}"


def _fits(pattern: str, value: str) -> bool:
    try:
        return re.fullmatch(pattern, value, re.DOTALL) is not None
    except re.error:
        # a few of the service's patterns use Java's syntax; what can't be read can't be judged
        return True
