"""An endpoint as SageMaker describes it, and waiting until it has come to rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twinforge.errors import DeployError
from twinforge.events import State
from twinforge.sagemaker.aws import find_or_none
from twinforge.sagemaker.deployment import digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twinforge.sagemaker.aws import Service
    from twinforge.sagemaker.means import Means

__all__ = ["EndpointState", "VariantState", "find_endpoint", "wait_for_rest"]

MOVING = frozenset({"Creating", "Updating", "RollingBack", "SystemUpdating", "Deleting"})
"""Statuses that pass by themselves.

Source: botocore's service model, ``EndpointStatus``.
"""


@dataclass(frozen=True, slots=True)
class VariantState:
    """A production variant as it is now.

    Attributes:
        name: The variant's name.
        digests: The digests of the images that run, sorted.
        instances: How many instances it has.
        wanted: How many it shall have.
        weight: Its share of the traffic, relative to the others'.
    """

    name: str
    digests: tuple[str, ...]
    instances: int
    wanted: int
    weight: float


@dataclass(frozen=True, slots=True)
class EndpointState:
    """What ``DescribeEndpoint`` says.

    Attributes:
        name: The endpoint's name.
        arn: Its ARN.
        status: ``InService``, ``Updating`` ...
        config: The endpoint config that it runs.
        pending: The endpoint config that it is moving to, or empty.
        reason: Why something failed, or empty.
        variants: Its production variants.
    """

    name: str
    arn: str
    status: str
    config: str
    pending: str
    reason: str
    variants: tuple[VariantState, ...]

    @property
    def is_moving(self) -> bool:
        """Whether the status passes by itself."""
        return self.status in MOVING

    @property
    def target(self) -> str:
        """The endpoint config that it is on, or on the way to."""
        return self.pending or self.config

    def as_json(self) -> dict[str, object]:
        """Return it as ``twinforge endpoint status --json`` prints it."""
        return {
            "endpoint": self.name,
            "status": self.status,
            "config": self.config,
            "pending": self.pending,
            "reason": self.reason,
            "variants": [
                {
                    "variant": one.name,
                    "digests": list(one.digests),
                    "instances": one.instances,
                    "wanted": one.wanted,
                    "weight": one.weight,
                }
                for one in self.variants
            ],
        }


def find_endpoint(service: Service, name: str) -> EndpointState | None:
    """Return an endpoint, or None where there is none of that name."""
    answer = find_or_none(service, "DescribeEndpoint", {"EndpointName": name})
    return None if answer is None else _state(answer)


def wait_for_rest(means: Means, name: str) -> EndpointState | None:
    """Wait until nothing moves any more; None when the endpoint is gone.

    Raises:
        DeployError: It still moves when patience ends.
        AwsError: AWS could not be used.
    """
    told = status = ""
    means.tell(name, State.STARTED)
    for _ in means.patience.looks():
        state = find_endpoint(means.sagemaker, name)
        if state is None or not state.is_moving:
            return state
        text = _progress(state)
        if text != told:
            means.tell(name, State.NOTE if state.status != status else State.PROGRESS, text)
            told, status = text, state.status
    message = f"the endpoint '{name}' is still {status} after {means.patience.limit_s:.0f} s"
    raise DeployError(message, hint=f"it goes on; see `twinforge endpoint status {name}`")


def _progress(state: EndpointState) -> str:
    parts = [f"{one.name} {one.instances}/{one.wanted}" for one in state.variants]
    return " ".join([state.status, *parts])


def _state(answer: Mapping[str, Any]) -> EndpointState:
    return EndpointState(
        name=answer["EndpointName"],
        arn=answer["EndpointArn"],
        status=answer["EndpointStatus"],
        config=answer.get("EndpointConfigName", ""),
        pending=answer.get("PendingDeploymentSummary", {}).get("EndpointConfigName", ""),
        reason=answer.get("FailureReason", ""),
        variants=tuple(_variant(one) for one in answer.get("ProductionVariants", ())),
    )


def _variant(answer: Mapping[str, Any]) -> VariantState:
    images = answer.get("DeployedImages", ())
    digests = {digest_of(image.get("ResolvedImage", "")) for image in images}
    return VariantState(
        name=answer["VariantName"],
        digests=tuple(sorted(digest for digest in digests if digest)),
        instances=answer.get("CurrentInstanceCount", 0),
        wanted=answer.get("DesiredInstanceCount", 0),
        weight=answer.get("CurrentWeight", 0.0),
    )
