"""``smoke``: every image that was built does what it must, once per image and set of checks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from twinforge.api.building import BuildOptions, plan
from twinforge.api.checks import checks_digests, smoked
from twinforge.api.devices import device_asked
from twinforge.api.rendering import locked_variant
from twinforge.build.ledger import Smoked
from twinforge.build.scheduler import Outcome, run_all
from twinforge.errors import SmokeError, TwinforgeError
from twinforge.events import Event, State
from twinforge.smoke.run import run_smoke

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from twinforge.api.workspace import Workspace
    from twinforge.build.plan import Node
    from twinforge.model.variant import Variant

__all__ = ["smoke"]


def smoke(
    workspace: Workspace,
    variants: Sequence[Variant],
    *,
    jobs: int = 2,
    again: bool = False,
) -> tuple[tuple[Node, ...], tuple[Outcome[Node, Smoked], ...]]:
    """Smoke the images of the variants, except those that passed the same checks before.

    Returns:
        The nodes of all variants, each current, and an outcome for each that was smoked now.

    Raises:
        SmokeError: A variant is not built, or its image is not that of its recipe as it is now.
    """
    nodes = plan(workspace, variants, BuildOptions()).nodes
    stale = [node for node in nodes if not node.image_id]
    if stale:
        named = ", ".join(f"{node.variant.id} ({node.why})" for node in stale[:5])
        message = f"{len(stale)} of {len(nodes)} variants are not built: {named}"
        raise SmokeError(message, hint="run `twinforge build`")
    checks = checks_digests(workspace, variants)
    todo = [
        node
        for node in nodes
        if again
        or (known := smoked(workspace, node, checks[node.variant.id])) is None
        or not known.passed
    ]

    def worker(node: Node, cancelled: threading.Event) -> Smoked:
        return _smoke_node(workspace, node, checks[node.variant.id], cancelled)

    return nodes, run_all(todo, worker, jobs=jobs)


def _smoke_node(
    workspace: Workspace, node: Node, checks: str, cancelled: threading.Event
) -> Smoked:
    variant, tell = node.variant, workspace.listener
    recipe = workspace.project.recipe_for(variant)
    tell(Event("smoke", variant.id, State.STARTED))
    start = time.monotonic()
    lock = locked_variant(workspace, variant)
    try:
        report = run_smoke(
            node.image_id,
            recipe,
            variant,
            {wheel.name: wheel.version for wheel in lock.wheels},
            root=workspace.root,
            engine=workspace.engine,
            listener=tell,
            log=workspace.log_path("smoke", variant),
            cancelled=cancelled,
            device=device_asked(workspace, variant, lock),
        )
    except TwinforgeError as error:
        tell(Event("smoke", variant.id, State.FAILED, error.message.partition("\n")[0]))
        raise
    if cancelled.is_set() and not report.passed:
        # Nobody knows what the checks would have come to, and that is what the ledger keeps.
        tell(Event("smoke", variant.id, State.FAILED, "cancelled"))
        message = f"the smoke of {variant.id} was cancelled"
        raise SmokeError(message)
    failed = tuple(f"{check.id}: {check.detail}" for check in report.checks if not check.passed)
    outcome = Smoked(report.passed, checks, report.ping_s, time.monotonic() - start, failed)
    workspace.ledger.record_smoke(node.image_id, outcome)
    if report.passed:
        text = f"{len(report.checks)} checks passed, /ping after {report.ping_s:.1f} s"
        tell(Event("smoke", variant.id, State.DONE, text))
        return outcome
    tell(Event("smoke", variant.id, State.FAILED, failed[0].partition("\n")[0] if failed else ""))
    names = ", ".join(check.id for check in report.checks if not check.passed) or "no check ran"
    message = "\n".join([f"{variant.id} did not pass its smoke checks: {names}", *failed])
    raise SmokeError(message, hint=f"see {workspace.log_path('smoke', variant)}")
