"""Models and endpoint configs that we made and that no endpoint needs any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twinforge.events import Event, State
from twinforge.sagemaker.aws import all_pages, find_or_none
from twinforge.sagemaker.endpoint import find_endpoint
from twinforge.sagemaker.history import model_names, read_tags
from twinforge.sagemaker.naming import ENDPOINT_TAG, PREVIOUS_TAG, RECIPE_TAG

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from twinforge.events import Listener
    from twinforge.sagemaker.aws import Service

__all__ = ["Garbage", "Made", "Survey", "delete_garbage", "plan_garbage", "read_survey"]


@dataclass(frozen=True, slots=True)
class Made:
    """A model or an endpoint config.

    ``owner`` is the endpoint of a config or the recipe of a model that we made, and empty for what
    others made. ``models`` are those that a config uses.
    """

    name: str
    owner: str
    created: datetime
    models: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Survey:
    """What is there.

    Attributes:
        configs: All endpoint configs, ours or not.
        models: All models, ours or not.
        used: The configs that endpoints run, move to, or would go back to.
        endpoints: The endpoints that are there.
    """

    configs: tuple[Made, ...]
    models: tuple[Made, ...]
    used: frozenset[str]
    endpoints: frozenset[str]


@dataclass(frozen=True, slots=True)
class Garbage:
    """What can be deleted, by name, in the order in which it is."""

    configs: tuple[str, ...]
    models: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Return it as ``twinforge endpoint gc --json`` prints it."""
        return {"configs": list(self.configs), "models": list(self.models)}


def read_survey(service: Service) -> Survey:
    """Read all endpoints, endpoint configs and models of the account in the region."""
    used: set[str] = set()
    endpoints = []
    for summary in all_pages(service, "ListEndpoints", "Endpoints"):
        state = find_endpoint(service, summary["EndpointName"])
        if state is not None:
            endpoints.append(state.name)
            before = read_tags(service, state.arn).get(PREVIOUS_TAG, "")
            used |= {state.config, state.pending, before}
    configs = []
    for summary in all_pages(service, "ListEndpointConfigs", "EndpointConfigs"):
        name = summary["EndpointConfigName"]
        asked = {"EndpointConfigName": name}
        described = find_or_none(service, "DescribeEndpointConfig", asked)
        if described is not None:
            owner = read_tags(service, summary["EndpointConfigArn"]).get(ENDPOINT_TAG, "")
            configs.append(Made(name, owner, summary["CreationTime"], model_names(described)))
    models = [
        Made(
            summary["ModelName"],
            read_tags(service, summary["ModelArn"]).get(RECIPE_TAG, ""),
            summary["CreationTime"],
        )
        for summary in all_pages(service, "ListModels", "Models")
    ]
    return Survey(tuple(configs), tuple(models), frozenset(used - {""}), frozenset(endpoints))


def plan_garbage(
    survey: Survey, *, now: datetime, min_age: timedelta, keep: int, endpoint: str = ""
) -> Garbage:
    """Return what we made and nobody needs. Pure.

    What is younger than ``min_age`` stays: somebody may be deploying it at this moment.

    Args:
        survey: What is there.
        now: The time of the survey.
        min_age: How old something must be.
        keep: How many unused configs to keep for each endpoint that is there, the newest.
        endpoint: Only configs of this endpoint and the models that they alone use; empty for all.
    """
    old = now - min_age
    doomed = {
        config.name
        for config in survey.configs
        if config.owner
        and endpoint in {"", config.owner}
        and config.name not in survey.used
        and config.created < old
    } - _kept(survey, keep)
    staying = [config for config in survey.configs if config.name not in doomed]
    needed = {name for config in staying for name in config.models}
    freed = {name for config in survey.configs if config.name in doomed for name in config.models}
    return Garbage(
        configs=tuple(sorted(doomed)),
        models=tuple(
            sorted(
                model.name
                for model in survey.models
                if model.owner
                and model.name not in needed
                and model.created < old
                and (not endpoint or model.name in freed)
            )
        ),
    )


def delete_garbage(service: Service, garbage: Garbage, *, listener: Listener) -> None:
    """Delete configs first and then models, so that no config is ever left without its model."""
    for name in garbage.configs:
        _delete(service, "DeleteEndpointConfig", {"EndpointConfigName": name}, name, listener)
    for name in garbage.models:
        _delete(service, "DeleteModel", {"ModelName": name}, name, listener)


def _delete(
    service: Service,
    operation: str,
    parameters: Mapping[str, Any],
    name: str,
    listener: Listener,
) -> None:
    find_or_none(service, operation, parameters)  # somebody else may have been faster
    listener(Event("gc", name, State.DONE, "deleted"))


def _kept(survey: Survey, keep: int) -> set[str]:
    kept: set[str] = set()
    for endpoint in survey.endpoints:
        unused: Sequence[Made] = sorted(
            (c for c in survey.configs if c.owner == endpoint and c.name not in survey.used),
            key=lambda config: (config.created, config.name),
            reverse=True,
        )
        kept |= {config.name for config in unused[:keep]}
    return kept
