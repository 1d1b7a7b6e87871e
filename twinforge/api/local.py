"""``local``: the image of an instance type, run in the engine of this machine as the service does."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from twinforge.api import building
from twinforge.api.choosing import as_released, check_recipe, narrow, tell_choice
from twinforge.compat.instances import find_instance
from twinforge.errors import UsageError
from twinforge.events import Event, State
from twinforge.registry.releases import Release
from twinforge.sagemaker.local.batch import check_transform
from twinforge.sagemaker.local.docker_desk import open_desk
from twinforge.sagemaker.local.endpoint import check_serving, serving
from twinforge.sagemaker.local.job import check_job
from twinforge.sagemaker.local.limits import limits_for
from twinforge.sagemaker.local.means import LocalMeans
from twinforge.sagemaker.local.results import Places
from twinforge.sagemaker.local.train import run_job
from twinforge.sagemaker.local.transform import run_transform
from twinforge.sagemaker.local.watch import watch
from twinforge.sagemaker.naming import named
from twinforge.sagemaker.patience import Patience
from twinforge.sagemaker.select import Wish, select_variant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from twinforge.api.workspace import Workspace
    from twinforge.compat.facts import Use
    from twinforge.engine.engine import Engine
    from twinforge.events import Listener
    from twinforge.model.variant import Variant
    from twinforge.sagemaker.local.batch import Transform
    from twinforge.sagemaker.local.endpoint import Hosted, Serving
    from twinforge.sagemaker.local.job import LocalJob
    from twinforge.sagemaker.local.limits import Limits
    from twinforge.sagemaker.local.results import LocalTrained
    from twinforge.sagemaker.local.transform import Transformed
    from twinforge.sagemaker.storage import MutableStorage

__all__ = ["Chosen", "choose", "job_name", "means_of", "serve", "state_of", "train", "transform"]

POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Chosen:
    """An image of this machine for an instance type; ``image_id`` is empty where it is not built.

    ``why`` says then why it has to be built, ``reason`` why this variant was chosen.
    """

    variant: Variant
    instance: str
    image_id: str
    why: str
    reason: str
    conditions: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Return it as the verbs of ``twinforge local`` print it with ``--dry-run``."""
        return {
            "variant": self.variant.id,
            "instance": self.instance,
            "image": self.image_id,
            "status": self.why,
            "reason": self.reason,
            "conditions": list(self.conditions),
        }


def choose(  # noqa: PLR0913 - what, on what and for what, all by keyword
    workspace: Workspace,
    recipe: str,
    instance: str,
    *,
    use: Use,
    wish: Wish | None = None,
    build: bool = False,
    dry_run: bool = False,
) -> Chosen:
    """Choose the variant for an instance type as ``select`` does, of those that the matrix has.

    Args:
        workspace: The project.
        recipe: The recipe's name.
        instance: The instance type.
        use: What the image is run for.
        wish: What narrows the choice.
        build: Whether to build it where it is not there.
        dry_run: Whether to only say so.

    Raises:
        UsageError: There is no such recipe, or its image is not built.
        UnknownError: There is no data on the instance type.
        ImpossibleError: No variant works there.
        BuildError: It could not be built.
    """
    check_recipe(workspace, recipe)
    variants = {v.slug: v for v in workspace.project.variants if v.recipe == recipe}
    release = Release(recipe, tuple(as_released(variant) for variant in variants.values()))
    narrowed = narrow(workspace, recipe, instance, use=use, wish=wish or Wish())
    with workspace.own_data():
        selected = select_variant(release, instance, use=use, wish=narrowed)
    tell_choice(selected, workspace.listener)
    variant = variants[selected.variant]
    options = building.BuildOptions()
    (node,) = building.plan(workspace, (variant,), options).nodes
    if not node.image_id and build and not dry_run:
        _, (outcome,) = building.build(workspace, (variant,), options)
        if outcome.error is not None:
            raise outcome.error
        (node,) = building.plan(workspace, (variant,), options).nodes
    if not node.image_id and not dry_run:
        message = f"{variant.id} is not built: {node.why}"
        raise UsageError(message, hint=f"run `twinforge build {variant.id}`, or add --build")
    return Chosen(
        variant=variant,
        instance=instance,
        image_id=node.image_id,
        why=node.why,
        reason=selected.reason,
        conditions=selected.conditions,
    )


@contextmanager
def means_of(
    engine: Engine, storage: MutableStorage, *, stage: str, listener: Listener
) -> Iterator[LocalMeans]:
    """Connect to an engine for a verb.

    Raises:
        MissingToolError: It does not answer.
    """
    with open_desk(engine) as desk:
        yield LocalMeans(stage, desk, storage, Patience(poll_s=POLL_S), listener)


def train(
    workspace: Workspace, storage: MutableStorage, job: LocalJob, *, output: str, checkpoints: str
) -> LocalTrained:
    """Run a training job; return how it ended, also when it failed.

    Args:
        workspace: The project.
        storage: S3.
        job: What is run.
        output: A folder or an S3 address, or empty for the project's own folder.
        checkpoints: A folder or an S3 address, or empty for none.
    """
    check_job(job)
    state = state_of(workspace, job.name)
    places = Places(output or str(state.parent), state / "train.log", checkpoints)
    with means_of(workspace.engine, storage, stage="train", listener=workspace.listener) as means:
        return run_job(means, job, _limits(workspace, means, job.name, job.instance), places)


def serve(
    workspace: Workspace,
    storage: MutableStorage,
    asked: Serving,
    *,
    detach: bool,
    on_ready: Callable[[Hosted], None],
) -> None:
    """Serve a model; return when it answers if it is to stay, else when it ends.

    Args:
        workspace: The project.
        storage: S3.
        asked: What is served.
        detach: Whether it stays.
        on_ready: Called when it has answered a ping.

    Raises:
        DeployError: It did not answer in time, or ended by itself.
    """
    check_serving(asked)
    log = state_of(workspace, asked.name) / "serve.log"
    with means_of(workspace.engine, storage, stage="serve", listener=workspace.listener) as means:
        limits = _limits(workspace, means, asked.name, asked.instance)
        means.tell(asked.name, State.STARTED, "Creating")
        with serving(means, asked, limits, keep=detach) as hosted:
            text = f"InService at {hosted.url}, /ping after {hosted.ping_s:.1f} s"
            means.tell(asked.name, State.DONE, text)
            on_ready(hosted)
            if not detach:
                watch(means, asked.name, hosted, log)


def transform(
    workspace: Workspace, storage: MutableStorage, served: Serving, asked: Transform
) -> Transformed:
    """Run a batch transform; return how it ended, also when files could not be transformed."""
    check_transform(served, asked)
    with means_of(
        workspace.engine, storage, stage="transform", listener=workspace.listener
    ) as means:
        limits = _limits(workspace, means, served.name, served.instance)
        return run_transform(means, served, asked, limits)


def job_name(recipe: str) -> str:
    """Return a name that tells the recipe and the time, to the millisecond."""
    return named(recipe, f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"[:-3])


def state_of(workspace: Workspace, name: str) -> Path:
    """Return the folder of a job or an endpoint, which need not be there."""
    return workspace.state_dir / "local" / name


def _limits(workspace: Workspace, means: LocalMeans, node: str, instance: str) -> Limits:
    with workspace.own_data():
        found = limits_for(find_instance(instance), means.desk.machine())
    for note in found.notes:
        workspace.listener(Event(means.stage, node, State.NOTE, note))
    return found
