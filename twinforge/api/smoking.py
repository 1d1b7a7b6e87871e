"""``smoke``: every image that was built does what it must, once per image and set of checks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from twinforge.api.building import BuildOptions, plan
from twinforge.api.checks import checks_digests, partners_of, smoked
from twinforge.api.devices import device_asked
from twinforge.api.rendering import locked_variant
from twinforge.api.severities import refuse_unknown_severities
from twinforge.build.ledger import Smoked
from twinforge.build.scheduler import Outcome, run_all
from twinforge.errors import SmokeError, TwinforgeError
from twinforge.events import Event, State
from twinforge.smoke.choice import EVERYTHING, refuse_nothing
from twinforge.smoke.contract import Partner, required
from twinforge.smoke.run import run_smoke

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from twinforge.api.workspace import Workspace
    from twinforge.build.plan import Node
    from twinforge.model.variant import Variant
    from twinforge.smoke.choice import Choice
    from twinforge.smoke.contract import SmokeReport

__all__ = ["smoke"]


def smoke(  # noqa: PLR0913 - whose images, and every option
    workspace: Workspace,
    variants: Sequence[Variant],
    *,
    jobs: int = 2,
    again: bool = False,
    choice: Choice = EVERYTHING,
    keep: Callable[[SmokeReport], object] = lambda _: None,
) -> tuple[tuple[Node, ...], tuple[Outcome[Node, Smoked], ...]]:
    """Smoke the images of the variants, except those that passed the same checks before.

    Args:
        workspace: Has the images.
        variants: Whose images.
        jobs: How many images at once.
        again: Whether images that passed are smoked, too.
        choice: Which checks are done. If not all, then of all images, and the outcome is not
            remembered: neither as passed, which a push asks for, nor as failed.
        keep: Is given the report of each image, from any thread.

    Returns:
        The nodes of all variants, each current, and an outcome for each that was smoked now.

    Raises:
        SmokeError: A variant is not built, or its image is not that of its recipe as it is now.
        ProjectError: A recipe gives a severity to a check that there is not.
        UsageError: A glob of the choice matches no check.
    """
    refuse_unknown_severities(workspace.project, variants)
    partners = _partners(workspace, variants)
    refuse_nothing(
        choice,
        [
            one
            for variant in variants
            for one in required(
                workspace.project.recipe_for(variant).smoke,
                cuda=variant.accelerator.cuda,
                partner=partners.get(variant.id),
            )
        ],
    )
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
        or choice != EVERYTHING
        or (known := smoked(workspace, node, checks[node.variant.id])) is None
        or not known.passed
    ]

    def worker(node: Node, cancelled: threading.Event) -> Smoked:
        started = time.monotonic()
        report = _smoke_node(workspace, node, cancelled, choice, partners.get(node.variant.id))
        keep(report)
        seconds = time.monotonic() - started
        return _judge(workspace, node, report, checks[node.variant.id], seconds)

    return nodes, run_all(todo, worker, jobs=jobs)


def _partners(workspace: Workspace, variants: Sequence[Variant]) -> dict[str, Partner]:
    """Return what each of the variants is compared with, by their ids; where that has a partner."""
    partners = partners_of(workspace)
    wanted = {one.id: partners[one.id] for one in variants if one.id in partners}
    asked = tuple({one.id: one for one in wanted.values()}.values())
    images = {one.variant.id: one.image_id for one in plan(workspace, asked, BuildOptions()).nodes}
    return {name: Partner(one.id, images[one.id]) for name, one in wanted.items()}


def _smoke_node(
    workspace: Workspace,
    node: Node,
    cancelled: threading.Event,
    choice: Choice,
    partner: Partner | None,
) -> SmokeReport:
    variant, tell = node.variant, workspace.listener
    recipe = workspace.project.recipe_for(variant)
    tell(Event("smoke", variant.id, State.STARTED))
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
            choice=choice,
            partner=partner,
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
    return report


def _judge(
    workspace: Workspace, node: Node, report: SmokeReport, checks: str, seconds: float
) -> Smoked:
    """Remember a report, if it is a whole one, and tell how it went.

    Raises:
        SmokeError: A check failed that is an error.
    """
    variant, tell = node.variant, workspace.listener
    bad = [check for check in report.checks if not check.is_good]
    warned = [check for check in report.checks if check.is_good and not check.passed]
    failed = tuple(f"{check.id}: {check.detail}" for check in bad)
    outcome = Smoked(report.passed, checks, report.ping_s, seconds, failed)
    if report.whole:
        workspace.ledger.record_smoke(node.image_id, outcome)
    if report.passed or (not report.whole and not bad):
        passed = sum(check.passed for check in report.checks)
        warnings = f", {len(warned)} warnings" if warned else ""
        ping = f", /ping after {report.ping_s:.1f} s" if report.ping_s else ""
        checks_passed = "1 check" if passed == 1 else f"{passed} checks"
        text = f"{checks_passed} passed{warnings}{ping}"
        tell(Event("smoke", variant.id, State.DONE, text))
        return outcome
    tell(Event("smoke", variant.id, State.FAILED, failed[0].partition("\n")[0] if failed else ""))
    names = ", ".join(check.id for check in bad) or "no check ran"
    message = "\n".join([f"{variant.id} did not pass its smoke checks: {names}", *failed])
    raise SmokeError(message, hint=f"see {workspace.log_path('smoke', variant)}")
