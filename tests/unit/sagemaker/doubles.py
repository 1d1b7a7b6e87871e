"""AWS services in memory: a script of answers, and what was asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from twinforge.errors import AwsRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass
class FakeService:
    """Answers operations from lists; the last answer of each stays."""

    answers: dict[str, list[Any]]
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def call(self, operation: str, parameters: Mapping[str, object]) -> Mapping[str, Any]:
        self.calls.append((operation, dict(parameters)))
        waiting = self.answers[operation]
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if isinstance(answer, Exception):
            raise answer
        found: Mapping[str, Any] = answer
        return found

    @property
    def operations(self) -> list[str]:
        return [name for name, _ in self.calls]


def refused(said: str, code: str = "ValidationException") -> AwsRefusedError:
    return AwsRefusedError(said, code=code, said=said)
