"""How traffic moves from an endpoint's old images to its new ones. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from twinforge.errors import UsageError

__all__ = ["Rollout", "deployment_config"]

Strategy = Literal["", "all-at-once", "canary", "linear", "rolling"]

SHARES = {"canary": (1, 50), "linear": (10, 50), "rolling": (5, 50)}
"""Lowest and highest share of the capacity, in per cent, that moves in one step.

Source: SageMaker API reference, ``TrafficRoutingConfig`` and ``RollingUpdatePolicy``.
"""
ALARMS = 10
LONGEST_BAKE_S = 3600
LONGEST_UPDATE_S = 28800
"""Source: botocore's service model, ``MaximumExecutionTimeoutInSeconds``."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """How an update goes.

    Attributes:
        strategy: Empty for SageMaker's default, which is all at once.
        share_percent: How much of the capacity moves in one step.
        bake_s: How long each step is watched before the next.
        alarms: CloudWatch alarms; one that goes off rolls the update back.
        keep_counts: Whether variants keep the instances and the weight that they have, such as by
            autoscaling, instead of those that the new config begins with.
    """

    strategy: Strategy = ""
    share_percent: int = 0
    bake_s: int = 300
    alarms: tuple[str, ...] = ()
    keep_counts: bool = False

    @property
    def steps(self) -> int:
        """In how many steps the capacity moves."""
        if self.strategy == "canary":
            return 2
        return -(-100 // self.share_percent) if self.share_percent > 0 else 1

    @property
    def watched_s(self) -> int:
        """How long all steps together are watched."""
        is_watched = bool(self.strategy or self.alarms)
        return self.steps * self.bake_s if is_watched else 0


def deployment_config(rollout: Rollout) -> dict[str, object] | None:
    """Return ``DeploymentConfig`` of ``UpdateEndpoint``, or None for SageMaker's default.

    Raises:
        UsageError: SageMaker allows no such step, pause or number of alarms.
    """
    if not rollout.strategy and not rollout.alarms:
        return None
    low, high = SHARES.get(rollout.strategy, (0, 0))
    if not low <= rollout.share_percent <= high:
        message = (
            f"{rollout.share_percent} % is no step of a {rollout.strategy} update ({low} to {high})"
        )
        raise UsageError(message)
    if not 0 <= rollout.bake_s <= LONGEST_BAKE_S:
        message = f"{rollout.bake_s} s is no pause between two steps (0 to {LONGEST_BAKE_S})"
        raise UsageError(message)
    if (pauses_s := (rollout.steps - 1) * rollout.bake_s) > LONGEST_UPDATE_S:
        message = (
            f"{rollout.steps} steps with {rollout.bake_s} s between them take {pauses_s} s, and "
            f"SageMaker ends an update after {LONGEST_UPDATE_S} s"
        )
        raise UsageError(message, hint="give a larger share, or a shorter --bake")
    if len(rollout.alarms) > ALARMS:
        message = f"an update watches up to {ALARMS} alarms, not {len(rollout.alarms)}"
        raise UsageError(message)
    size = {"Type": "CAPACITY_PERCENT", "Value": rollout.share_percent}
    config: dict[str, object] = {}
    if rollout.strategy == "rolling":
        config["RollingUpdatePolicy"] = {
            "MaximumBatchSize": size,
            "WaitIntervalInSeconds": rollout.bake_s,
        }
    else:
        routing: dict[str, object] = {
            "Type": {"canary": "CANARY", "linear": "LINEAR"}.get(rollout.strategy, "ALL_AT_ONCE"),
            "WaitIntervalInSeconds": rollout.bake_s,
        }
        if rollout.strategy == "canary":
            routing["CanarySize"] = size
        elif rollout.strategy == "linear":
            routing["LinearStepSize"] = size
        config["BlueGreenUpdatePolicy"] = {"TrafficRoutingConfiguration": routing}
    if rollout.alarms:
        config["AutoRollbackConfiguration"] = {
            "Alarms": [{"AlarmName": name} for name in rollout.alarms]
        }
    return config
