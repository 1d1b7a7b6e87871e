"""The request that starts a training job. Pure: nothing is sent, no clock and no account is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from twinforge.errors import UsageError
from twinforge.sagemaker.model import check_requests
from twinforge.sagemaker.naming import RECIPE_TAG, VARIANTS_TAG, tags
from twinforge.sagemaker.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twinforge.sagemaker.place import Place
    from twinforge.sagemaker.select import Selected

__all__ = ["Job", "parse_channels", "parse_hyperparameters", "plan_training"]

LONGEST_RUNTIME_S = 28 * 86400
"""Source: botocore's service model, ``MaxRuntimeInSeconds``: 28 days."""

_PAIR = re.compile(r"(?P<name>[^=]+)=(?P<value>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Job:
    """How a training job runs, beyond its image and its data.

    Attributes:
        name: The job's name, which no other job of the account may have.
        role: The ARN of the role that SageMaker assumes.
        output: The S3 address below which the model is written.
        count: The number of instances.
        volume_gb: The size of the instances' volume.
        max_runtime_s: When SageMaker stops it.
        is_spot: Whether it runs on spare capacity, which may be taken away.
        max_wait_s: With spot, how long it may take with the waiting for capacity; 0 for twice
            ``max_runtime_s``.
        checkpoints: The S3 address of checkpoints, or empty.
        hyperparameters: By name; every value is text.
    """

    name: str
    role: str
    output: Place
    count: int = 1
    volume_gb: int = 30
    max_runtime_s: int = 86400
    is_spot: bool = False
    max_wait_s: int = 0
    checkpoints: str = ""
    hyperparameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def parse_channels(texts: Sequence[str]) -> dict[str, str]:
    """Parse ``training=s3://bucket/prefix`` and ``training=folder``.

    Raises:
        UsageError: One is no such pair, or a channel is named twice.
    """
    form = "training=s3://bucket/prefix or training=DIR"
    found = _pairs(texts, "channel", form)
    for name, source in found.items():
        if not source:  # an empty path is the folder that one is in, with all that is there
            message = f"'{name}=' is no channel ({form})"
            raise UsageError(message)
    return found


def parse_hyperparameters(texts: Sequence[str]) -> dict[str, str]:
    """Parse ``max_depth=4``; values are text, also with ``=`` in them.

    Raises:
        UsageError: One is no such pair, or one is named twice.
    """
    return _pairs(texts, "hyperparameter", "name=value")


def plan_training(selected: Selected, channels: Mapping[str, Place], job: Job) -> Request:
    """Return ``CreateTrainingJob``, valid by botocore's own model of the service.

    Args:
        selected: The image and the instance type.
        channels: Where each channel's files are, by the channel's name.
        job: How it runs.

    Raises:
        UsageError: The times contradict each other.
        TwinforgeError: SageMaker would not take the request; all problems are named.
    """
    if not 1 <= job.max_runtime_s <= LONGEST_RUNTIME_S:
        message = f"a job runs for 1 to {LONGEST_RUNTIME_S} s, not {job.max_runtime_s}"
        raise UsageError(message)
    if job.max_wait_s and not job.is_spot:
        message = "only a job on spot capacity waits for it"
        raise UsageError(message, hint="add --spot, or leave --max-wait out")
    stopping = {"MaxRuntimeInSeconds": job.max_runtime_s}
    if job.is_spot:
        stopping["MaxWaitTimeInSeconds"] = job.max_wait_s or 2 * job.max_runtime_s
        if stopping["MaxWaitTimeInSeconds"] < job.max_runtime_s:
            message = (
                f"--max-wait {job.max_wait_s} is shorter than the run of {job.max_runtime_s} s"
            )
            raise UsageError(message)
    parameters: dict[str, object] = {
        "TrainingJobName": job.name,
        "AlgorithmSpecification": {
            "TrainingImage": str(selected.pinned),
            "TrainingInputMode": "File",
        },
        "RoleArn": job.role,
        "OutputDataConfig": {"S3OutputPath": str(job.output)},
        "ResourceConfig": {
            "InstanceType": selected.instance,
            "InstanceCount": job.count,
            "VolumeSizeInGB": job.volume_gb,
        },
        "StoppingCondition": stopping,
        "Tags": tags({RECIPE_TAG: selected.recipe, VARIANTS_TAG: selected.variant}),
    }
    if job.hyperparameters:
        parameters["HyperParameters"] = dict(job.hyperparameters)
    if channels:
        parameters["InputDataConfig"] = [_channel(name, at) for name, at in channels.items()]
    if job.is_spot:
        parameters["EnableManagedSpotTraining"] = True
    if job.checkpoints:
        parameters["CheckpointConfig"] = {"S3Uri": job.checkpoints}
    request = Request("CreateTrainingJob", parameters)
    check_requests((request,))
    return request


def _channel(name: str, place: Place) -> dict[str, object]:
    return {
        "ChannelName": name,
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": str(place),
                "S3DataDistributionType": "FullyReplicated",
            }
        },
    }


def _pairs(texts: Sequence[str], what: str, form: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        pair = _PAIR.fullmatch(text)
        if pair is None:
            message = f"'{text}' is no {what} ({form})"
            raise UsageError(message)
        if pair["name"] in found:
            message = f"the {what} '{pair['name']}' is given twice"
            raise UsageError(message)
        found[pair["name"]] = pair["value"]
    return found
