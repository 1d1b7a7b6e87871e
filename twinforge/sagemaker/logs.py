"""What containers printed, as CloudWatch Logs keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twinforge.errors import AwsError
from twinforge.sagemaker.aws import find_or_none

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twinforge.sagemaker.aws import Service

__all__ = ["LogFollower", "endpoint_group", "last_lines", "training_group"]

_STREAMS = 4
_LINES = 20


def endpoint_group(endpoint: str) -> str:
    """Return the log group of an endpoint; its streams are ``<variant>/<instance>``."""
    return f"/aws/sagemaker/Endpoints/{endpoint}"


def training_group() -> str:
    """Return the log group of training jobs; a job's streams are ``<job>/<host>-<time>``."""
    return "/aws/sagemaker/TrainingJobs"


def last_lines(service: Service, group: str, *, limit: int = _LINES) -> str:
    """Return the last lines of a group's newest streams, each after its stream's name.

    It helps with an error that is there already, so that it never raises one of its own: what
    can't be read is said in a line.
    """
    try:
        answer = find_or_none(
            service,
            "DescribeLogStreams",
            {
                "logGroupName": group,
                "orderBy": "LastEventTime",
                "descending": True,
                "limit": _STREAMS,
            },
        )
        if answer is None or not answer.get("logStreams"):
            return f"there is no log in {group}: no container got as far as starting"
        parts = []
        for stream in answer["logStreams"]:
            name = stream["logStreamName"]
            asked = {"logGroupName": group, "logStreamName": name, "limit": limit}
            lines = _lines(service.call("GetLogEvents", asked))
            parts.append("\n".join([f"log {name}:", *(f"  {line}" for line in lines)]))
    except AwsError as error:
        return f"the log {group} can't be read: {error.message}"
    return "\n".join(parts)


class LogFollower:
    """Reads what is new in the streams of a job."""

    def __init__(self, service: Service, group: str, prefix: str) -> None:
        self._service = service
        self._group = group
        self._prefix = prefix
        self._tokens: dict[str, str] = {}

    def new_lines(self) -> tuple[tuple[str, str], ...]:
        """Return the lines that came since the last call, each with the end of its stream's name.

        Raises:
            AwsError: The log can't be read; that there is none yet is no error.
        """
        answer = find_or_none(
            self._service,
            "DescribeLogStreams",
            {"logGroupName": self._group, "logStreamNamePrefix": self._prefix},
        )
        found: list[tuple[str, str]] = []
        for stream in (answer or {}).get("logStreams", ()):
            name = str(stream["logStreamName"])
            found += [(name.removeprefix(self._prefix), line) for line in self._read(name)]
        return tuple(found)

    def _read(self, stream: str) -> list[str]:
        lines: list[str] = []
        while True:
            asked: dict[str, object] = {
                "logGroupName": self._group,
                "logStreamName": stream,
                "startFromHead": True,
            }
            before = self._tokens.get(stream, "")
            if before:
                asked["nextToken"] = before
            answer = self._service.call("GetLogEvents", asked)
            lines += _lines(answer)
            after = str(answer.get("nextForwardToken", ""))
            self._tokens[stream] = after
            # The same token again is how the service says that the end is reached.
            if not after or after == before:
                return lines


def _lines(answer: Mapping[str, Any]) -> list[str]:
    return [str(event.get("message", "")).rstrip("\n") for event in answer.get("events", ())]
