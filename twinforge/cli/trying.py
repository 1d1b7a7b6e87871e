"""The verb that tries images: ``smoke``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from twinforge.api import smoking
from twinforge.api.summary import summarise
from twinforge.cli.variants import SELECTORS, first_hint, selectors_argument
from twinforge.errors import SmokeError, UsageError
from twinforge.report.checks import checks_json, junit_xml, render_checks, render_rules, rules_json
from twinforge.report.summary import render_summary
from twinforge.report.text import clean
from twinforge.smoke.choice import EVERYTHING, Choice, choose_rules
from twinforge.wholefile import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinforge.build.ledger import Smoked
    from twinforge.build.plan import Node
    from twinforge.build.scheduler import Outcome
    from twinforge.cli.session import Session
    from twinforge.smoke.contract import SmokeReport

__all__ = ["smoke"]

_EXAMPLES = """
GLOB is one of an id, as in `serve.*`. What is chosen is done together with what
it needs; such a part of the checks is shown, and remembered neither as passed,
which `push` asks for, nor as failed. A failed warning fails no image.

\b
Examples:
  twinforge smoke
  twinforge smoke digits --again --jobs 1
  twinforge smoke --list
  twinforge smoke digits --only 'serve.*' --skip serve.concurrent
  twinforge smoke --again --junit smoke.xml
"""


@click.command(epilog=f"{SELECTORS}{_EXAMPLES}")
@selectors_argument
@click.option(
    "--jobs", "-j", default=2, show_default=True, type=click.IntRange(1, 64), help="Images at once."
)
@click.option("--again", is_flag=True, help="Smoke images that have passed, too.")
@click.option("--list", "lists", is_flag=True, help="Explain the checks, and do none.")
@click.option("--only", multiple=True, metavar="GLOB", help="Do just these checks.")
@click.option("--skip", multiple=True, metavar="GLOB", help="Do all but these checks.")
@click.option(
    "--junit",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the results as JUnit XML, too.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@click.pass_obj
def smoke(  # noqa: PLR0913 - one parameter per option
    session: Session,
    *,
    selectors: tuple[str, ...],
    jobs: int,
    again: bool,
    lists: bool,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    junit: Path | None,
    as_json: bool,
) -> None:
    """Start each built image as SageMaker does, and see that it keeps the contract."""
    choice = Choice(only, skip)
    if lists:
        rules = choose_rules(choice)
        if as_json:
            session.show_json(rules_json(rules))
        else:
            session.show(render_rules(rules, style=session.style))
        return
    by_variant: dict[str, SmokeReport] = {}
    with session.workspace() as workspace:
        nodes, outcomes = smoking.smoke(
            workspace,
            workspace.select(selectors),
            jobs=jobs,
            again=again,
            choice=choice,
            keep=lambda report: by_variant.update({report.variant: report}),
        )
        summary = summarise(workspace, nodes, smoked=outcomes)
    # In the order in which they were asked for, whichever came first.
    reports = [by_variant[one.variant.id] for one in nodes if one.variant.id in by_variant]
    if junit is not None:
        unsmoked = {
            one.task.variant.id: one.error.message if one.error else "the run ended before"
            for one in outcomes
            if one.task.variant.id not in by_variant
        }
        _write(junit, junit_xml(reports, unsmoked))
    is_part = choice != EVERYTHING
    if as_json:
        session.show_json({**summary.as_json(), "reports": checks_json(reports)})
    else:
        if not outcomes:
            session.show(f"nothing changed: {len(nodes)} of {len(nodes)} images have passed before")
        shown = render_checks(reports, everything=is_part or len(nodes) == 1, style=session.style)
        images = "" if is_part else render_summary(summary, style=session.style)
        session.show("\n".join(filter(None, [shown, images])))
    for outcome in outcomes:
        if outcome.error is not None:
            click.echo(clean(outcome.error.message), err=True)
    _refuse_failures(nodes, outcomes, good=is_part or summary.is_good)


def _refuse_failures(
    nodes: Sequence[Node], outcomes: Sequence[Outcome[Node, Smoked]], *, good: bool
) -> None:
    failed = [outcome for outcome in outcomes if outcome.result is None]
    if failed or not good:
        message = f"{len(failed)} of {len(nodes)} images did not pass"
        raise SmokeError(message, hint=first_hint(outcomes))


def _write(path: Path, text: str) -> None:
    try:
        write_text(path, text)
    except OSError as error:
        message = f"'{path}' can't be written: {error.strerror or error}"
        raise UsageError(message) from error
