"""``plan`` and ``build``: what must be made, in what order, and what became of it."""

from __future__ import annotations

import shlex
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from twinforge.api.ahead import ahead
from twinforge.api.inputs import Inputs
from twinforge.api.locking import check_locks
from twinforge.api.rendering import check_rendered, locked_variant
from twinforge.build.apt import ContainerApt
from twinforge.build.bases import MadeBase, compare_packages, make_base
from twinforge.build.buildkit import BuildSpec, Buildx, VariantFailedError, build_argv
from twinforge.build.ledger import Built
from twinforge.build.plan import Node, Plan, plan_builds
from twinforge.build.program import stage_context, stage_program
from twinforge.build.runtimefiles import stage_runtime
from twinforge.build.scheduler import Outcome, run_all
from twinforge.build.tools import make_uv_context, uv_reference
from twinforge.errors import StaleError, TwinforgeError
from twinforge.events import Event, State
from twinforge.lock.apt import apt_packages
from twinforge.model.matrix import Bootstrap
from twinforge.render.dockerfile import EPOCH, base_name
from twinforge.render.tags import content_tag, local_repository

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from twinforge.api.workspace import Workspace
    from twinforge.build.progress import Failure
    from twinforge.model.variant import Variant

__all__ = [
    "BuildOptions",
    "Made",
    "build",
    "build_specs",
    "dry_run",
    "local_reference",
    "plan",
    "references_of",
]

KEY_LABEL = "io.twinforge.key"
_APT_STAGE = "system"


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


@dataclass(frozen=True, slots=True)
class Made:
    """An image that was built; the node's key is another than planned where a package moved."""

    node: Node
    image_id: str


def local_reference(workspace: Workspace, variant: Variant, tag: str = "") -> str:
    """Return the reference that a variant's image has in the engine, by version tag or another."""
    project = workspace.project
    repository = local_repository(project.recipe(variant.recipe), project.matrix)
    return f"{repository}:{tag or variant.tag}"


def references_of(workspace: Workspace, nodes: Sequence[Node]) -> dict[str, str]:
    """Return the references that the images of current nodes have in the engine, with their ids."""
    return {
        local_reference(workspace, node.variant, tag): node.image_id
        for node in nodes
        if node.image_id
        for tag in (content_tag(node.key.hex), node.variant.tag)
    }


def plan(workspace: Workspace, variants: Sequence[Variant], options: BuildOptions) -> Plan:
    """Return what a build would do, by the committed locks.

    Changes nothing: where no engine answers, none is started, and no image is there.
    """
    return _plan(Inputs(workspace, tuple(variants), options.locked), options)


def dry_run(
    workspace: Workspace, variants: Sequence[Variant], options: BuildOptions
) -> tuple[tuple[Node, str], ...]:
    """Return the nodes that a build would make, each with its command line."""
    inputs = Inputs(workspace, tuple(variants), options.locked)
    contexts = _contexts_of_the_engine(inputs)
    return tuple(
        (
            node,
            shlex.join(
                build_argv(
                    _spec(inputs, node, contexts),
                    docker=workspace.engine.docker if workspace.has_engine else "docker",
                    builder=options.builder,
                    metadata=Path("metadata.json"),
                )
            ),
        )
        for node in _plan(inputs, options).todo
    )


def build_specs(workspace: Workspace, variants: Sequence[Variant]) -> tuple[BuildSpec, ...]:
    """Return what builds each variant, whether it is built already or not.

    As a build does, it follows what is known to have moved since the lock: the base that the engine
    has is the one that a build has left there. The images get their version tags at once, which a
    build of ours does in the end.
    """
    inputs = Inputs(workspace, tuple(variants))
    contexts = _contexts_of_the_engine(inputs)
    specs = []
    for node in _plan(inputs, BuildOptions()).nodes:
        spec = _spec(inputs, node, contexts)
        tags = (*spec.tags, local_reference(workspace, node.variant))
        specs.append(replace(spec, tags=tags))
    return tuple(specs)


def _uv_name(variant: Variant) -> str:
    """Return how uv for a variant's CPU is called among what builds share."""
    return f"uv/{variant.cpu_arch}"


def _contexts_of_the_engine(inputs: Inputs) -> dict[str, str]:
    """Return the named contexts as a build leaves them in the engine."""
    contexts = {}
    for variant in inputs.variants:
        contexts[_uv_name(variant)] = f"docker-image://{uv_reference(variant.cpu_arch)}"
        if isinstance(variant.base.source, Bootstrap):
            name = base_name(variant, None)
            digest = inputs.base_digest(variant).removeprefix("sha256:")
            contexts[name] = f"docker-image://{name}-{digest[:16]}"
    return contexts


def build(
    workspace: Workspace, variants: Sequence[Variant], options: BuildOptions
) -> tuple[Plan, tuple[Outcome[Node, Made], ...]]:
    """Build what is not there yet.

    Returns:
        The plan that was carried out, and an outcome for each node in its todo.

    Raises:
        StaleError: A lock or committed files are stale, or something moved and ``options.locked`` is
            set.
    """
    check_locks(workspace, tuple(dict.fromkeys(variant.recipe for variant in variants)))
    inputs = Inputs(workspace, tuple(variants), options.locked)
    check_rendered(workspace.root, inputs.committed, orphans=False)
    builder = Buildx(workspace.engine, options.builder)
    driver_told = ahead(builder.driver)
    current = _plan(inputs, options)
    _tag_current(workspace, current)
    if not current.todo:
        return current, ()
    driver = driver_told.result()
    bases = _make_bases(inputs, current, driver)
    current = _plan(inputs, options)
    jobs = options.jobs
    first = builder
    if driver == "docker" and len(current.todo) > 1:
        if all(node.is_small_change for node in current.todo):
            jobs = 1  # one call each, where side by side it would be two
        else:
            builder = replace(builder, turn=threading.Lock())
            # where all start at once, the first has its turn from the start: one call as well
            first = replace(builder, leads=len(current.todo) <= jobs)
    contexts = {
        base_name(node.variant, None): bases[node.variant.base.name].context(driver)
        for node in current.todo
        if isinstance(node.variant.base.source, Bootstrap)
    }
    for variant in {_uv_name(node.variant): node.variant for node in current.todo}.values():
        contexts[_uv_name(variant)] = make_uv_context(
            workspace.cache_dir,
            workspace.images,
            driver=driver,
            env=workspace.child_environ,
            cpu_arch=variant.cpu_arch,
        )

    def attempt(node: Node, cancelled: threading.Event) -> Made:
        chosen = first if node is current.todo[0] else builder
        try:
            return _build_node(inputs, node, contexts, chosen, cancelled)
        except VariantFailedError as error:
            if not _follow_moves(inputs, node, error.failure):
                raise
        again = replace(node, key=inputs.key(node.variant))
        return _build_node(inputs, again, contexts, chosen, cancelled)

    def worker(node: Node, cancelled: threading.Event) -> Made:
        try:
            return attempt(node, cancelled)
        except TwinforgeError as error:
            text = error.message.partition("\n")[0]
            workspace.listener(Event("build", node.variant.id, State.FAILED, text))
            raise

    outcomes = run_all(current.todo, worker, jobs=jobs, fail_fast=options.fail_fast)
    return current, outcomes


def _plan(inputs: Inputs, options: BuildOptions) -> Plan:
    workspace = inputs.workspace
    return plan_builds(
        inputs.variants,
        inputs.keys(),
        built=workspace.ledger.built,
        present=workspace.images.by_label(KEY_LABEL) if workspace.has_engine else {},
        force=options.force,
    )


def _tag_current(workspace: Workspace, current: Plan) -> None:
    """Let the tags of each current variant name its image.

    The version tag names another one after a change that was taken back, and none where a run was
    interrupted between the image and its tag, or where another project built the same content.
    """
    held = workspace.images.references()
    for reference, image_id in references_of(workspace, current.nodes).items():
        if held.get(reference) != image_id:
            workspace.images.tag(image_id, reference)


def _make_bases(inputs: Inputs, current: Plan, driver: str) -> dict[str, MadeBase]:
    workspace = inputs.workspace
    made = {}
    for base in {node.variant.base.name: node.variant.base for node in current.todo}.values():
        lock = workspace.base_locks.get(base.name)
        made[base.name] = make_base(
            base,
            lock,
            engine=workspace.engine,
            cache_dir=workspace.cache_dir,
            listener=workspace.listener,
            locked=inputs.locked,
            driver=driver,
        )
        if lock is not None and lock.digest and isinstance(base.source, Bootstrap):
            inputs.moves.record_base(lock.digest, made[base.name].digest)
    return made


def _spec(inputs: Inputs, node: Node, shared: Mapping[str, str]) -> BuildSpec:
    """Return what builds a node; ``shared`` are the named contexts that do not depend on it."""
    workspace, variant = inputs.workspace, node.variant
    recipe = workspace.project.recipe_for(variant)
    staged = workspace.state_dir / "staged"
    base = base_name(variant, None)
    contexts = {base: shared[base]} if base in shared else {}
    contexts["uv"] = shared[_uv_name(variant)]
    program = stage_program(
        workspace.root / recipe.program,
        inputs.program(recipe.name),
        staged / "programs" / f"{recipe.name}-{node.key.parts['program'][:16]}",
    )
    if recipe.runtime is not None:
        contexts["runtime"] = str(
            stage_runtime(inputs.runtime, staged / f"runtime-{node.key.parts['runtime'][:16]}")
        )
    secrets = {"ca": workspace.ca_bundle} if workspace.ca_bundle else {}
    environ = workspace.environ
    netrc = Path(environ.get("NETRC") or f"{environ.get('HOME', '')}/.netrc")
    if (recipe.indexes or recipe.homes) and netrc.is_file():
        secrets["netrc"] = netrc
    return BuildSpec(
        name=variant.id,
        folder=stage_context(
            inputs.files(variant),
            staged / "contexts" / node.key.hex[:16] / variant.slug,
            program=program,
        ),
        contexts=contexts,
        secrets=secrets,
        labels={KEY_LABEL: node.key.hex},
        tags=(local_reference(workspace, variant, content_tag(node.key.hex)),),
        epoch=EPOCH,
        platform=variant.platform,
    )


def _build_node(
    inputs: Inputs,
    node: Node,
    contexts: Mapping[str, str],
    builder: Buildx,
    cancelled: threading.Event,
) -> Made:
    workspace, variant = inputs.workspace, node.variant
    tell = workspace.listener

    def on_step(name: str, done: int, total: int) -> None:
        tell(Event("build", variant.id, State.PROGRESS, name, done, total))

    tell(Event("build", variant.id, State.STARTED, node.why))
    start = time.monotonic()
    with workspace.log_path("build", variant).open("w", encoding="utf-8", buffering=1) as log:
        image_id = builder.build(
            _spec(inputs, node, contexts),
            log=lambda line: print(line, file=log),
            on_step=on_step,
            cancelled=cancelled,
        )
    # The version tag is set after the image is complete, so that an interrupted run moves none.
    workspace.images.tag(image_id, local_reference(workspace, variant))
    built = Built(node.key.hex, node.key.parts, image_id, time.monotonic() - start)
    workspace.ledger.record_build(variant.id, built)
    tell(Event("build", variant.id, State.DONE, image_id))
    return Made(node, image_id)


def _follow_moves(inputs: Inputs, node: Node, failure: Failure) -> bool:
    """Where apt refused its pins, ask it what it would install today, and remember the answer.

    Returns:
        Whether anything moved; a build that failed for another reason would fail again.

    Raises:
        StaleError: Something moved and only the lock counts.
    """
    if failure.stage != _APT_STAGE or "E: " not in failure.output:
        return False
    workspace, variant = inputs.workspace, node.variant
    apt = ContainerApt(
        workspace.base_locks,
        engine=workspace.engine,
        cache_dir=workspace.cache_dir,
        listener=workspace.listener,
    )
    recipe = workspace.project.recipe(variant.recipe)
    locked = locked_variant(workspace, variant)
    wanted = apt.closure(variant, apt_packages(recipe, variant))
    now = {package.name: package.version for package in wanted}
    moved = compare_packages({package.name: package.version for package in locked.apt}, now)
    if not moved:
        return False
    shown = ", ".join(str(one) for one in moved)
    text = f"packages moved since the lock: {shown}"
    if inputs.locked:
        message = f"{variant.id}: {text}"
        raise StaleError(message, hint=f"run `twinforge lock {recipe.name}` and commit the result")
    workspace.listener(Event("build", variant.id, State.NOTE, text))
    inputs.moves.record_apt(locked, now)
    return True
