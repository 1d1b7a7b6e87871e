"""Names and tags of what is made at SageMaker: by content, and so that it is found again."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ENDPOINT_TAG", "PREVIOUS_TAG", "RECIPE_TAG", "VARIANTS_TAG", "content_hash", "named"]

ENDPOINT_TAG = "twinforge:endpoint"
RECIPE_TAG = "twinforge:recipe"
VARIANTS_TAG = "twinforge:variants"
PREVIOUS_TAG = "twinforge:previous-config"
"""On an endpoint: the config that it ran before the one of the last deployment."""

NAME_LIMIT = 63
_HASH_DIGITS = 10
_TAG_VALUE_LIMIT = 256


def content_hash(parameters: Mapping[str, object]) -> str:
    """Return ten hexadecimal digits that stand for a request's parameters."""
    text = json.dumps(parameters, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_DIGITS]


def named(start: str, *ends: str) -> str:
    """Join a name for people with what makes it unique, within SageMaker's limit.

    >>> named("digits_v2", "cafe")
    'digits-v2-cafe'
    """
    end = "".join(f"-{part}" for part in ends)
    return letters(start)[: NAME_LIMIT - len(end)].rstrip("-") + end


def letters(text: str) -> str:
    """Replace what SageMaker's names can't hold: they are letters, digits and hyphens."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")


def tags(pairs: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as SageMaker takes them."""
    return [{"Key": key, "Value": value[:_TAG_VALUE_LIMIT]} for key, value in pairs.items()]
