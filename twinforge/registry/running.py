"""Which images SageMaker's endpoints name, so that no lifecycle policy takes them away.

Those that run, by digest, and those of the endpoint configs that an endpoint is on or on the way to:
a serverless endpoint does not say what it runs, and a new instance needs the image again.

Source: botocore's model ``sagemaker/2017-07-24``, DescribeEndpoint: ``DeployedImages`` says by
digest what a production variant runs.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from twinforge.registry.aws import NotThereError, asking

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["read_running"]

_VARIANTS = ("ProductionVariants", "ShadowProductionVariants")
_GONE = frozenset({"ValidationException"})
"""What Describe answers of a name that was listed a moment ago."""


def read_running(client: Any, region: str) -> dict[str, str]:
    """Return the digests that endpoints of a region run or name, each with an endpoint's name.

    What is deleted while this reads is left out.

    Raises:
        RegistryRefusedError: AWS said no.
        RegistryError: AWS could not be used.
    """
    running: dict[str, str] = {}
    known: dict[str, list[str]] = {}
    for name in _names(client, region):
        with suppress(NotThereError):
            with asking(region, f"DescribeEndpoint '{name}'", gone=_GONE):
                endpoint = client.describe_endpoint(EndpointName=name)
            for digest in _digests(client, region, endpoint, known):
                running.setdefault(digest, name)
    return running


def _digests(
    client: Any, region: str, endpoint: Mapping[str, Any], known: dict[str, list[str]]
) -> Iterator[str]:
    """Yield what an endpoint runs and names; ``known`` has the digests of configs that were read."""
    pending = endpoint.get("PendingDeploymentSummary", {})
    for deployment in (endpoint, pending):
        for variant in _variants(deployment):
            images = [one.get("ResolvedImage", "") for one in variant.get("DeployedImages", ())]
            yield from _of(images)
        config = deployment.get("EndpointConfigName", "")
        if config and config not in known:
            known[config] = list(_named(client, region, config))
        yield from known.get(config, ())


def _named(client: Any, region: str, config: str) -> Iterator[str]:
    with suppress(NotThereError):
        with asking(region, f"DescribeEndpointConfig '{config}'", gone=_GONE):
            described = client.describe_endpoint_config(EndpointConfigName=config)
        models: dict[str, None] = {}
        for variant in _variants(described):
            pools = variant.get("InstancePools", ())
            names = [variant.get("ModelName"), *(pool.get("ModelNameOverride") for pool in pools)]
            models.update(dict.fromkeys(name for name in names if name))
        for name in models:
            with suppress(NotThereError):
                with asking(region, f"DescribeModel '{name}'", gone=_GONE):
                    model = client.describe_model(ModelName=name)
                containers = [model.get("PrimaryContainer", {}), *model.get("Containers", ())]
                yield from _of(one.get("Image", "") for one in containers)


def _variants(deployment: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for kind in _VARIANTS:
        yield from deployment.get(kind, ())


def _of(images: Iterable[str]) -> Iterator[str]:
    yield from (digest for image in images if (digest := image.partition("@")[2]))


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
