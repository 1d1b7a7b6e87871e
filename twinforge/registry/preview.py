"""What a lifecycle policy would delete, asked of ECR before the policy is put in force.

Source: botocore's model ``ecr/2015-09-21``, StartLifecyclePolicyPreview.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twinforge.errors import RegistryError
from twinforge.registry.aws import asking

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Expiry", "preview_lifecycle"]

PAUSE_S = 2.0
TRIES = 150


@dataclass(frozen=True, slots=True)
class Expiry:
    """An image that would be deleted."""

    digest: str
    tags: tuple[str, ...]


def preview_lifecycle(
    client: Any,
    region: str,
    where: Mapping[str, str],
    text: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[Expiry, ...]:
    """Return the images that a policy would delete from a repository now.

    Args:
        client: boto3's client of ECR.
        region: For messages.
        where: The repository, as ECR's parameters.
        text: The policy.
        sleep: Waits between two questions.

    Raises:
        RegistryRefusedError: AWS said no.
        RegistryError: The preview failed or did not end; nobody knows what would be deleted.
    """
    name = where["repositoryName"]
    with asking(region, f"StartLifecyclePolicyPreview '{name}'"):
        client.start_lifecycle_policy_preview(**where, lifecyclePolicyText=text)
    for _ in range(TRIES):
        with asking(region, f"GetLifecyclePolicyPreview '{name}'"):
            page = client.get_lifecycle_policy_preview(**where)
        status = page.get("status", "")
        if status == "COMPLETE":
            return tuple(_results(client, region, where, page))
        if status != "IN_PROGRESS":
            message = f"the preview of the lifecycle policy of '{name}' in {region} is {status}"
            raise RegistryError(message, hint="run it again")
        sleep(PAUSE_S)
    message = f"the preview of the lifecycle policy of '{name}' in {region} does not end"
    raise RegistryError(message, hint="run it again later")


def _results(
    client: Any, region: str, where: Mapping[str, str], page: Mapping[str, Any]
) -> list[Expiry]:
    found: list[Expiry] = []
    while True:
        found += [
            Expiry(one.get("imageDigest", ""), tuple(one.get("imageTags", ())))
            for one in page.get("previewResults", ())
            if one.get("action", {}).get("type") == "EXPIRE"
        ]
        token = page.get("nextToken")
        if not token:
            return found
        with asking(region, f"GetLifecyclePolicyPreview '{where['repositoryName']}'"):
            page = client.get_lifecycle_policy_preview(**where, nextToken=token)
