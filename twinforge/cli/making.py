"""Verbs that make images: ``plan`` and ``build``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from twinforge.api.recall import recall, remember
from twinforge.cli.variants import SELECTORS, first_hint, selectors_argument
from twinforge.errors import BuildError, StaleError
from twinforge.model.select import CHANGED_SINCE
from twinforge.report.summary import render_summary
from twinforge.report.tables import Column, render_table

if TYPE_CHECKING:
    from twinforge.build.plan import Node
    from twinforge.cli.session import Session
    from twinforge.report.summary import BuildSummary

__all__ = ["build", "plan"]


@click.command(epilog=f"{SELECTORS}\n\b\nExample:\n  twinforge plan digits --json")
@selectors_argument
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@click.pass_obj
def plan(session: Session, *, selectors: tuple[str, ...], as_json: bool) -> None:
    """Show what a build would do, and why. Changes nothing."""
    from twinforge.api import building  # noqa: PLC0415 - heavy

    with session.workspace() as workspace:
        nodes = building.plan(workspace, workspace.select(selectors), building.BuildOptions()).nodes
    if as_json:
        session.show_json([_node_json(node) for node in nodes])
        return
    columns = [Column("variant"), Column("status"), Column("why"), Column("key")]
    rows = [[n.variant.id, n.status.value, n.why, n.key.hex[:16]] for n in nodes]
    session.show(render_table(rows, columns, style=session.style))


@click.command(
    epilog=SELECTORS + "\n\b\nExamples:\n  twinforge build\n  twinforge build accelerator=cpu"
    " --fail-fast\n  twinforge build digits --dry-run"
)
@selectors_argument
@click.option(
    "--jobs",
    "-j",
    default=4,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Variants at once.",
)
@click.option(
    "--keep-going/--fail-fast",
    default=True,
    show_default=True,
    help="Whether a failure leaves the other variants alone.",
)
@click.option(
    "--builder", default="", metavar="NAME", help="A buildx builder other than the engine's own."
)
@click.option(
    "--locked", is_flag=True, help="Refuse to go on with packages that moved since the lock."
)
@click.option("--force", is_flag=True, help="Build images that are there again.")
@click.option("--dry-run", is_flag=True, help="Print the commands and build nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@click.pass_obj
def build(  # noqa: PLR0913 - the options of the command line
    session: Session,
    *,
    selectors: tuple[str, ...],
    jobs: int,
    keep_going: bool,
    builder: str,
    locked: bool,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Build the images that are not there yet, sharing what is equal."""
    asks_git = any(CHANGED_SINCE in selector for selector in selectors)
    may_recall = not (builder or locked or force or dry_run or asks_git)
    if may_recall and (summary := recall(session.root, session.environ, selectors)) is not None:
        _show(session, summary, nothing_changed=True, as_json=as_json)
        return
    with session.workspace() as workspace:
        if not dry_run:
            workspace.look_ahead()
        from twinforge.api import building  # noqa: PLC0415 - heavy, and not needed by the above
        from twinforge.api.summary import summarise  # noqa: PLC0415 - likewise

        options = building.BuildOptions(jobs, not keep_going, builder, locked, force)
        variants = workspace.select(selectors)
        if dry_run:
            commands = building.dry_run(workspace, variants, options)
            if as_json:
                session.show_json([{**_node_json(n), "command": c} for n, c in commands])
            for node, command in () if as_json else commands:
                session.show(f"# {node.variant.id}: {node.why}\n{command}")
            if not commands and not as_json:
                session.show("nothing to build")
            return
        done, outcomes = building.build(workspace, variants, options)
        summary = summarise(workspace, done.nodes, built=outcomes)
        if may_recall and not done.todo:
            references = building.references_of(workspace, done.nodes)
            remember(workspace, selectors, done.nodes, references, summary)
    _show(session, summary, nothing_changed=not done.todo, as_json=as_json)
    failed = [outcome.error for outcome in outcomes if outcome.error is not None]
    if failed:
        kind = StaleError if all(isinstance(one, StaleError) for one in failed) else BuildError
        skipped = f", {len(summary.skipped)} were not tried" if summary.skipped else ""
        message = f"{len(failed)} of {len(done.nodes)} variants did not build{skipped}"
        raise kind(message, hint=first_hint(outcomes) or "the log of each is named above")


def _show(session: Session, summary: BuildSummary, *, nothing_changed: bool, as_json: bool) -> None:
    if as_json:
        session.show_json(summary.as_json())
        return
    if nothing_changed:
        count = len(summary.rows)
        session.show(f"nothing changed: {count} of {count} images are up to date")
    session.show(render_summary(summary, style=session.style))


def _node_json(node: Node) -> dict[str, object]:
    return {
        "variant": node.variant.id,
        "tag": node.variant.tag,
        "status": node.status.value,
        "why": node.why,
        "key": node.key.hex,
        "image_id": node.image_id,
    }
