"""The verb ``push``: from the engine to a registry."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from twinforge.api.repushing import Question, recall_push
from twinforge.cli.pushed import show_pushed
from twinforge.errors import UsageError
from twinforge.registry.credentials import Credentials
from twinforge.registry.items import AwsAccess
from twinforge.report.tables import Column, render_table

if TYPE_CHECKING:
    from twinforge.api import pushing
    from twinforge.cli.session import Session

__all__ = ["push"]


@click.command(
    epilog="\b\nExamples:\n  twinforge push                        all default variants, to the matrix's registry\n"
    "  twinforge push digits --dry-run       what would go where\n"
    "  twinforge push --registry localhost:5000 --username me --password-stdin < secret"
)
@click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
@click.option(
    "--registry", default="", metavar="HOST", help="host[:port][/path], instead of the matrix's."
)
@click.option(
    "--to", default="", metavar="NAME", help="A registry of the matrix by name; else the first."
)
@click.option("--username", default="", help="For --registry; else what `docker login` stored.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--profile", default="", help="A profile of the AWS configuration.")
@click.option("--endpoint-url", default="", metavar="URL", help="Where ECR's control plane is.")
@click.option(
    "--address", default="", metavar="HOST", help="Host and port that stand for ECR's registry."
)
@click.option(
    "--jobs", "-j", default=3, show_default=True, type=click.IntRange(1, 32), help="Layers at once."
)
@click.option("--dry-run", is_flag=True, help="Show what would be pushed; send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@click.pass_obj
def push(  # noqa: PLR0913 - the options of the command line
    session: Session,
    *,
    selectors: tuple[str, ...],
    registry: str,
    to: str,
    username: str,
    password_stdin: bool,
    profile: str,
    endpoint_url: str,
    address: str,
    jobs: int,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Push what was smoked, verify it in the registry, and record the release.

    Aliases move last, after every variant is in and verified. What is there is not sent; a push that
    was stopped or killed goes on where it was when it is run again.
    """
    if bool(username) != password_stdin:
        message = "--username and --password-stdin belong together"
        raise UsageError(message)
    if registry and to:
        message = "--registry and --to exclude each other"
        raise UsageError(message)
    password = sys.stdin.readline().rstrip("\r\n") if password_stdin else ""
    if password_stdin and not password:
        message = "standard input has no password in its first line"
        raise UsageError(message)
    question = Question(selectors, registry, to, AwsAccess(profile, endpoint_url, address))
    if not dry_run:
        login = Credentials(username, password) if username else None
        with session.progress() as tell:
            found = recall_push(session.root, session.environ, question, login, tell)
        if found is not None:
            show_pushed(session, found, as_json=as_json)
            return
    from twinforge.api import pushing  # noqa: PLC0415 - heavy, and not needed by the above

    with session.workspace() as workspace:
        variants = workspace.select(selectors)
        if dry_run:
            _show_plan(session, pushing.plan_push(workspace, variants, to), as_json=as_json)
            return
        access = replace(question.access, ca_bundle=workspace.ca_bundle)
        options = pushing.PushOptions(jobs, registry, username, password, access, to)
        pushed = pushing.push(workspace, variants, options, question)
    show_pushed(session, pushed, as_json=as_json)


def _show_plan(session: Session, parts: tuple[pushing.RecipePush, ...], *, as_json: bool) -> None:
    items = [(part, item) for part in parts for item in part.items]
    if as_json:
        session.show_json(
            [
                {
                    "variant": item.variant.id,
                    "repository": part.repository,
                    "image_id": item.image_id,
                    "tags": list(item.tags),
                    "aliases": list(item.aliases),
                }
                for part, item in items
            ]
        )
        return
    columns = (Column("variant"), Column("repository"), Column("tags"), Column("aliases"))
    rows = [
        [item.variant.id, part.repository, " ".join(item.tags), " ".join(item.aliases)]
        for part, item in items
    ]
    session.show(render_table(rows, columns, style=session.style))
