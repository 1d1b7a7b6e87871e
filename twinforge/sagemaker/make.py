"""Making what has a name by its content: once, however often it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twinforge.errors import AwsRefusedError, DeployError
from twinforge.events import State
from twinforge.sagemaker.aws import find_or_none

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twinforge.sagemaker.deployment import Deployment
    from twinforge.sagemaker.means import Means
    from twinforge.sagemaker.request import Request

__all__ = ["make_parts", "send_consistently"]


def send_consistently(means: Means, request: Request, *, known: tuple[str, ...]) -> None:
    """Send a request that names things which were just made and may not be seen everywhere yet.

    A refusal is tried again only when it is a ``ValidationException`` that names one of ``known``,
    which exist, and no image; every other is definite.

    Source: API reference, ``CreateEndpoint``, on eventually consistent reads.

    Raises:
        AwsRefusedError: A definite "no", or the same one to the end.
        AwsError: AWS could not be used.
    """
    for is_last in means.patience.consistent():
        try:
            means.sagemaker.call(request.operation, request.parameters)
        except AwsRefusedError as error:
            if is_last or not _may_pass(error, known):
                raise
            text = f"{request.operation}: not visible everywhere yet, trying again: {error.said}"
            means.tell(known[0], State.NOTE, text)
        else:
            return


def make_parts(plan: Deployment, means: Means) -> None:
    """Make the models and the endpoint config of a plan, those that are not there.

    Raises:
        DeployError: One of the names is taken by something else.
        AwsError: AWS said no, or could not be used.
    """
    roles = tuple({str(model.parameters["ExecutionRoleArn"]) for model in plan.models})
    for model in plan.models:
        if _make(means, model, "DescribeModel", "ModelName", roles):
            means.tell(plan.endpoint, State.NOTE, f"made the model {model.parameters['ModelName']}")
    names = tuple(str(model.parameters["ModelName"]) for model in plan.models)
    if _make(means, plan.config, "DescribeEndpointConfig", "EndpointConfigName", names):
        means.tell(plan.endpoint, State.NOTE, f"made the endpoint config {plan.config_name}")


def _make(means: Means, request: Request, describe: str, key: str, known: tuple[str, ...]) -> bool:
    """Make what is not there; return whether we did.

    Its name says its content. One that somebody else gave the name to is refused, and one that a
    request made whose answer was lost is taken.
    """
    asked = {key: request.parameters[key]}
    found = find_or_none(means.sagemaker, describe, asked)
    if found is None:
        try:
            send_consistently(means, request, known=known)
        except AwsRefusedError:
            found = find_or_none(means.sagemaker, describe, asked)
            if found is None:
                raise
        else:
            return True
    if _content(found) != _content(request.parameters):
        message = f"'{asked[key]}' is there and holds something else: somebody else made it"
        raise DeployError(message, hint="delete it if nobody needs it")
    return False


def _content(parameters: Mapping[str, Any]) -> tuple[object, ...]:
    """What matters of a model or an endpoint config; SageMaker's defaults stay out of it."""
    container = parameters.get("PrimaryContainer", {})
    variants = parameters.get("ProductionVariants", ())
    return (
        container.get("Image"),
        container.get("ModelDataUrl"),
        [(one.get("ModelName"), one.get("InstanceType")) for one in variants],
    )


def _may_pass(error: AwsRefusedError, known: tuple[str, ...]) -> bool:
    said = error.said.lower()  # SageMaker's ARNs hold names in lower case
    names_known = any(name.lower() in said for name in known)
    return error.code == "ValidationException" and names_known and "@sha256:" not in said
