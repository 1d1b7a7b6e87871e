"""``local list``, ``logs`` and ``stop``: what runs in the engine of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from twinforge.cli.local_options import open_means
from twinforge.errors import UsageError
from twinforge.report.tables import Column, render_table
from twinforge.sagemaker.local.running import find_running, list_running, stop_running

if TYPE_CHECKING:
    from twinforge.cli.session import Session

__all__ = ["list_local", "logs_local", "stop_local"]

_MOST_LINES = 1_000_000


@click.command(
    "list", epilog="\b\nExamples:\n  twinforge local list\n  twinforge local list --json"
)
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.pass_obj
def list_local(session: Session, *, as_json: bool) -> None:
    """Show the endpoints, training jobs and transforms that run here, of all projects.

    The engine is asked, and every endpoint pinged: InService is what answers a ping as it must.
    """
    with open_means(session, "list") as means:
        entries = list_running(means.desk)
    if as_json:
        session.show_json([entry.as_json() for entry in entries])
        return
    names = ("name", "kind", "variant", "like", "status", "url")
    rows = [
        (one.name, one.kind, f"{one.recipe}/{one.variant}", one.instance, one.status, one.url)
        for one in entries
    ]
    session.show(render_table(rows, [Column(name) for name in names], style=session.style))


@click.command(
    "logs",
    epilog="\b\nExamples:\n  twinforge local logs digits\n  twinforge local logs digits --follow",
)
@click.argument("name")
@click.option("--follow", is_flag=True, help="Go on until it ends.")
@click.pass_obj
def logs_local(session: Session, *, name: str, follow: bool) -> None:
    """Print what the container of an endpoint, a training job or a transform has printed."""
    with open_means(session, "logs") as means:
        box = find_running(means.desk, name).box
        if follow:
            means.desk.follow(box, session.show)
        else:
            for line in means.desk.last_lines(box, _MOST_LINES):
                session.show(line)


@click.command(
    "stop",
    epilog="\b\nExamples:\n  twinforge local stop digits\n  twinforge local stop --all --dry-run",
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--all", "everything", is_flag=True, help="Everything that runs, of all projects.")
@click.option("--dry-run", is_flag=True, help="Show what would be stopped; stop nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what was stopped as JSON.")
@click.pass_obj
def stop_local(
    session: Session, *, names: tuple[str, ...], everything: bool, dry_run: bool, as_json: bool
) -> None:
    """Stop endpoints (SIGTERM, 30 s) and training jobs (SIGTERM, 120 s, their model is kept)."""
    if bool(names) == everything:
        message = "either names are given, or --all"
        raise UsageError(message, hint="see `twinforge local list`")
    with open_means(session, "stop") as means:
        stopped = stop_running(means, names, dry_run=dry_run)
    if as_json:
        session.show_json([entry.as_json() for entry in stopped])
        return
    for entry in stopped:
        session.show(f"{entry.name}: {'would be stopped' if dry_run else 'stopped'}")
