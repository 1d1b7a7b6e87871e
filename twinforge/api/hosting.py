"""``deploy`` and ``endpoint``: a release on an endpoint, and what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from twinforge.api.choosing import select
from twinforge.errors import ImpossibleError, UsageError
from twinforge.sagemaker.deploy import Deployed, carry_out, move_endpoint, refuse_unless_ready
from twinforge.sagemaker.deployment import Deployment, plan_deployment
from twinforge.sagemaker.endpoint import EndpointState, find_endpoint, wait_for_rest
from twinforge.sagemaker.history import (
    Config,
    read_history,
    read_previous,
    read_tags,
    rollback_target,
)
from twinforge.sagemaker.hosting import Hosting, Placement, parse_instance
from twinforge.sagemaker.rollout import Rollout
from twinforge.sagemaker.select import Wish, region_of
from twinforge.sagemaker.train import find_model

if TYPE_CHECKING:
    from collections.abc import Collection

    from twinforge.api.services import Services
    from twinforge.api.workspace import Workspace
    from twinforge.events import Listener
    from twinforge.sagemaker.aws import Service
    from twinforge.sagemaker.select import Selected

__all__ = [
    "Order",
    "delete",
    "deploy",
    "history",
    "model_address",
    "place",
    "plan",
    "region",
    "rollback",
    "status",
]

_ARCHIVE = ".tar.gz"
SERVERLESS_LIKE = "ml.m5.large"
"""A serverless worker is amd64 without an accelerator; this type stands for it in the facts.

Source: SageMaker developer guide, "Serverless endpoints", on what is not supported.
"""


@dataclass(frozen=True, slots=True)
class Order:
    """What ``deploy`` was asked for.

    Attributes:
        recipe: The recipe's name.
        endpoint: The endpoint's name.
        instances: ``TYPE[:COUNT]``, as on the command line; none for a serverless endpoint.
        role: The ARN of the role that SageMaker assumes.
        region: An AWS region, or empty for that of the images.
        registry: The registry of the matrix to take the images from, or empty for any.
        wish: What narrows the choice of the images.
        hosting: How the endpoint hosts them.
        rollout: How an update goes.
    """

    recipe: str
    endpoint: str
    instances: tuple[str, ...]
    role: str
    region: str = ""
    registry: str = ""
    wish: Wish = field(default_factory=Wish)
    hosting: Hosting = field(default_factory=Hosting)
    rollout: Rollout = field(default_factory=Rollout)


def place(workspace: Workspace, order: Order) -> tuple[Placement, ...]:
    """Choose the image for every instance type of an order.

    Raises:
        UsageError: There is neither an instance type nor a serverless size, or there are both.
        UnknownError: There is no data on an instance type.
        ImpossibleError: Nothing that was released works on one.
    """
    if order.hosting.serverless is not None:
        if order.instances:
            message = "a serverless endpoint has no instances"
            raise UsageError(message, hint="give either --instance or --serverless")
        chosen = _choose(workspace, order, SERVERLESS_LIKE)
        reason = "a serverless worker is amd64 and has no accelerator"
        return (Placement(replace(chosen, instance="serverless", reason=reason)),)
    placements = []
    for text in order.instances:
        name, count = parse_instance(text)
        placements.append(Placement(_choose(workspace, order, name), count))
    return tuple(placements)


def plan(
    workspace: Workspace, order: Order, placements: tuple[Placement, ...], model_data: str
) -> Deployment:
    """Return every request of a deployment, valid by botocore's own model of the service.

    Args:
        workspace: The project.
        order: What was asked for.
        placements: Its images, from :func:`place`.
        model_data: The S3 address of ``model.tar.gz``.

    Raises:
        TwinforgeError: A request is not one that SageMaker would take.
    """
    return plan_deployment(
        placements,
        endpoint=order.endpoint,
        model_data=model_data,
        role=order.role,
        startup_s=_startup_s(workspace, order.recipe, {one.selected.variant for one in placements}),
        hosting=order.hosting,
        rollout=order.rollout,
    )


def region(*chosen: Selected) -> str:
    """Return the region that images are in, which is where they can run.

    Raises:
        ImpossibleError: One is in a registry that SageMaker does not take images from.
        UsageError: They are in several regions.
    """
    found = {one.pinned.host: region_of(one.pinned.host) for one in chosen}
    for host, name in found.items():
        if not name:
            message = f"SageMaker takes images from ECR, and '{host}' is another registry"
            hint = "push to ECR: `registry: {kind: ecr}` in matrix.yaml"
            raise ImpossibleError(message, hint=hint)
    names = sorted(set(found.values()))
    if len(names) > 1:
        message = f"the images are in several regions: {', '.join(names)}"
        raise UsageError(message, hint="give --region, and push what is missing there")
    return names[0]


def model_address(service: Service, text: str) -> str:
    """Return the S3 address of a model that is named by it or by its training job.

    Source: botocore's service model, ``ContainerDefinition.ModelDataUrl``, on the suffix.

    Raises:
        UsageError: There is no such job, or it is no address of one archive.
        TrainError: The job has no model.
    """
    if text.startswith("s3://"):
        if not text.endswith(_ARCHIVE):
            message = f"'{text}' is no model: SageMaker takes one archive, s3://.../NAME{_ARCHIVE}"
            raise UsageError(message)
        return text
    if "/" in text:
        message = f"'{text}' is neither an S3 address nor the name of a training job"
        raise UsageError(message, hint=f"send it to S3 first: aws s3 cp {text} s3://BUCKET/...")
    return find_model(service, text)


def deploy(
    planned: Deployment, services: Services, *, listener: Listener, wait: bool = True
) -> Deployed:
    """Bring an endpoint to a plan, and prove that it runs it.

    Raises:
        DeployError: It does not.
        AwsError: AWS said no, or could not be used.
    """
    return carry_out(planned, services.means("deploy", listener), wait=wait)


def status(services: Services, name: str) -> EndpointState:
    """Return an endpoint as it is now.

    Raises:
        UsageError: There is none of that name.
    """
    found = find_endpoint(services.sagemaker, name)
    if found is None:
        message = f"there is no endpoint '{name}'"
        raise UsageError(message, hint="see 'aws sagemaker list-endpoints'")
    return found


def history(services: Services, name: str) -> tuple[Config, ...]:
    """Return the endpoint configs that we made for an endpoint, newest first.

    Raises:
        UsageError: We made none.
    """
    found = find_endpoint(services.sagemaker, name)
    current = found.config if found is not None else ""
    configs = read_history(services.sagemaker, name, current=current)
    if not configs:
        message = f"there is no endpoint config that Twinforge made for an endpoint '{name}'"
        raise UsageError(message, hint="see 'aws sagemaker list-endpoints'")
    return configs


def rollback(
    services: Services, name: str, *, to: str, dry_run: bool, listener: Listener
) -> tuple[EndpointState, str]:
    """Move an endpoint back to a config; return its state and the config's name.

    Args:
        services: AWS.
        name: The endpoint's name.
        to: A config that we made for it or that it ran before, or empty for the one before.
        dry_run: Whether to only say which config it would be.
        listener: Told what goes on.

    Raises:
        UsageError: There is no such endpoint, or nothing to go back to.
        DeployError: It is busy, or does not run the config afterwards.
    """
    state = status(services, name)
    refuse_unless_ready(state)
    configs = read_history(services.sagemaker, name, current=state.config)
    marks = read_tags(services.sagemaker, state.arn)
    if (before := read_previous(services.sagemaker, marks, configs)) is not None:
        configs = (*configs, before)
    target = rollback_target(state, marks, configs, asked=to)
    if dry_run or (target.config == state.config and state.status == "InService"):
        return state, target.config
    moved = move_endpoint(state, target, services.means("rollback", listener))
    return moved, target.config


def delete(services: Services, name: str, *, wait: bool, listener: Listener) -> bool:
    """Delete an endpoint; return whether there was one. Its models and configs stay.

    Raises:
        AwsError: AWS said no, or could not be used.
    """
    state = find_endpoint(services.sagemaker, name)
    if state is None:
        return False
    if state.status != "Deleting":
        services.sagemaker.call("DeleteEndpoint", {"EndpointName": name})
    if wait:
        wait_for_rest(services.means("delete", listener), name)
    return True


def _choose(workspace: Workspace, order: Order, instance: str) -> Selected:
    return select(
        *(workspace, order.recipe, instance),
        region=order.region,
        registry=order.registry,
        wish=order.wish,
    )


def _startup_s(workspace: Workspace, recipe: str, slugs: Collection[str]) -> int:
    """Return the longest time that one of the variants may take to answer."""
    project = workspace.project
    limits = [
        project.recipe_for(variant).smoke.startup_s
        for variant in project.variants
        if variant.recipe == recipe and variant.slug in slugs
    ]
    return max(limits, default=project.recipe(recipe).smoke.startup_s)
