"""What an endpoint ran before, and what no endpoint needs any more: told by our tags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twinforge.errors import UsageError
from twinforge.sagemaker.aws import all_pages, find_or_none
from twinforge.sagemaker.deployment import Aim, digests_by_variant
from twinforge.sagemaker.naming import ENDPOINT_TAG, PREVIOUS_TAG, RECIPE_TAG, VARIANTS_TAG, letters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from twinforge.sagemaker.aws import Service
    from twinforge.sagemaker.endpoint import EndpointState

__all__ = ["Config", "read_history", "read_previous", "read_tags", "rollback_target"]


@dataclass(frozen=True, slots=True)
class Config:
    """An endpoint config: one that we made, or that ran before ours.

    Attributes:
        name: Its name.
        endpoint: The endpoint that it was made for; empty where others made it, as are the next two.
        recipe: The recipe whose images it names.
        slugs: The variants of the recipe.
        created: When it was made.
        digests: The digests of the images, by production variant.
        models: The names of its models.
        is_current: Whether its endpoint runs it.
        is_serverless: Whether it has no instances.
    """

    name: str
    endpoint: str
    recipe: str
    slugs: tuple[str, ...]
    created: datetime
    digests: Mapping[str, frozenset[str]]
    models: tuple[str, ...]
    is_current: bool
    is_serverless: bool = False

    def as_json(self) -> dict[str, object]:
        """Return it as ``twinforge endpoint history --json`` prints it."""
        return {
            "config": self.name,
            "recipe": self.recipe,
            "variants": list(self.slugs),
            "created": self.created.isoformat(),
            "current": self.is_current,
            "digests": {name: sorted(found) for name, found in self.digests.items()},
        }


def read_tags(service: Service, arn: str) -> dict[str, str]:
    """Return the tags of something, by its ARN."""
    pages = all_pages(service, "ListTags", "Tags", {"ResourceArn": arn})
    return {tag["Key"]: tag["Value"] for tag in pages}


def read_history(service: Service, endpoint: str, *, current: str) -> tuple[Config, ...]:
    """Return the endpoint configs that we made for an endpoint, newest first.

    Args:
        service: SageMaker.
        endpoint: The endpoint's name; it need not be there any more.
        current: The name of the config that it runs, or empty.
    """
    start = letters(endpoint)[:40]
    listed = all_pages(
        service,
        "ListEndpointConfigs",
        "EndpointConfigs",
        {"NameContains": start, "SortBy": "CreationTime", "SortOrder": "Descending"},
    )
    found = []
    for summary in listed:
        marks = read_tags(service, summary["EndpointConfigArn"])
        if marks.get(ENDPOINT_TAG) == endpoint:
            config = _config(service, summary["EndpointConfigName"], marks, current)
            found += [config] if config else []
    return tuple(found)


def read_previous(
    service: Service, marks: Mapping[str, str], history: Sequence[Config]
) -> Config | None:
    """Return the endpoint config before the last deployment, if others made it and it is still there.

    Args:
        service: SageMaker.
        marks: The endpoint's tags.
        history: The endpoint configs that we made for it.
    """
    name = marks.get(PREVIOUS_TAG, "")
    if not name or name in {config.name for config in history}:
        return None
    return _config(service, name, {}, "")


def rollback_target(
    state: EndpointState, marks: Mapping[str, str], history: Sequence[Config], *, asked: str = ""
) -> Aim:
    """Return the endpoint config to go back to, and what it must run. Pure.

    It is the one that the endpoint ran before the last deployment, as its tag says; where that is
    not known or does not exist any more, the newest that is older than the current one.

    Args:
        state: The endpoint.
        marks: Its tags.
        history: The endpoint configs that it can go to, newest first.
        asked: A config to go to, or empty for the one before.

    Raises:
        UsageError: There is nothing to go back to, or no such config.
    """
    aims = {
        config.name: Aim(config.name, config.digests, config.is_serverless) for config in history
    }
    names = list(aims)
    if asked:
        if asked not in names:
            known = ", ".join(names) or "none"
            message = f"'{asked}' is no endpoint config of '{state.name}'"
            raise UsageError(message, hint=f"its configs: {known}")
        return aims[asked]
    before = marks.get(PREVIOUS_TAG, "")
    if before in names and before != state.config:
        return aims[before]
    older = names[names.index(state.config) + 1 :] if state.config in names else names
    if not older:
        message = f"'{state.name}' has no endpoint config to go back to"
        raise UsageError(message, hint=f"see `twinforge endpoint history {state.name}`")
    return aims[older[0]]


def model_names(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of all models that a described endpoint config uses, each once."""
    names: list[str] = []
    for kind in ("ProductionVariants", "ShadowProductionVariants"):
        for variant in config.get(kind, ()):
            names.append(variant.get("ModelName", ""))
            pools = variant.get("InstancePools", ())
            names += [pool.get("ModelNameOverride", "") for pool in pools]
    return tuple(dict.fromkeys(name for name in names if name))


def _config(service: Service, name: str, marks: Mapping[str, str], current: str) -> Config | None:
    described = find_or_none(service, "DescribeEndpointConfig", {"EndpointConfigName": name})
    if described is None:
        return None
    models = model_names(described)
    known = {
        model: found
        for model in models
        if (found := find_or_none(service, "DescribeModel", {"ModelName": model})) is not None
    }
    return Config(
        name=name,
        endpoint=marks.get(ENDPOINT_TAG, ""),
        recipe=marks.get(RECIPE_TAG, ""),
        slugs=tuple(marks.get(VARIANTS_TAG, "").split()),
        created=described["CreationTime"],
        digests=digests_by_variant(described, known),
        models=models,
        is_current=name == current,
        is_serverless=any("ServerlessConfig" in one for one in described["ProductionVariants"]),
    )
