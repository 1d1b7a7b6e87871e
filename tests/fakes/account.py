"""An AWS account as a fake keeps it: what was made, its tags and logs, and what was asked.

Time is told in looks: every ``Describe...`` of something that moves takes it one step further, so
that no test waits. What each rule rests on stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.fakes.wire import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCOUNT = "123456789012"
REGION = "eu-west-1"
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Fault:
    """A refusal of the next calls of an operation, whatever they ask for."""

    operation: str
    error: RefusedError
    times: int


@dataclass
class Account:
    """What everything in an account has in common.

    Attributes:
        lag: How often something that was just made is not seen by what needs it.
        role_lag: The same of the role.
        calls: Every request that was taken, in order.
        violations: What the documentation forbids and the service does not refuse.
    """

    lag: int = 0
    role_lag: int = 0
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    logs: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    now: datetime = START
    _unseen: dict[str, int] = field(default_factory=dict)

    def fail_next(self, operation: str, code: str, said: str = "", *, times: int = 1) -> None:
        """Refuse the next calls of an operation."""
        self.faults.append(Fault(operation, RefusedError(code=code, said=said or code), times))

    def operations(self, *starts: str) -> list[str]:
        """Return the operations that were taken and begin with one of these words."""
        return [name for name, _ in self.calls if name.startswith(starts or ("",))]

    @property
    def writes(self) -> list[str]:
        """Return the operations that were taken and change something."""
        return self.operations("Create", "Update", "Delete", "Stop", "Add")

    def handle(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Answer a request of the control plane or of the logs."""
        self.now += timedelta(seconds=1)
        for fault in self.faults:
            if fault.operation == operation and fault.times:
                fault.times -= 1
                raise fault.error
        answer: dict[str, Any] = getattr(self, f"_{operation}")(parameters)
        self.calls.append((operation, parameters))
        return answer

    # ---- tags and logs

    def _AddTags(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self._tag(asked["ResourceArn"], asked)
        return {"Tags": self._ListTags(asked)["Tags"]}

    def _ListTags(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        found = self.tags.get(asked["ResourceArn"], {})
        return {"Tags": [{"Key": key, "Value": value} for key, value in found.items()]}

    def _DescribeLogStreams(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        streams = self._group(asked["logGroupName"])
        if asked.get("orderBy") == "LastEventTime" and "logStreamNamePrefix" in asked:
            # botocore, DescribeLogStreams: can't be combined
            raise RefusedError(
                code="InvalidParameterException", said="Cannot order by LastEventTime"
            )
        names = [name for name in streams if name.startswith(asked.get("logStreamNamePrefix", ""))]
        if asked.get("descending"):
            names.reverse()
        return {"logStreams": [{"logStreamName": n} for n in names[: asked.get("limit", 50)]]}

    def _GetLogEvents(self, asked: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        lines = self._group(asked["logGroupName"])[asked["logStreamName"]]
        begin = int(asked.get("nextToken", "f/0").removeprefix("f/"))
        limit = asked.get("limit", 10_000)
        shown = lines[begin : begin + limit] if asked.get("startFromHead") else lines[-limit:]
        end = begin + len(shown) if asked.get("startFromHead") else len(lines)
        events = [{"timestamp": 1, "ingestionTime": 1, "message": line} for line in shown]
        return {"events": events, "nextForwardToken": f"f/{end}", "nextBackwardToken": "b/0"}

    def log(self, group: str, stream: str, text: str) -> None:
        """Let a container print."""
        self.logs.setdefault(group, {}).setdefault(stream, []).extend(text.splitlines())

    def _group(self, name: str) -> dict[str, list[str]]:
        if name not in self.logs:
            said = "The specified log group does not exist."
            raise RefusedError(code="ResourceNotFoundException", said=said)
        return self.logs[name]

    # ---- what is shared

    def _keep(
        self, kind: str, name: str, kept: dict[str, dict[str, Any]], asked: dict[str, Any]
    ) -> str:
        kept[name] = {"asked": asked, "created": self.now}
        self._unseen[arn(kind, name)] = self.lag
        self._tag(arn(kind, name), asked)
        return arn(kind, name)

    def _see(self, kind: str, name: str, kept: Mapping[str, Any]) -> None:
        """Let a dependent find something, which for a while it does not.

        Source: botocore, CreateEndpoint, on eventually consistent reads.
        """
        left = self._unseen.get(arn(kind, name), 0)
        if name in kept and not left:
            return
        self._unseen[arn(kind, name)] = max(0, left - 1)
        words = "endpoint configuration" if kind == "endpoint-config" else kind
        refuse(f'Could not find {words} "{arn(kind, name)}".')

    def _see_role(self, role: str) -> None:
        if self.role_lag:
            self.role_lag -= 1
            refuse(
                f"Could not assume role {role}. Please ensure that the role exists and allows "
                "principal 'sagemaker.amazonaws.com' to assume the role."
            )

    def _described(
        self, kind: str, name: str, kept: Mapping[str, dict[str, Any]], key: str
    ) -> dict[str, Any]:
        if name not in kept:
            refuse(f'Could not find {kind} "{arn(kind, name)}".')
        asked = {k: value for k, value in kept[name]["asked"].items() if k != "Tags"}
        return {**asked, key: arn(kind, name), "CreationTime": kept[name]["created"]}

    def _drop(self, kind: str, name: str, kept: dict[str, dict[str, Any]]) -> None:
        if name not in kept:
            refuse(f'Could not find {kind} "{arn(kind, name)}".')
        del kept[name]

    def _listed(
        self, kind: str, kept: Mapping[str, dict[str, Any]], word: str, asked: dict[str, Any]
    ) -> dict[str, Any]:
        """Two a page, so that whoever reads the first page alone is found out."""
        names = [name for name in kept if asked.get("NameContains", "") in name]
        names.sort(
            key=lambda name: kept[name]["created"], reverse=asked.get("SortOrder") != "Ascending"
        )
        begin = int(asked.get("NextToken", "0"))
        answer: dict[str, Any] = {
            f"{word}s": [
                {
                    f"{word}Name": name,
                    f"{word}Arn": arn(kind, name),
                    "CreationTime": kept[name]["created"],
                }
                for name in names[begin : begin + 2]
            ]
        }
        if begin + 2 < len(names):
            answer["NextToken"] = str(begin + 2)
        return answer

    def _tag(self, resource: str, asked: Mapping[str, Any]) -> None:
        pairs = {tag["Key"]: tag["Value"] for tag in asked.get("Tags", ())}
        self.tags.setdefault(resource, {}).update(pairs)


def arn(kind: str, name: str) -> str:
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{name.lower()}"


def refuse(said: str) -> None:
    """Say no as SageMaker does to nearly everything."""
    raise RefusedError(code="ValidationException", said=said)
