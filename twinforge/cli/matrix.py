"""The verb ``matrix``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from twinforge.api import showing
from twinforge.cli.variants import SELECTORS, selectors_argument
from twinforge.errors import UsageError
from twinforge.report.tables import Column, render_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinforge.api.showing import LeftOut, Shown
    from twinforge.cli.session import Session

__all__ = ["matrix"]

_EXAMPLES = """
\b
Without a selector it shows all variants, also where there is a group `default`.

\b
Examples:
  twinforge matrix                              every variant, its groups and tags
  twinforge matrix digits:pr --json             for a script
  twinforge matrix --excluded                   what is left out, and by which rule
  twinforge matrix changed-since=main --github  for `fromJSON` in a workflow
  twinforge matrix --bake > bake.json           for `docker buildx bake -f bake.json`
"""


@click.command(epilog=SELECTORS + _EXAMPLES)
@selectors_argument
@click.option("--json", "as_json", is_flag=True, help="Print variants and exclusions as JSON.")
@click.option(
    "--github", "as_github", is_flag=True, help="Print a workflow matrix, in one line; up to 256."
)
@click.option(
    "--bake", "as_bake", is_flag=True, help="Print a bake file; the recipes must be locked."
)
@click.option(
    "--excluded",
    "only_excluded",
    is_flag=True,
    help="Show what is excluded or shelved instead; SELECTOR is a recipe or a pattern of ids.",
)
@click.pass_obj
def matrix(  # noqa: PLR0913 - the options of the command line
    session: Session,
    *,
    selectors: tuple[str, ...],
    as_json: bool,
    as_github: bool,
    as_bake: bool,
    only_excluded: bool,
) -> None:
    """Show the variants that follow from recipes and matrix. Builds nothing."""
    if sum((as_json, as_github, as_bake)) > 1 or (only_excluded and (as_github or as_bake)):
        message = "--json, --github and --bake are one form each, and --excluded has only --json"
        raise UsageError(message, hint="give one of them")
    with session.workspace() as workspace:
        if only_excluded:
            _show_left_out(session, showing.left_out(workspace, selectors), as_json=as_json)
            return
        if as_github:
            session.show(showing.github(workspace, selectors))
            return
        if as_bake:
            session.show_json(showing.bake(workspace, selectors))
            return
        shown = showing.show_matrix(workspace, selectors)
    if as_json:
        session.show_json([one.as_json() for one in shown])
        return
    columns, rows = _table(shown)
    session.show(render_table(rows, columns, style=session.style))
    counts = {
        "excluded": len(workspace.project.excluded),
        "shelved": len(workspace.project.shelved),
    }
    said = " and ".join(f"{count} {what}" for what, count in counts.items() if count)
    if said and not session.quiet:
        click.echo(f"# {said}; `twinforge matrix --excluded` shows them", err=True)


def _show_left_out(session: Session, cells: Sequence[LeftOut], *, as_json: bool) -> None:
    if as_json:
        session.show_json([cell.as_json() for cell in cells])
        return
    columns = [Column("excluded"), Column("rule")]
    rows = [(cell.id, f"{cell.place}{cell.reason and f': {cell.reason}'}") for cell in cells]
    session.show(render_table(rows, columns, style=session.style))


def _table(shown: Sequence[Shown]) -> tuple[list[Column], list[list[str]]]:
    """Return a column for each axis that one of the variants has, and for each derived one."""
    pairs = [dict((*one.variant.values, *one.variant.derived)) for one in shown]
    axes = list(dict.fromkeys(axis for values in pairs for axis in values))
    rows = [
        [
            one.variant.id,
            *(values.get(axis, "") for axis in axes),
            ", ".join(one.groups),
            ", ".join((one.variant.tag, *one.variant.aliases)),
        ]
        for one, values in zip(shown, pairs, strict=True)
    ]
    headings = ["variant", *axes, "groups", "tags"]
    return [Column(heading) for heading in headings], rows
