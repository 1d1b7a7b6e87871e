"""The policy of a repository: who may pull from it, beside the account that owns it. Pure.

Statements whose name begins with ours are ours; those of others stay as they are.

Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policies.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twinforge.model.matrix import Access

__all__ = ["PULL", "normal_policy", "render_policy"]

PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
"""What pulling an image takes."""
OURS = "Twinforge"
VERSION = "2012-10-17"


def render_policy(access: Access, present: str, *, partition: str) -> str:
    """Return the policy's text with our statements in it; empty where there is nothing to say.

    Args:
        access: What the matrix says.
        present: The text of the policy that is there, or empty.
        partition: ``aws``, ``aws-cn`` or ``aws-us-gov``.
    """
    statements = [one for one in _statements(present) if not _is_ours(one)]
    if access.sagemaker:
        who: dict[str, Any] = {"Service": "sagemaker.amazonaws.com"}
        statements.append(_statement("SageMaker", who))
    if access.accounts:
        roots = [f"arn:{partition}:iam::{account}:root" for account in access.accounts]
        statements.append(_statement("Accounts", {"AWS": roots}))
    if not statements:
        return ""
    return json.dumps({"Version": VERSION, "Statement": statements}, separators=(",", ":"))


def normal_policy(text: str) -> str:
    """Return a policy's text in the one form that equal policies have; empty for none.

    AWS writes a list of one as its member, and keys in an order of its own.
    """
    if not text:
        return ""
    statements = [_normal(one) for one in _statements(text)]
    statements.sort(key=lambda one: json.dumps(one, sort_keys=True))
    return json.dumps(statements, sort_keys=True, indent=2)


def _statements(text: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(text)["Statement"] if text else []
    except (ValueError, KeyError, TypeError):
        return []
    return [found] if isinstance(found, dict) else list(found)


def _normal(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _normal(part) for key, part in value.items()}
    if isinstance(value, list):
        parts = sorted((_normal(part) for part in value), key=str)
        return parts[0] if len(parts) == 1 else parts
    return value


def _is_ours(statement: Mapping[str, Any]) -> bool:
    return str(statement.get("Sid", "")).startswith(OURS)


def _statement(name: str, who: dict[str, Any]) -> dict[str, Any]:
    return {"Sid": f"{OURS}{name}", "Effect": "Allow", "Principal": who, "Action": list(PULL)}
