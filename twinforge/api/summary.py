"""The rows that a run ends with: images, what they share, how long they took, and what failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twinforge.api.checks import checks_digests
from twinforge.api.layersizes import layer_sizes
from twinforge.build.buildkit import VariantFailedError
from twinforge.report.summary import BuildRow, BuildSummary, FailureRow, shared_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinforge.api.workspace import Workspace
    from twinforge.build.plan import Node
    from twinforge.build.scheduler import Outcome

__all__ = ["failure_rows", "summarise"]


def summarise(
    workspace: Workspace,
    nodes: Sequence[Node],
    *,
    built: Sequence[Outcome[Node, Any]] = (),
    smoked: Sequence[Outcome[Node, Any]] = (),
) -> BuildSummary:
    """Return the end of a run.

    Args:
        workspace: Of the run.
        nodes: All variants that the run was about.
        built: What was built now.
        smoked: What was smoked now.
    """
    images = {node.variant.id: node.image_id for node in nodes if node.image_id}
    images.update({o.task.variant.id: o.result.image_id for o in built if o.result is not None})
    fresh = {outcome.task.variant.id for outcome in (*built, *smoked)}
    sizes = layer_sizes(workspace, images.values())
    layers = {name: sizes[image] for name, image in images.items()}
    shared = shared_bytes(layers)
    checks = checks_digests(workspace, (node.variant for node in nodes))
    rows = []
    for node in nodes:
        name = node.variant.id
        if name not in images:
            continue
        record = workspace.ledger.built.get(name)
        outcome = workspace.ledger.smoked.get(images[name])
        known = outcome is not None and outcome.checks == checks[name]
        rows.append(
            BuildRow(
                variant=name,
                tag=node.variant.tag,
                image_id=images[name],
                size_bytes=sum(layers[name].values()),
                shared_bytes=shared[name],
                is_new=name in fresh,
                build_s=record.seconds if record else None,
                ping_s=outcome.ping_s if outcome and known else None,
                smoke="not run"
                if not outcome or not known
                else "passed"
                if outcome.passed
                else "failed",
            )
        )
    failures = failure_rows(workspace, "build", built) + failure_rows(workspace, "smoke", smoked)
    skipped = tuple(o.task.variant.id for o in (*built, *smoked) if o.skipped)
    return BuildSummary(tuple(rows), failures, skipped)


def failure_rows(
    workspace: Workspace, verb: str, outcomes: Sequence[Outcome[Node, Any]]
) -> tuple[FailureRow, ...]:
    """Return a row for each failure: where it is, as far as that is known, and its first line."""
    rows = []
    for outcome in outcomes:
        if outcome.error is None:
            continue
        variant, error = outcome.task.variant, outcome.error
        stage = dockerfile = output = ""
        if isinstance(error, VariantFailedError):
            stage, output = error.failure.stage, error.failure.output
            line = error.failure.line
            dockerfile = f"{variant.folder}/Dockerfile:{line}" if line else ""
        place = workspace.project.recipe(variant.recipe).place
        log = workspace.log_path(verb, variant).relative_to(workspace.root).as_posix()
        message = error.message.partition("\n")[0]
        rows.append(
            FailureRow(variant.id, verb, stage, dockerfile, str(place), message, log, output)
        )
    return tuple(rows)
