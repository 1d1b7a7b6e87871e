"""The verb that tries images: ``smoke``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from twinforge.api import smoking
from twinforge.api.summary import summarise
from twinforge.cli.variants import SELECTORS, first_hint, selectors_argument
from twinforge.errors import SmokeError
from twinforge.report.summary import render_summary

if TYPE_CHECKING:
    from twinforge.cli.session import Session

__all__ = ["smoke"]


@click.command(
    epilog=f"{SELECTORS}\n\b\nExamples:\n  twinforge smoke\n  twinforge smoke digits --again --jobs 1"
)
@selectors_argument
@click.option(
    "--jobs", "-j", default=2, show_default=True, type=click.IntRange(1, 64), help="Images at once."
)
@click.option("--again", is_flag=True, help="Smoke images that have passed, too.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@click.pass_obj
def smoke(
    session: Session, *, selectors: tuple[str, ...], jobs: int, again: bool, as_json: bool
) -> None:
    """Start each built image as SageMaker does, and see that it trains and serves."""
    with session.workspace() as workspace:
        nodes, outcomes = smoking.smoke(
            workspace, workspace.select(selectors), jobs=jobs, again=again
        )
        summary = summarise(workspace, nodes, smoked=outcomes)
    if as_json:
        session.show_json(summary.as_json())
    else:
        if not outcomes:
            session.show(f"nothing changed: {len(nodes)} of {len(nodes)} images have passed before")
        session.show(render_summary(summary, style=session.style))
    for outcome in outcomes:
        if outcome.error is not None:
            click.echo(outcome.error.message, err=True)
    if not summary.is_good:
        failed = [outcome for outcome in outcomes if outcome.result is None]
        message = f"{len(failed)} of {len(nodes)} images did not pass"
        raise SmokeError(message, hint=first_hint(outcomes))
