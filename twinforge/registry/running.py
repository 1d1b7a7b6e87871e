"""Which images SageMaker's endpoints run, so that no lifecycle policy takes them away.

Source: botocore's model ``sagemaker/2017-07-24``, DescribeEndpoint: ``DeployedImages`` says by
digest what a production variant runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twinforge.registry.aws import asking

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["read_running"]


def read_running(client: Any, region: str) -> dict[str, str]:
    """Return the digests that endpoints of a region run, each with an endpoint's name.

    Raises:
        RegistryRefusedError: AWS said no.
        RegistryError: AWS could not be used.
    """
    running: dict[str, str] = {}
    for name in _names(client, region):
        with asking(region, f"DescribeEndpoint '{name}'"):
            endpoint = client.describe_endpoint(EndpointName=name)
        for kind in ("ProductionVariants", "ShadowProductionVariants"):
            for variant in endpoint.get(kind, ()):
                for image in variant.get("DeployedImages", ()):
                    digest = image.get("ResolvedImage", "").partition("@")[2]
                    if digest:
                        running.setdefault(digest, name)
    return running


def _names(client: Any, region: str) -> Iterator[str]:
    token = ""
    while True:
        more = {"NextToken": token} if token else {}
        with asking(region, "ListEndpoints"):
            page = client.list_endpoints(**more)
        yield from (one["EndpointName"] for one in page.get("Endpoints", ()))
        token = page.get("NextToken", "")
        if not token:
            return
