"""Waiting for ECR's scan of an image, basic or enhanced, and reading what it found.

Source: botocore's model ``ecr/2015-09-21``, DescribeImageScanFindings;
https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning.html.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from twinforge.errors import RegistryError
from twinforge.registry.aws import NotThereError, asking
from twinforge.registry.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["read_findings"]

PAUSE_S = 5.0
LONGEST_S = 900.0
PATIENCE = 6
"""How often a scan that is not there is asked for before one is started."""
UNDER_WAY = frozenset({"IN_PROGRESS", "PENDING"})
ENDED = frozenset({"COMPLETE", "ACTIVE"})


def read_findings(  # noqa: PLR0913 - an image, and how to wait
    client: Any,
    region: str,
    account: str,
    repository: str,
    digest: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
    longest_s: float = LONGEST_S,
) -> tuple[Finding, ...]:
    """Wait until an image is scanned and return what was found.

    Where scanning on push is off, the scan is started.

    Raises:
        RegistryRefusedError: AWS said no.
        RegistryError: The image could not be scanned, or not in time.
    """
    where = {"repositoryName": repository, "imageId": {"imageDigest": digest}}
    if account:
        where["registryId"] = account
    name = f"{repository}@{digest}"
    for asked in range(1, int(longest_s / PAUSE_S) + 2):
        try:
            with asking(region, f"DescribeImageScanFindings '{name}'"):
                page = client.describe_image_scan_findings(**where)
        except NotThereError:
            if asked == PATIENCE:
                with asking(region, f"StartImageScan '{name}'"):
                    client.start_image_scan(**where)
        else:
            status = page.get("imageScanStatus", {})
            state = status.get("status", "")
            if state in ENDED:
                return tuple(_pages(client, region, where, page))
            if state not in UNDER_WAY:
                told = f": {status['description']}" if status.get("description") else ""
                message = f"'{name}' in {region} was not scanned: {state}{told}"
                hint = "what was not scanned is not accepted; see the console, or take `scan` out"
                raise RegistryError(message, hint=hint)
        sleep(PAUSE_S)
    message = f"the scan of '{name}' in {region} did not end within {longest_s:.0f} s"
    raise RegistryError(message, hint="run it again: nothing is sent twice")


def _pages(
    client: Any, region: str, where: Mapping[str, Any], page: Mapping[str, Any]
) -> Iterator[Finding]:
    while True:
        found = page.get("imageScanFindings", {})
        yield from (_basic(one) for one in found.get("findings", ()))
        for one in found.get("enhancedFindings", ()):
            # Those that Inspector's own rules suppress, and those of packages that are gone.
            if one.get("status", "ACTIVE") == "ACTIVE":
                yield _enhanced(one)
        token = page.get("nextToken")
        if not token:
            return
        with asking(region, f"DescribeImageScanFindings '{where['repositoryName']}'"):
            page = client.describe_image_scan_findings(**where, nextToken=token)


def _basic(one: Mapping[str, Any]) -> Finding:
    attributes = {pair["key"]: pair.get("value", "") for pair in one.get("attributes", ())}
    package = " ".join(
        attributes[key] for key in ("package_name", "package_version") if attributes.get(key)
    )
    return Finding(one.get("name", ""), one.get("severity", "UNDEFINED"), package)


def _enhanced(one: Mapping[str, Any]) -> Finding:
    details = one.get("packageVulnerabilityDetails", {})
    packages = details.get("vulnerablePackages") or [{}]
    package = " ".join(packages[0][key] for key in ("name", "version") if packages[0].get(key))
    name = details.get("vulnerabilityId") or one.get("title", "")
    return Finding(name, one.get("severity", "UNDEFINED"), package)
