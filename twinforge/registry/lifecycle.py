"""The lifecycle policy of a repository, as ECR takes it: pure.

What a release record names is kept by rules that come first. ECR: an image that matches the tagging
requirements of a rule can't be expired by a rule with a lower priority.

Source: https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from twinforge.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Collection

    from twinforge.model.matrix import Lifecycle

__all__ = ["render_lifecycle"]

RULES = 50
EVERYTHING = 100_000
"""A count that no repository reaches: ECR's quota of images in one."""
CONTENT_PREFIX = "key-"


def render_lifecycle(lifecycle: Lifecycle, versions: Collection[str]) -> str:
    """Return a policy that keeps the released versions and the newest images.

    Args:
        lifecycle: What the matrix says.
        versions: Versions that the release record names; their tags begin with ``<version>-``.

    Raises:
        RegistryError: There are more versions than ECR has room for.
    """
    rules = [
        _rule(
            f"twinforge: keep release {version}",
            {"tagStatus": "tagged", "tagPrefixList": [f"{version}-"]},
            {"countType": "imageCountMoreThan", "countNumber": EVERYTHING},
        )
        for version in sorted(versions)
    ]
    rules.append(
        _rule(
            f"twinforge: keep the newest {lifecycle.keep_images}",
            {"tagStatus": "tagged", "tagPrefixList": [CONTENT_PREFIX]},
            {"countType": "imageCountMoreThan", "countNumber": lifecycle.keep_images},
        )
    )
    if lifecycle.untagged_days:
        rules.append(
            _rule(
                f"twinforge: untagged for {lifecycle.untagged_days} days",
                {"tagStatus": "untagged"},
                {
                    "countType": "sinceImagePushed",
                    "countUnit": "days",
                    "countNumber": lifecycle.untagged_days,
                },
            )
        )
    if len(rules) > RULES:
        message = (
            f"{len(versions)} released versions need {len(rules)} rules, and ECR takes {RULES}"
        )
        raise RegistryError(
            message, hint="take versions that nobody runs out of the release record"
        )
    document = {"rules": [{"rulePriority": n, **rule} for n, rule in enumerate(rules, start=1)]}
    return json.dumps(document, separators=(",", ":"))


def _rule(why: str, which: dict[str, Any], count: dict[str, Any]) -> dict[str, Any]:
    return {"description": why, "selection": {**which, **count}, "action": {"type": "expire"}}
