"""Carrying out a deployment: make what is missing, move the endpoint, and prove what runs.

A rolled-back update ends ``InService`` like one that worked, so that the status proves nothing:
the endpoint config's name and the digests of the running images do.

Source: botocore's waiter ``EndpointInService``; API reference, ``DeployedImage``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twinforge.errors import AwsRefusedError, DeployError
from twinforge.events import Event, State
from twinforge.sagemaker.aws import find_or_none
from twinforge.sagemaker.endpoint import EndpointState, find_endpoint, wait_for_rest
from twinforge.sagemaker.logs import endpoint_group, last_lines
from twinforge.sagemaker.naming import PREVIOUS_TAG, tags
from twinforge.sagemaker.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twinforge.events import Listener
    from twinforge.sagemaker.aws import Service
    from twinforge.sagemaker.deployment import Deployment
    from twinforge.sagemaker.patience import Patience

__all__ = ["Deployed", "carry_out", "create_consistently", "move_endpoint", "prove"]


@dataclass(frozen=True, slots=True)
class Deployed:
    """What a deployment came to.

    Attributes:
        endpoint: The endpoint's name.
        config: The endpoint config that it runs, or is on the way to.
        previous: The endpoint config before, or empty for a new endpoint.
        already: Whether nothing had to be written.
        proved: Whether it was seen to run the images; False when it was not waited for.
        digests: The digests that run, by production variant.
    """

    endpoint: str
    config: str
    previous: str
    already: bool
    proved: bool
    digests: Mapping[str, tuple[str, ...]]

    def as_json(self) -> dict[str, object]:
        """Return it as ``twinforge deploy --json`` prints it."""
        return {
            "endpoint": self.endpoint,
            "config": self.config,
            "previous": self.previous,
            "already": self.already,
            "proved": self.proved,
            "digests": {name: list(found) for name, found in self.digests.items()},
        }


def carry_out(  # noqa: PLR0913 - what, by whom and how, all by keyword
    plan: Deployment,
    *,
    service: Service,
    logs: Service,
    patience: Patience,
    listener: Listener,
    wait: bool = True,
) -> Deployed:
    """Bring an endpoint to a plan; the same plan again is a success without a write.

    An update that is already under way to the same endpoint config is waited for.

    Raises:
        DeployError: The endpoint is busy or failed, or does not run the plan's images afterwards;
            the message holds SageMaker's reason and the container's last lines.
        AwsRefusedError: AWS said no; the endpoint is as it was.
        AwsError: AWS could not be used.
    """
    before = find_endpoint(service, plan.endpoint)
    previous = before.config if before is not None else ""
    is_under_way = before is not None and before.is_moving and before.target == plan.config_name
    already = before is not None and before.status == "InService" and previous == plan.config_name
    if before is not None and not already and not is_under_way:
        _refuse_unless_ready(before)
    if not already and not is_under_way:
        _make_parts(plan, service, patience, listener)
        request = plan.update if before is not None else plan.create
        _send_move(plan, request, service, patience, listener)
        if before is not None:
            _remember(service, before)
    if not wait and not already:
        return Deployed(
            plan.endpoint, plan.config_name, previous, already, proved=False, digests={}
        )
    state = (
        before
        if already
        else wait_for_rest(service, plan.endpoint, patience=patience, listener=listener)
    )
    proved = _judge(plan, state, previous, service, logs, patience, listener)
    digests = {one.name: one.digests for one in proved.variants}
    listener(Event("deploy", plan.endpoint, State.DONE, f"runs {plan.config_name}"))
    return Deployed(
        plan.endpoint, plan.config_name, previous, already, proved=True, digests=digests
    )


def move_endpoint(  # noqa: PLR0913 - what, by whom and how, all by keyword
    before: EndpointState,
    config: str,
    *,
    service: Service,
    logs: Service,
    patience: Patience,
    listener: Listener,
) -> EndpointState:
    """Move an endpoint to a config that is there, and wait until it runs it.

    Raises:
        DeployError: The endpoint is busy or failed, or does not run the config afterwards.
    """
    _refuse_unless_ready(before)
    request = Request("UpdateEndpoint", {"EndpointName": before.name, "EndpointConfigName": config})
    create_consistently(service, request, known=(config,), patience=patience, listener=listener)
    _remember(service, before)
    state = wait_for_rest(service, before.name, patience=patience, listener=listener)
    if state is None or state.status != "InService" or state.config != config:
        raise _failure(before.name, config, state, logs)
    listener(Event("deploy", before.name, State.DONE, f"runs {config}"))
    return state


def prove(plan: Deployment, state: EndpointState) -> str:
    """Return why a state does not prove that an endpoint runs a plan, or an empty string."""
    if state.status != "InService":
        return f"it is {state.status}"
    if state.config != plan.config_name:
        return f"it runs '{state.config}'"
    running = {one.name: frozenset(one.digests) for one in state.variants}
    for name, allowed in plan.digests.items():
        found = running.get(name)
        if found is None:
            return f"it has no variant '{name}'"
        if not found and not plan.is_serverless:
            return f"it does not say which image '{name}' runs"
        if strange := sorted(found - allowed):
            return f"'{name}' runs {strange[0]} instead of {', '.join(sorted(allowed))}"
    return ""


def create_consistently(
    service: Service,
    request: Request,
    *,
    known: tuple[str, ...],
    patience: Patience,
    listener: Listener,
) -> Mapping[str, Any]:
    """Send a request that names things which were just made and may not be seen everywhere yet.

    A refusal is tried again only when it is a ``ValidationException`` that names one of ``known``,
    which exist, and no image; every other is definite.

    Source: API reference, ``CreateEndpoint``, on eventually consistent reads.

    Raises:
        AwsRefusedError: A definite "no", or the same one to the end.
    """
    for is_last in patience.consistent():
        try:
            return service.call(request.operation, request.parameters)
        except AwsRefusedError as error:
            if is_last or not _may_pass(error, known):
                raise
            text = f"{request.operation}: not visible everywhere yet, trying again: {error.said}"
            listener(Event("deploy", known[0], State.NOTE, text))
    raise AssertionError  # pragma: no cover - the last try returns or raises


def _may_pass(error: AwsRefusedError, known: tuple[str, ...]) -> bool:
    said = error.said.lower()  # SageMaker's ARNs hold names in lower case
    names_known = any(name.lower() in said for name in known)
    return error.code == "ValidationException" and names_known and "@sha256:" not in said


def _refuse_unless_ready(state: EndpointState) -> None:
    if state.is_moving:
        message = f"the endpoint '{state.name}' is {state.status} to '{state.target}'"
        raise DeployError(message, hint="wait until it has come to rest, then run this again")
    if state.status in {"Failed", "OutOfService"}:
        message = f"the endpoint '{state.name}' is {state.status}: {state.reason}"
        hint = f"only deleting helps: `twinforge endpoint delete {state.name}`"
        raise DeployError(message, hint=hint)


def _make_parts(plan: Deployment, service: Service, patience: Patience, listener: Listener) -> None:
    roles = tuple({str(model.parameters["ExecutionRoleArn"]) for model in plan.models})
    for model in plan.models:
        name = str(model.parameters["ModelName"])
        if _make(service, model, "DescribeModel", "ModelName", roles, patience, listener):
            listener(Event("deploy", plan.endpoint, State.NOTE, f"made the model {name}"))
    names = tuple(str(model.parameters["ModelName"]) for model in plan.models)
    describe = ("DescribeEndpointConfig", "EndpointConfigName")
    if _make(service, plan.config, *describe, names, patience, listener):
        text = f"made the endpoint config {plan.config_name}"
        listener(Event("deploy", plan.endpoint, State.NOTE, text))


def _make(  # noqa: PLR0913, PLR0917 - one step with all that it needs
    service: Service,
    request: Request,
    describe: str,
    key: str,
    known: tuple[str, ...],
    patience: Patience,
    listener: Listener,
) -> bool:
    """Make what is not there; return whether we did.

    Its name says its content. One that somebody else gave the name to is refused, and one that a
    request made whose answer was lost is taken.
    """
    asked = {key: request.parameters[key]}
    found = find_or_none(service, describe, asked)
    if found is None:
        try:
            create_consistently(service, request, known=known, patience=patience, listener=listener)
        except AwsRefusedError:
            found = find_or_none(service, describe, asked)
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


def _send_move(
    plan: Deployment,
    request: Request,
    service: Service,
    patience: Patience,
    listener: Listener,
) -> None:
    """Set the endpoint in motion; a refusal counts for nothing where it is on its way already."""
    known = (plan.config_name,)
    try:
        create_consistently(service, request, known=known, patience=patience, listener=listener)
    except AwsRefusedError:
        state = find_endpoint(service, plan.endpoint)
        if state is None or state.target != plan.config_name:
            raise


def _remember(service: Service, before: EndpointState) -> None:
    mark = tags({PREVIOUS_TAG: before.config})
    service.call("AddTags", {"ResourceArn": before.arn, "Tags": mark})


def _judge(  # noqa: PLR0913, PLR0917 - one question with all that it needs
    plan: Deployment,
    state: EndpointState | None,
    previous: str,
    service: Service,
    logs: Service,
    patience: Patience,
    listener: Listener,
) -> EndpointState:
    problem = prove(plan, state) if state is not None else "it is gone"
    if state is not None and not problem:
        return state
    failure = _failure(plan.endpoint, plan.config_name, state, logs, problem=problem)
    is_on_new = state is not None and state.status == "InService" and state.config != previous
    if state is not None and is_on_new and previous and state.config == plan.config_name:
        # SageMaker calls it a success, so that it is for us to put the old config back.
        move_endpoint(
            state, previous, service=service, logs=logs, patience=patience, listener=listener
        )
        failure.hint = f"it was rolled back to '{previous}'"
    raise failure


def _failure(
    endpoint: str, config: str, state: EndpointState | None, logs: Service, *, problem: str = ""
) -> DeployError:
    reason = state.reason if state is not None else ""
    problem = problem or (f"it is {state.status} on '{state.config}'" if state else "it is gone")
    parts = [f"the endpoint '{endpoint}' does not run '{config}': {problem}"]
    if reason:
        parts.append(f"reason: {reason}")
    parts.append(last_lines(logs, endpoint_group(endpoint)))
    hint = ""
    if state is not None and state.status == "InService":
        hint = f"SageMaker rolled it back; it serves '{state.config}' as before"
    elif state is not None and state.status == "Failed":
        hint = f"`twinforge endpoint delete {endpoint}` before the next try"
    elif state is not None and state.status == "UpdateRollbackFailed":
        hint = f"it serves a mix of both; try `twinforge endpoint rollback {endpoint}`"
    return DeployError("\n".join(parts), hint=hint)
