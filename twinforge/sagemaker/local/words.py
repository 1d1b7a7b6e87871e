"""What the service would say: statuses, and the reasons of failures in its own words. Pure.

Source: the statuses are those of botocore's service model; the wordings are quoted from reports of
users: aws/amazon-sagemaker-examples#739 (``AlgorithmError``), #3650 (``ClientError``), #799 (an
invocation that timed out), the developer guide's "Troubleshoot model deployments" (ping health
check, ``CannotStartContainerError``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "CANNOT_START",
    "INVOCATION_TIMED_OUT",
    "NO_PING",
    "REASON_LIMIT",
    "Ending",
    "judge_ending",
    "refused_start",
]

REASON_LIMIT = 1024
"""Characters that DescribeTrainingJob shows of a reason."""

NO_PING = (
    "The primary container for production variant AllTraffic did not pass the ping health check. "
    "Please check CloudWatch logs for this endpoint."
)
CANNOT_START = (
    "CannotStartContainerError. Please ensure the model container for variant AllTraffic starts "
    "correctly when invoked with 'docker run <image> serve'"
)
INVOCATION_TIMED_OUT = (
    "Your invocation timed out while waiting for a response from container primary. Review the "
    "latency metrics for each container in Amazon CloudWatch, resolve the issue, and try again."
)

StopCause = Literal["", "asked", "time"]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a training job ended.

    Attributes:
        status: ``Completed``, ``Failed`` or ``Stopped``.
        phase: The secondary status.
        reason: Why it failed, or empty.
    """

    status: str
    phase: str
    reason: str = ""

    @property
    def has_model(self) -> bool:
        """Whether the service keeps the model: also of a job that was stopped."""
        return self.status in {"Completed", "Stopped"}


def judge_ending(exit_status: int, failure: str, *, stopped: StopCause = "") -> Ending:
    """Return how a job ended, by what its container left.

    Args:
        exit_status: Of ``train``.
        failure: The content of ``/opt/ml/output/failure``, or empty.
        stopped: Why SIGTERM was sent: ``asked`` by StopTrainingJob, or out of ``time``.

    >>> judge_ending(1, "no column 'label'").reason
    "AlgorithmError: no column 'label', exit code: 1"
    """
    if stopped == "time":
        return Ending("Stopped", "MaxRuntimeExceeded")
    if stopped == "asked":
        return Ending("Stopped", "Stopped")
    if exit_status == 0:
        return Ending("Completed", "Completed")
    end = f", exit code: {exit_status}"
    start = "AlgorithmError: "
    said = failure.strip()[: REASON_LIMIT - len(start) - len(end)]
    return Ending("Failed", "Failed", f"{start}{said}{end}")


def refused_start(words: str) -> Ending:
    """Return how a job ends whose ``train`` the engine can't run."""
    reason = f"ClientError: Artifact upload failed:API error (400): {words}"
    return Ending("Failed", "Failed", reason[:REASON_LIMIT])
