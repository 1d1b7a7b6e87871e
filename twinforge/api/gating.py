"""What must hold of images that have arrived, before any alias points to them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from twinforge.api.destinations import named_registry
from twinforge.registry.budget import check_budgets
from twinforge.registry.findings import check_findings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinforge.api.workspace import Workspace
    from twinforge.registry.publish import Gate, Publication

__all__ = ["gate_for"]


def gate_for(workspace: Workspace, name: str) -> Gate | None:
    """Return the gate of a registry of the matrix, or None where it asks for nothing."""
    registry = named_registry(workspace, name)
    if not registry.budgets and registry.scan is None:
        return None

    def gate(arrived: Sequence[Publication]) -> None:
        check_budgets(arrived, registry.budgets)
        if registry.scan is not None:
            today = datetime.now(UTC).date()
            check_findings(arrived, registry.scan, today=today, listener=workspace.listener)

    return gate
