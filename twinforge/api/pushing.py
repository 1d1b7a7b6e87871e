"""``push``: what passed its smoke checks goes to the registry, and the release is recorded."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from twinforge.api.building import BuildOptions, local_reference, plan
from twinforge.api.checks import checks_digests, smoked
from twinforge.api.destinations import (
    given_target,
    named_registry,
    registry_targets,
    repository_of,
    uploads_of,
)
from twinforge.api.gating import gate_for
from twinforge.api.releasing import record_release
from twinforge.api.repushing import Watch
from twinforge.api.surroundings import proxy_of
from twinforge.errors import SmokeError
from twinforge.model.select import CHANGED_SINCE
from twinforge.registry.cache import BlobCache
from twinforge.registry.items import AwsAccess, Pushed, PushItem, Tags, Target
from twinforge.registry.push import push_to_all
from twinforge.registry.releases import (
    Release,
    ReleasedVariant,
    release_path,
)
from twinforge.render.tags import content_tag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinforge.api.repushing import Question
    from twinforge.api.workspace import Workspace
    from twinforge.build.plan import Node
    from twinforge.model.variant import Variant

__all__ = ["PushOptions", "RecipePush", "plan_push", "push"]


@dataclass(frozen=True, slots=True)
class PushOptions:
    """How to push.

    Attributes:
        jobs: Layers that are uploaded at once.
        registry: ``host[/path]`` of a registry to push to instead of the matrix's, or empty.
        username: For that registry, or empty for what ``docker login`` stored.
        password: Of the user; read from standard input, never from an argv.
        to: The name of a registry of the matrix, or empty for the first.
        aws: How AWS is reached.
    """

    jobs: int = 3
    registry: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    aws: AwsAccess = field(default_factory=AwsAccess)
    to: str = ""


@dataclass(frozen=True, slots=True)
class RecipePush:
    """What a push does for one recipe: its images, and the names of the repositories."""

    recipe: str
    nodes: tuple[Node, ...]
    items: tuple[PushItem, ...]
    repository: str

    @property
    def release(self) -> str:
        """The path of its release record, relative to the project."""
        return release_path(self.recipe)


def plan_push(
    workspace: Workspace, variants: Sequence[Variant], to: str = ""
) -> tuple[RecipePush, ...]:
    """Return what a push of the variants would do; reads the engine, writes nothing.

    Raises:
        SmokeError: A variant is not built, or has not passed the checks that are asked of it now.
    """
    nodes = plan(workspace, variants, BuildOptions()).nodes
    checks = checks_digests(workspace, variants)
    problems = []
    for node in nodes:
        outcome = smoked(workspace, node, checks[node.variant.id])
        if not node.image_id:
            problems.append(f"{node.variant.id} is not built ({node.why})")
        elif outcome is None:
            problems.append(f"{node.variant.id} was not smoked")
        elif not outcome.passed:
            problems.append(f"{node.variant.id} did not pass its smoke checks")
    if problems:
        message = f"only what was smoked is pushed: {'; '.join(problems)}"
        raise SmokeError(message, hint="run `twinforge build` and `twinforge smoke`")
    return tuple(
        _recipe_push(workspace, name, tuple(n for n in nodes if n.variant.recipe == name), to)
        for name in dict.fromkeys(node.variant.recipe for node in nodes)
    )


def push(
    workspace: Workspace,
    variants: Sequence[Variant],
    options: PushOptions,
    question: Question | None = None,
) -> tuple[Pushed, ...]:
    """Push the variants, verify what the registries hold, and record the release.

    Args:
        workspace: Has the images.
        variants: Whose images.
        options: How.
        question: What was asked for, where the same question may be answered from a note the next
            time; None where it may not.

    Raises:
        SmokeError: Something was not built or smoked; nothing was pushed.
        ContentConflictError: A tag that must not move is taken; nothing was written for its recipe.
        RegistryError: A registry could not be used.
    """
    work_dir = workspace.state_dir / "push"
    work_dir.mkdir(parents=True, exist_ok=True)
    uploads = uploads_of(workspace)
    done: list[Pushed] = []
    ecr: dict[str, tuple[str, str]] = {}
    parts = plan_push(workspace, variants, options.to)
    watch = Watch(workspace, parts) if _is_steady(workspace, options, question) else None
    for part in parts:
        targets = _targets(workspace, part, options)
        pushed = push_to_all(
            part.items,
            targets,
            source=workspace.images,
            cache=BlobCache(workspace.state_dir / "blobs.json"),
            work_dir=work_dir,
            listener=workspace.listener,
            ca_bundle=workspace.ca_bundle,
            proxy=partial(proxy_of, workspace.environ),
            jobs=options.jobs,
            gate=None if options.registry else gate_for(workspace, options.to),
            uploads=uploads,
        )
        registry = None if options.registry else named_registry(workspace, options.to)
        record_release(workspace, _release(part, pushed), registry, pushed)
        done += pushed
        if registry is not None and registry.kind == "ecr":
            hosts = [target.repository.host for target in targets]
            places = zip(registry.regions, hosts, strict=True)
            ecr |= {host: (region, registry.account) for region, host in places}
    if watch is not None and question is not None:
        watch.remember(question, done, ecr)
    return tuple(done)


def _is_steady(workspace: Workspace, options: PushOptions, question: Question | None) -> bool:
    """Whether nothing but the project and the registry's manifests decides what a push comes to.

    What has changed since a revision, git says; and scans find something new on any day.
    """
    if question is None or any(CHANGED_SINCE in word for word in question.selectors):
        return False
    return bool(options.registry) or named_registry(workspace, options.to).scan is None


def _recipe_push(workspace: Workspace, name: str, nodes: tuple[Node, ...], to: str) -> RecipePush:
    items = tuple(
        PushItem(
            node.variant,
            node.image_id,
            local_reference(workspace, node.variant, content_tag(node.key.hex)),
            (node.variant.tag, content_tag(node.key.hex)),
            node.variant.aliases,
        )
        for node in nodes
    )
    return RecipePush(name, nodes, items, repository_of(workspace, name, to))


def _targets(workspace: Workspace, part: RecipePush, options: PushOptions) -> tuple[Target, ...]:
    if options.registry:
        return given_target(
            workspace,
            options.registry,
            part.repository,
            username=options.username,
            password=options.password,
        )
    tags = Tags(
        tuple(tag for item in part.items for tag in item.tags),
        tuple(alias for item in part.items for alias in item.aliases),
        tuple(alias.tag for alias in workspace.project.matrix.aliases),
    )
    registry = named_registry(workspace, options.to)
    return registry_targets(workspace, registry, part.repository, tags, options.aws)


def _release(part: RecipePush, pushed: Sequence[Pushed]) -> Release:
    return Release(
        part.recipe,
        tuple(
            ReleasedVariant(
                slug=node.variant.slug,
                version=node.variant.version,
                accelerator=node.variant.accelerator.name,
                cuda=node.variant.accelerator.cuda,
                cpu_arch=node.variant.cpu_arch,
                key=node.key.hex,
                image_id=node.image_id,
                tags=item.tags,
                aliases=item.aliases,
                digests={
                    one.repository: str(one.digest)
                    for one in pushed
                    if one.slug == node.variant.slug
                },
            )
            for node, item in zip(part.nodes, part.items, strict=True)
        ),
    )
