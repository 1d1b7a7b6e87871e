"""Carrying out a training job: start it, follow its status and its log, say what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twinforge.errors import AwsError, AwsRefusedError, TrainError, UsageError
from twinforge.events import State
from twinforge.sagemaker.aws import find_or_none
from twinforge.sagemaker.logs import LogFollower, training_group
from twinforge.sagemaker.make import send_consistently

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twinforge.sagemaker.aws import Service
    from twinforge.sagemaker.means import Means
    from twinforge.sagemaker.request import Request

__all__ = ["Trained", "find_model", "follow", "read_job", "start", "stop"]

_ENDS = frozenset({"Completed", "Failed", "Stopped"})
_SHOWN_LINES = 20


@dataclass(frozen=True, slots=True)
class Trained:
    """A training job as it is now.

    Attributes:
        name: The job's name.
        status: ``InProgress``, ``Completed``, ``Failed``, ``Stopping`` or ``Stopped``.
        phase: The secondary status, such as ``Downloading``.
        image: The image that it runs.
        instance: The instance type.
        model: The S3 address of the model, or empty as long as there is none.
        reason: Why it failed, or empty.
        seconds: How long it trained.
        billed_s: How many seconds are billed.
    """

    name: str
    status: str
    phase: str
    image: str
    instance: str
    model: str
    reason: str
    seconds: int
    billed_s: int

    @property
    def has_ended(self) -> bool:
        """Whether it can't change any more."""
        return self.status in _ENDS

    def as_json(self) -> dict[str, object]:
        """Return it as ``twinforge train --json`` prints it."""
        return {
            "job": self.name,
            "status": self.status,
            "phase": self.phase,
            "image": self.image,
            "instance": self.instance,
            "model": self.model,
            "reason": self.reason,
            "seconds": self.seconds,
            "billed_s": self.billed_s,
        }


def start(means: Means, request: Request) -> Trained:
    """Start a job; one of that name with the same image, data and output is taken as it is.

    Raises:
        UsageError: There is another job of that name.
        AwsRefusedError: AWS said no.
        AwsError: AWS could not be used.
    """
    name = str(request.parameters["TrainingJobName"])
    asked = {"TrainingJobName": name}
    found = find_or_none(means.sagemaker, "DescribeTrainingJob", asked)
    if found is None:
        try:
            send_consistently(means, request, known=(str(request.parameters["RoleArn"]),))
        except AwsRefusedError:
            # a request whose answer was lost may have started it
            found = find_or_none(means.sagemaker, "DescribeTrainingJob", asked)
            if found is None:
                raise
        else:
            means.tell(name, State.NOTE, "it was started")
            return read_job(means.sagemaker, name)
    if other := _difference(request.parameters, found):
        message = f"there is another training job '{name}': its {other} differs"
        raise UsageError(message, hint="give another --name")
    means.tell(name, State.NOTE, "it was started before")
    return _trained(found)


def read_job(service: Service, name: str) -> Trained:
    """Return a job as it is now.

    Raises:
        UsageError: There is no such job.
    """
    found = find_or_none(service, "DescribeTrainingJob", {"TrainingJobName": name})
    if found is None:
        message = f"there is no training job '{name}'"
        raise UsageError(message, hint="see 'aws sagemaker list-training-jobs'")
    return _trained(found)


def find_model(service: Service, name: str) -> str:
    """Return the S3 address of the model that a job left.

    Raises:
        UsageError: There is no such job.
        TrainError: It left no model, or is not there yet.
    """
    job = read_job(service, name)
    if not job.model:
        message = f"the training job '{name}' has no model: it is {job.status} ({job.phase})"
        raise TrainError("\n".join([message, *filter(None, [job.reason])]))
    return job.model


def follow(means: Means, name: str) -> Trained:
    """Tell the listener of a job's status and log until it has ended.

    Raises:
        TrainError: It failed, was stopped, or still runs when patience ends.
    """
    follower = LogFollower(means.logs, training_group(), f"{name}/")
    last: list[str] = []
    phase = ""
    means.tell(name, State.STARTED)
    for _ in means.patience.looks():
        job = read_job(means.sagemaker, name)
        last = [*last, *_tell_lines(means, follower, name, last)][-_SHOWN_LINES:]
        if job.phase != phase:
            phase = job.phase
            means.tell(name, State.NOTE, phase)
        if job.has_ended:
            _refuse_unless_complete(job, last)
            means.tell(name, State.DONE, job.model)
            return job
    message = f"the training job '{name}' still runs after {means.patience.limit_s:.0f} s"
    raise TrainError(message, hint=f"it goes on; stop it with `twinforge job stop {name}`")


def stop(service: Service, name: str) -> None:
    """Ask SageMaker to stop a job: it gets SIGTERM, and 120 s to save its model.

    Raises:
        AwsRefusedError: There is no such job, or it has ended.
    """
    service.call("StopTrainingJob", {"TrainingJobName": name})


def _refuse_unless_complete(job: Trained, last: list[str]) -> None:
    if job.status == "Completed":
        return
    parts = [f"the training job '{job.name}' is {job.status} ({job.phase})"]
    if job.reason:
        parts.append(f"reason: {job.reason}")
    hint = f"what it saved until then is in {job.model}" if job.model else ""
    raise TrainError("\n".join([*parts, *last]), hint=hint)


def _tell_lines(means: Means, follower: LogFollower, name: str, last: list[str]) -> list[str]:
    """A log that can't be read is said once, and ends nothing."""
    try:
        lines = [f"{stream}: {line}" for stream, line in follower.new_lines()]
    except AwsError as error:
        lines = [f"the log can't be read: {error.message}"]
        if last[-1:] == lines:
            return []
    if lines:
        means.tell(name, State.NOTE, "\n".join(lines))
    return lines


def _difference(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    compared = ("AlgorithmSpecification", "TrainingImage"), ("OutputDataConfig", "S3OutputPath")
    for part, name in compared:
        if ours[part][name] != theirs.get(part, {}).get(name):
            return name
    if dict(ours.get("HyperParameters", {})) != dict(theirs.get("HyperParameters", {})):
        return "HyperParameters"
    if _uris(ours) != _uris(theirs):
        return "InputDataConfig"
    return ""


def _uris(parameters: Mapping[str, Any]) -> dict[str, str]:
    return {
        channel["ChannelName"]: channel["DataSource"].get("S3DataSource", {}).get("S3Uri", "")
        for channel in parameters.get("InputDataConfig", ())
    }


def _trained(answer: Mapping[str, Any]) -> Trained:
    resources = answer.get("ResourceConfig", {})
    has_model = answer["TrainingJobStatus"] in {"Completed", "Stopped"}
    artifacts = answer.get("ModelArtifacts", {}) if has_model else {}
    return Trained(
        name=answer["TrainingJobName"],
        status=answer["TrainingJobStatus"],
        phase=answer.get("SecondaryStatus", ""),
        image=answer.get("AlgorithmSpecification", {}).get("TrainingImage", ""),
        instance=resources.get("InstanceType", ""),
        model=artifacts.get("S3ModelArtifacts", ""),
        reason=answer.get("FailureReason", ""),
        seconds=answer.get("TrainingTimeInSeconds", 0),
        billed_s=answer.get("BillableTimeInSeconds", 0),
    )
