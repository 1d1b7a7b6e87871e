"""One call of an AWS service, as a value: planned, printed, checked and sent alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Request"]


@dataclass(frozen=True, slots=True)
class Request:
    """One call of SageMaker's API: the operation and its parameters, ready for JSON."""

    operation: str
    parameters: Mapping[str, object]

    def as_json(self) -> dict[str, object]:
        """Return it as ``twinforge deploy --dry-run`` prints it."""
        return {"operation": self.operation, "parameters": dict(self.parameters)}
