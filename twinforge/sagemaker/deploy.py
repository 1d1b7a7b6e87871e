"""Carrying out a deployment: make what is missing, move the endpoint, and prove what runs.

A rolled-back update ends ``InService`` like one that worked, so that the status proves nothing:
the endpoint config's name and the digests of the running images do.

Source: botocore's waiter ``EndpointInService``; API reference, ``DeployedImage``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from twinforge.errors import AwsRefusedError, DeployError
from twinforge.events import State
from twinforge.sagemaker.deployment import Aim, Deployment
from twinforge.sagemaker.endpoint import EndpointState, find_endpoint, wait_for_rest
from twinforge.sagemaker.logs import endpoint_group, last_lines
from twinforge.sagemaker.make import make_parts, send_consistently
from twinforge.sagemaker.naming import PREVIOUS_TAG, tags
from twinforge.sagemaker.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twinforge.sagemaker.means import Means

__all__ = ["Deployed", "carry_out", "move_endpoint", "prove", "refuse_unless_ready"]


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


def carry_out(plan: Deployment, means: Means, *, wait: bool = True) -> Deployed:
    """Bring an endpoint to a plan; the same plan again is a success without a write.

    An update that is already under way to the same endpoint config is waited for.

    Raises:
        DeployError: The endpoint is busy or failed, or does not run the plan's images afterwards;
            the message holds SageMaker's reason and the container's last lines.
        AwsRefusedError: AWS said no; the endpoint is as it was.
        AwsError: AWS could not be used.
    """
    before = find_endpoint(means.sagemaker, plan.endpoint)
    previous = before.config if before is not None else ""
    is_under_way = before is not None and before.is_moving and before.target == plan.config_name
    already = before is not None and before.status == "InService" and previous == plan.config_name
    if not already and not is_under_way:
        if before is not None:
            refuse_unless_ready(before)
        make_parts(plan, means)
        _send(means, plan.update if before is not None else plan.create, plan.config_name)
        if before is not None:
            _remember(means, before)
    if not wait and not already:
        return Deployed(
            plan.endpoint, plan.config_name, previous, already, proved=False, digests={}
        )
    state = before if already else wait_for_rest(means, plan.endpoint)
    problem = prove(plan.aim, state) if state is not None else "it is gone"
    if state is None or problem:
        failure = _failure(means, plan.endpoint, plan.config_name, state, problem)
        if state is not None and previous and _is_success_to_sagemaker(state, plan, previous):
            move_endpoint(state, Aim(previous), means)
            failure.hint = f"it was rolled back to '{previous}'"
        raise failure
    digests = {one.name: one.digests for one in state.variants}
    means.tell(plan.endpoint, State.DONE, f"runs {plan.config_name}")
    return Deployed(
        plan.endpoint, plan.config_name, previous, already, proved=True, digests=digests
    )


def move_endpoint(before: EndpointState, aim: Aim, means: Means) -> EndpointState:
    """Move an endpoint to a config that is there, and wait until it is seen to run its images.

    Raises:
        DeployError: The endpoint is busy or failed, or does not run the config afterwards.
        AwsError: AWS said no, or could not be used.
    """
    refuse_unless_ready(before)
    names = {"EndpointName": before.name, "EndpointConfigName": aim.config}
    _send(means, Request("UpdateEndpoint", names), aim.config)
    _remember(means, before)
    state = wait_for_rest(means, before.name)
    problem = prove(aim, state) if state is not None else "it is gone"
    if state is None or problem:
        raise _failure(means, before.name, aim.config, state, problem)
    means.tell(before.name, State.DONE, f"runs {aim.config}")
    return state


def prove(aim: Aim, state: EndpointState) -> str:
    """Return why a state does not prove that an endpoint runs a config, or an empty string."""
    if state.status != "InService":
        return f"it is {state.status}"
    if state.config != aim.config:
        return f"it runs '{state.config}'"
    running = {one.name: frozenset(one.digests) for one in state.variants}
    for name, allowed in aim.digests.items():
        found = running.get(name)
        if found is None:
            return f"it has no variant '{name}'"
        if not found and not aim.is_serverless:
            return f"it does not say which image '{name}' runs"
        if allowed and (strange := sorted(found - allowed)):
            return f"'{name}' runs {strange[0]} instead of {', '.join(sorted(allowed))}"
    return ""


def _is_success_to_sagemaker(state: EndpointState, plan: Deployment, previous: str) -> bool:
    """Whether it is for us to put the old config back: SageMaker sees nothing wrong."""
    return state.status == "InService" and state.config == plan.config_name != previous


def refuse_unless_ready(state: EndpointState) -> None:
    """Refuse to set an endpoint in motion that moves already, or never will again.

    Raises:
        DeployError: It does.
    """
    if state.is_moving:
        message = f"the endpoint '{state.name}' is {state.status} to '{state.target}'"
        raise DeployError(message, hint="wait until it has come to rest, then run this again")
    if state.status in {"Failed", "OutOfService"}:
        message = f"the endpoint '{state.name}' is {state.status}: {state.reason}"
        hint = f"only deleting helps: `twinforge endpoint delete {state.name}`"
        raise DeployError(message, hint=hint)


def _send(means: Means, request: Request, config: str) -> None:
    """Set the endpoint in motion; a refusal counts for nothing where it is on its way already."""
    try:
        send_consistently(means, request, known=(config,))
    except AwsRefusedError:
        state = find_endpoint(means.sagemaker, str(request.parameters["EndpointName"]))
        if state is None or state.target != config:
            raise


def _remember(means: Means, before: EndpointState) -> None:
    mark = tags({PREVIOUS_TAG: before.config})
    means.sagemaker.call("AddTags", {"ResourceArn": before.arn, "Tags": mark})


def _failure(
    means: Means, endpoint: str, config: str, state: EndpointState | None, problem: str
) -> DeployError:
    reason = state.reason if state is not None else ""
    parts = [f"the endpoint '{endpoint}' does not run '{config}': {problem}"]
    if reason:
        parts.append(f"reason: {reason}")
    parts.append(last_lines(means.logs, endpoint_group(endpoint)))
    hint = ""
    if state is not None and state.status == "InService":
        hint = f"SageMaker rolled it back; it serves '{state.config}' as before"
    elif state is not None and state.status == "Failed":
        hint = f"`twinforge endpoint delete {endpoint}` before the next try"
    elif state is not None and state.status == "UpdateRollbackFailed":
        hint = f"it serves a mix of both; try `twinforge endpoint rollback {endpoint}`"
    return DeployError("\n".join(parts), hint=hint)
