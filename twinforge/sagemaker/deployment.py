"""A deployment as a plan: every request that may be sent, and what must run afterwards. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from twinforge.errors import UsageError
from twinforge.sagemaker.hosting import Hosting, Placement, hosting_requests
from twinforge.sagemaker.model import check_requests
from twinforge.sagemaker.naming import ENDPOINT_TAG, RECIPE_TAG, tags
from twinforge.sagemaker.request import Request
from twinforge.sagemaker.rollout import Rollout, deployment_config

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Aim", "Deployment", "digests_by_variant", "plan_deployment"]


@dataclass(frozen=True, slots=True)
class Aim:
    """What an endpoint shall run.

    Attributes:
        config: The name of the endpoint config.
        digests: The digests of the images that each production variant may run; none for a variant
            where they are not known.
        is_serverless: Whether it has no instances, of which no image is told.
    """

    config: str
    digests: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))
    is_serverless: bool = False


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a deployment does, and what it must come to.

    Attributes:
        endpoint: The endpoint's name.
        models: ``CreateModel``, one per image.
        config: ``CreateEndpointConfig``.
        create: ``CreateEndpoint``, for an endpoint that is not there.
        update: ``UpdateEndpoint``, for one that is.
        aim: What it must run afterwards.
    """

    endpoint: str
    models: tuple[Request, ...]
    config: Request
    create: Request
    update: Request
    aim: Aim

    @property
    def config_name(self) -> str:
        """The name of the endpoint config, which says its content."""
        return self.aim.config

    def as_json(self) -> list[dict[str, object]]:
        """Return every request in order, with the condition of the last two."""
        return [
            *(model.as_json() for model in self.models),
            self.config.as_json(),
            {**self.create.as_json(), "when": "the endpoint is not there"},
            {**self.update.as_json(), "when": "the endpoint has another config"},
        ]


def plan_deployment(  # noqa: PLR0913 - an endpoint's parts, all by keyword
    placements: Sequence[Placement],
    *,
    endpoint: str,
    model_data: str,
    role: str,
    startup_s: int,
    hosting: Hosting | None = None,
    rollout: Rollout | None = None,
) -> Deployment:
    """Return the requests of a deployment, valid by botocore's own model of the service.

    Raises:
        UsageError: The options contradict each other.
        ImpossibleError: SageMaker can't host these images in that way.
        TwinforgeError: A request is not one that SageMaker would take; all problems are named.
    """
    hosting = hosting or Hosting()
    *models, config = hosting_requests(
        placements,
        endpoint=endpoint,
        model_data=model_data,
        role=role,
        startup_s=startup_s,
        hosting=hosting,
    )
    rollout = rollout or Rollout()
    guard = deployment_config(rollout)
    if guard is not None and hosting.serverless is not None:
        message = "a serverless endpoint moves all its traffic at once"
        raise UsageError(message, hint="leave out --canary, --linear, --rolling and --alarm")
    if rollout.keep_counts and hosting.serverless is not None:
        message = "a serverless endpoint has no instances whose number could be kept"
        raise UsageError(message, hint="leave out --keep-counts")
    name = str(config.parameters["EndpointConfigName"])
    mark = tags({ENDPOINT_TAG: endpoint, RECIPE_TAG: placements[0].selected.recipe})
    both = {"EndpointName": endpoint, "EndpointConfigName": name}
    create = Request("CreateEndpoint", {**both, "Tags": mark})
    how: dict[str, object] = {"RetainAllVariantProperties": True} if rollout.keep_counts else {}
    if guard is not None:
        how["DeploymentConfig"] = guard
    update = Request("UpdateEndpoint", {**both, **how})
    check_requests((*models, config, create, update))
    digests = digests_by_variant(
        config.parameters,
        {str(model.parameters["ModelName"]): model.parameters for model in models},
    )
    aim = Aim(name, digests, is_serverless=hosting.serverless is not None)
    return Deployment(endpoint, tuple(models), config, create, update, aim)


def digests_by_variant(
    config: Mapping[str, Any], models: Mapping[str, Mapping[str, Any]]
) -> dict[str, frozenset[str]]:
    """Return the image digests that an endpoint config lets each of its variants run.

    Args:
        config: An endpoint config, as it is created or described.
        models: Its models by name, as they are created or described; those that are missing and
            images without a digest say nothing.
    """
    found: dict[str, frozenset[str]] = {}
    for variant in config["ProductionVariants"]:
        names = [variant.get("ModelName", "")]
        names += [pool.get("ModelNameOverride", "") for pool in variant.get("InstancePools", ())]
        images = [
            str(models[name].get("PrimaryContainer", {}).get("Image", ""))
            for name in names
            if name in models
        ]
        digests = [digest_of(image) for image in images]
        found[variant["VariantName"]] = frozenset(digest for digest in digests if digest)
    return found


def digest_of(image: str) -> str:
    """Return the digest of an image's name, or an empty string.

    >>> digest_of("host/name@sha256:cafe")
    'sha256:cafe'
    """
    return image.partition("@")[2]
