"""One thing that differs between ECR and the matrix: for a person as text, for ECR as a request."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Change", "mutability_text", "rules_text", "scanning_text", "tag_pairs"]


@dataclass(frozen=True, slots=True)
class Change:
    """One request that makes a repository what it must be.

    Attributes:
        region: Where.
        repository: Of which.
        aspect: What differs: ``repository``, ``immutability``, ``scan on push``, ``lifecycle``,
            ``tags`` or ``policy``.
        before: What is there, as text; empty where there is nothing.
        after: What will be.
        operation: The client's method.
        parameters: Its arguments.
        note: More for a person, such as what a lifecycle policy would delete.
    """

    region: str
    repository: str
    aspect: str
    before: str
    after: str
    operation: str
    parameters: Mapping[str, Any] = field(repr=False)
    note: str = ""

    def diff(self) -> str:
        """Return what changes, line by line, as ``- old`` and ``+ new``."""
        lines = difflib.ndiff(self.before.splitlines(), self.after.splitlines())
        return "\n".join(line for line in lines if line[0] in "+-")


def tag_pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return resource tags as ECR takes them."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def mutability_text(parameters: Mapping[str, Any]) -> str:
    """Return which tags may move, as ECR's description or our parameters say it."""
    kind = parameters.get("imageTagMutability", "MUTABLE")
    filters = [one["filter"] for one in parameters.get("imageTagMutabilityExclusionFilters", ())]
    return f"{kind} {' '.join(sorted(filters))}".strip()


def scanning_text(parameters: Mapping[str, Any]) -> str:
    """Return whether pushed images are scanned, from either."""
    on = parameters.get("imageScanningConfiguration", {}).get("scanOnPush", False)
    return f"scan on push: {'on' if on else 'off'}"


def rules_text(text: str) -> str:
    """Return a policy's rules in one form, a line each."""
    try:
        rules = json.loads(text)["rules"] if text else []
    except (ValueError, KeyError, TypeError):
        return text
    ordered = sorted(rules, key=lambda rule: rule.get("rulePriority", 0))
    return "\n".join(json.dumps(rule, sort_keys=True) for rule in ordered)
