"""``plan`` and ``build``: what must be made, in what order, and what became of it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from twinforge.api.rendering import Rendered, check_rendered, render_variants
from twinforge.build.bases import MadeBase, make_base
from twinforge.build.buildkit import BuildSpec, Buildx, build_argv
from twinforge.build.ledger import Built
from twinforge.build.plan import Node, Plan, plan_builds
from twinforge.build.program import read_program, stage_context, stage_program
from twinforge.build.scheduler import Outcome, run_all
from twinforge.errors import TwinforgeError
from twinforge.events import Event, State
from twinforge.build.tools import make_uv_context, uv_version
from twinforge.model.matrix import Bootstrap
from twinforge.render.dockerfile import EPOCH, base_name
from twinforge.render.key import ContentKey, ProgramFile, content_key
from twinforge.render.tags import content_tag, local_repository

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping, Sequence

    from twinforge.api.workspace import Workspace
    from twinforge.lock.locked import RecipeLock
    from twinforge.model.variant import Variant

__all__ = ["KEY_LABEL", "BuildOptions", "build", "dry_run", "local_reference", "plan"]

KEY_LABEL = "io.twinforge.key"
_LOCK_LABEL = "io.twinforge.lock"


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """How to build.

    Attributes:
        jobs: How many variants at once.
        fail_fast: Whether the first failure stops the others.
        builder: Name of a buildx builder, or empty for the engine's own.
        locked: Whether a base or package that moved since the lock is an error.
        force: Whether images that are there are built again.
    """

    jobs: int = 4
    fail_fast: bool = False
    builder: str = ""
    locked: bool = False
    force: bool = False


@dataclass(slots=True)
class _Inputs:
    """What keys and builds are made of, read once per run."""

    workspace: Workspace
    rendered: dict[str, Rendered]
    digests: dict[str, str]
    programs: dict[str, tuple[ProgramFile, ...]] = field(default_factory=dict)
    locks: dict[str, RecipeLock] = field(default_factory=dict)

    def program(self, recipe: str) -> tuple[ProgramFile, ...]:
        if recipe not in self.programs:
            folder = self.workspace.root / self.workspace.project.recipe(recipe).program
            self.programs[recipe] = read_program(folder)
        return self.programs[recipe]

    def keys(self) -> dict[str, ContentKey]:
        version = uv_version()
        return {
            name: content_key(
                item.files,
                base_digest=self.digests[item.variant.base.name],
                program=self.program(item.variant.recipe),
                uv_version=version,
            )
            for name, item in self.rendered.items()
        }


def local_reference(workspace: Workspace, variant: Variant, tag: str = "") -> str:
    """Return the reference that a variant's image has in the engine, by version tag or another."""
    project = workspace.project
    repository = local_repository(project.recipe(variant.recipe), project.matrix)
    return f"{repository}:{tag or variant.tag}"


def plan(workspace: Workspace, variants: Sequence[Variant], options: BuildOptions) -> Plan:
    """Return what a build would do, by the committed locks. Changes nothing."""
    return _plan(_inputs(workspace, variants), options)


def dry_run(
    workspace: Workspace, variants: Sequence[Variant], options: BuildOptions
) -> tuple[tuple[Node, str], ...]:
    """Return the nodes that a build would make, each with its command line."""
    inputs = _inputs(workspace, variants)
    contexts = {"uv": f"docker-image://twinforge/uv:{uv_version()}"}
    for variant in variants:
        if isinstance(variant.base.source, Bootstrap):
            name = base_name(variant, None)
            digest = inputs.digests[variant.base.name].removeprefix("sha256:")
            contexts[name] = f"docker-image://{name}-{digest[:16]}"
    return tuple(
        (
            node,
            shlex.join(
                build_argv(
                    _spec(inputs, node, contexts),
                    docker=workspace.engine.docker,
                    builder=options.builder,
                    metadata=Path("metadata.json"),
                )
            ),
        )
        for node in _plan(inputs, options).todo
    )


def build(
    workspace: Workspace, variants: Sequence[Variant], options: BuildOptions
) -> tuple[Plan, tuple[Outcome[Node, str], ...]]:
    """Build what is not there yet.

    Returns:
        The plan that was carried out and an outcome, with the image id, for each node in its todo.

    Raises:
        StaleError: Committed files are stale, or something moved and ``options.locked`` is set.
    """
    inputs = _inputs(workspace, variants)
    check_rendered(workspace.root, tuple(inputs.rendered.values()), orphans=False)
    current = _plan(inputs, options)
    if not current.todo:
        return current, ()
    builder = Buildx(workspace.engine, options.builder)
    driver = builder.driver()
    bases = _make_bases(workspace, current, options, driver)
    inputs.digests.update({name: base.digest or inputs.digests[name] for name, base in bases.items()})
    current = _plan(inputs, options)
    contexts = {
        base_name(node.variant, None): bases[node.variant.base.name].context(driver)
        for node in current.todo
        if isinstance(node.variant.base.source, Bootstrap)
    }
    contexts["uv"] = make_uv_context(workspace.cache_dir, workspace.images, driver=driver)

    def worker(node: Node, cancelled: threading.Event) -> str:
        return _build_node(inputs, node, contexts, builder, cancelled)

    outcomes = run_all(current.todo, worker, jobs=options.jobs, fail_fast=options.fail_fast)
    for outcome in outcomes:
        if outcome.result is not None:
            node = outcome.task
            workspace.ledger.record_build(
                node.variant.id,
                Built(node.key.hex, node.key.parts, outcome.result, outcome.seconds),
            )
    return current, outcomes


def _inputs(workspace: Workspace, variants: Sequence[Variant]) -> _Inputs:
    rendered = {item.variant.id: item for item in render_variants(workspace, variants)}
    digests = {
        variant.base.name: lock.digest
        if (lock := workspace.base_locks.get(variant.base.name)) and lock.digest
        else f"unpinned:{base_name(variant, None)}"
        for variant in variants
    }
    inputs = _Inputs(workspace, rendered, digests)
    for name in dict.fromkeys(variant.recipe for variant in variants):
        lock = workspace.lock_of(name)
        if lock is not None:
            inputs.locks[name] = lock
    return inputs


def _plan(inputs: _Inputs, options: BuildOptions) -> Plan:
    workspace = inputs.workspace
    return plan_builds(
        [item.variant for item in inputs.rendered.values()],
        inputs.keys(),
        built=workspace.ledger.built,
        present=workspace.images.by_label(KEY_LABEL),
        force=options.force,
    )


def _make_bases(
    workspace: Workspace, current: Plan, options: BuildOptions, driver: str
) -> dict[str, MadeBase]:
    needed = {node.variant.base.name: node.variant.base for node in current.todo}
    return {
        name: make_base(
            base,
            workspace.base_locks.get(name),
            engine=workspace.engine,
            cache_dir=workspace.cache_dir,
            listener=workspace.listener,
            locked=options.locked,
            driver=driver,
        )
        for name, base in needed.items()
    }


def _spec(inputs: _Inputs, node: Node, shared: Mapping[str, str]) -> BuildSpec:
    """Return what builds a node; ``shared`` are the named contexts that do not depend on it."""
    workspace, variant = inputs.workspace, node.variant
    program = inputs.program(variant.recipe)
    staged = workspace.state_dir / "staged" / f"{variant.recipe}-{node.key.parts['program'][:16]}"
    folder = workspace.root / workspace.project.recipe(variant.recipe).program
    used = {base_name(variant, None), "uv"}
    contexts = {name: value for name, value in shared.items() if name in used}
    contexts["program"] = str(stage_program(folder, program, staged))
    secrets = {"ca": workspace.ca_bundle} if workspace.ca_bundle else {}
    netrc = Path(workspace.environ.get("NETRC") or "~/.netrc").expanduser()
    if workspace.project.recipe(variant.recipe).indexes and netrc.is_file():
        secrets["netrc"] = netrc
    return BuildSpec(
        name=variant.id,
        folder=stage_context(
            inputs.rendered[variant.id].files,
            workspace.state_dir / "staged" / "contexts" / variant.id,
        ),
        contexts=contexts,
        secrets=secrets,
        labels={
            KEY_LABEL: node.key.hex,
            _LOCK_LABEL: inputs.locks[variant.recipe].checksum,
        },
        tags=(local_reference(workspace, variant, content_tag(node.key.hex)),),
        epoch=EPOCH,
    )


def _build_node(
    inputs: _Inputs,
    node: Node,
    contexts: Mapping[str, str],
    builder: Buildx,
    cancelled: threading.Event,
) -> str:
    workspace, variant = inputs.workspace, node.variant
    tell = workspace.listener

    def on_step(name: str, done: int, total: int) -> None:
        tell(Event("build", variant.id, State.PROGRESS, name, done, total))

    tell(Event("build", variant.id, State.STARTED, node.why))
    try:
        with workspace.log_path("build", variant).open("w", encoding="utf-8", buffering=1) as log:
            image_id = builder.build(
                _spec(inputs, node, contexts),
                log=lambda line: print(line, file=log),
                on_step=on_step,
                cancelled=cancelled,
            )
    except TwinforgeError as error:
        tell(Event("build", variant.id, State.FAILED, error.message.partition("\n")[0]))
        raise
    workspace.images.tag(image_id, local_reference(workspace, variant))
    tell(Event("build", variant.id, State.DONE, image_id))
    return image_id
