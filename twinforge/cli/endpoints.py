"""The verb ``endpoint``: what an endpoint runs, what it ran, and the way back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from twinforge.api import hosting
from twinforge.api.services import Services, connect
from twinforge.cli.aws import account_options, open_account, open_patience, wait_options
from twinforge.report.tables import Column, render_table
from twinforge.sagemaker.garbage import delete_garbage, plan_garbage, read_survey

if TYPE_CHECKING:
    from twinforge.cli.session import Session

__all__ = ["endpoint"]

LIMIT_S = 3600.0


@click.group(
    epilog="\b\nExamples:\n  twinforge endpoint status digits\n  twinforge endpoint rollback digits"
)
def endpoint() -> None:
    """Show an endpoint and its history, roll it back, delete what nobody needs."""


@endpoint.command(epilog="\b\nExample:\n  twinforge endpoint status digits --json")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@account_options
@click.pass_obj
def status(session: Session, *, name: str, as_json: bool, region: str, profile: str) -> None:
    """Show an endpoint's status, its config and the images that really run."""
    found = hosting.status(_services(session, region, profile), name)
    if as_json:
        session.show_json(found.as_json())
        return
    columns = (
        Column("variant"),
        Column("runs"),
        Column("instances", is_number=True),
        Column("of", is_number=True),
        Column("weight", is_number=True),
    )
    rows = [
        [
            one.name,
            " ".join(digest[:19] for digest in one.digests),
            str(one.instances),
            str(one.wanted),
            f"{one.weight:g}",
        ]
        for one in found.variants
    ]
    pending = f", moving to {found.pending}" if found.pending else ""
    title = f"{name}: {found.status} on {found.config}{pending}"
    session.show(render_table(rows, columns, title=title, style=session.style))
    if found.reason:
        session.show(f"reason: {found.reason}")


@endpoint.command(epilog="\b\nExample:\n  twinforge endpoint history digits")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@account_options
@click.pass_obj
def history(session: Session, *, name: str, as_json: bool, region: str, profile: str) -> None:
    """List the endpoint configs that Twinforge made for an endpoint, newest first."""
    found = hosting.history(_services(session, region, profile), name)
    if as_json:
        session.show_json([config.as_json() for config in found])
        return
    columns = (
        Column("config"),
        Column("made"),
        Column("recipe"),
        Column("variants"),
        Column("images"),
        Column("now"),
    )
    rows = [
        [
            config.name,
            f"{config.created:%Y-%m-%d %H:%M}",
            config.recipe,
            " ".join(config.slugs),
            " ".join(sorted({d[:19] for digests in config.digests.values() for d in digests})),
            "current" if config.is_current else "",
        ]
        for config in found
    ]
    session.show(render_table(rows, columns, style=session.style))


@endpoint.command(
    epilog="\b\nExamples:\n  twinforge endpoint rollback digits --dry-run\n"
    "  twinforge endpoint rollback digits --to digits-0123456789"
)
@click.argument("name")
@click.option("--to", default="", metavar="CONFIG", help="A config from `history`.")
@click.option("--dry-run", is_flag=True, help="Show where it would go; send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@wait_options
@account_options
@click.pass_obj
def rollback(  # noqa: PLR0913 - the options of the command line
    session: Session,
    *,
    name: str,
    to: str,
    dry_run: bool,
    as_json: bool,
    poll_s: float,
    limit_s: float,
    region: str,
    profile: str,
) -> None:
    """Move an endpoint back to the config that it ran before, and prove that it runs it."""
    services = _services(session, region, profile, poll_s, limit_s)
    with session.progress() as progress:
        state, target = hosting.rollback(services, name, to=to, dry_run=dry_run, listener=progress)
    if as_json:
        session.show_json({"endpoint": name, "to": target, "runs": state.config})
        return
    session.show(f"{name}: {state.config} -> {target}" if dry_run else f"{name}: runs {target}")


@endpoint.command(epilog="\b\nExample:\n  twinforge endpoint delete digits --dry-run")
@click.argument("name")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until it is gone.")
@click.option("--dry-run", is_flag=True, help="Show what would be deleted; send nothing.")
@wait_options
@account_options
@click.pass_obj
def delete(  # noqa: PLR0913 - the options of the command line
    session: Session,
    *,
    name: str,
    wait: bool,
    dry_run: bool,
    poll_s: float,
    limit_s: float,
    region: str,
    profile: str,
) -> None:
    """Delete an endpoint; its models and configs stay, so that it can be deployed again."""
    services = _services(session, region, profile, poll_s, limit_s)
    if dry_run:
        found = hosting.status(services, name)
        session.show(f"{name}: would be deleted ({found.status} on {found.config})")
        return
    with session.progress() as progress:
        was_there = hosting.delete(services, name, wait=wait, listener=progress)
    session.show(f"{name}: {'deleted' if was_there else 'was not there'}")


@endpoint.command(
    epilog="\b\nExamples:\n  twinforge endpoint gc --dry-run\n  twinforge endpoint gc digits --keep 3"
)
@click.argument("name", default="")
@click.option(
    "--keep",
    default=1,
    show_default=True,
    type=click.IntRange(0),
    help="Unused configs to keep for each endpoint that is there.",
)
@click.option(
    "--min-age",
    "min_age_s",
    default=3600,
    show_default=True,
    type=click.IntRange(0),
    metavar="S",
    help="Leave what is younger: it may be being deployed.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be deleted; delete nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@account_options
@click.pass_obj
def gc(  # noqa: PLR0913 - the options of the command line
    session: Session,
    *,
    name: str,
    keep: int,
    min_age_s: int,
    dry_run: bool,
    as_json: bool,
    region: str,
    profile: str,
) -> None:
    """Delete models and configs that Twinforge made and no endpoint needs any more.

    What an endpoint runs, moves to or would roll back to stays, and so does all that others made.
    """
    services = _services(session, region, profile)
    survey = read_survey(services.sagemaker)
    garbage = plan_garbage(
        survey,
        now=datetime.now(UTC),
        min_age=timedelta(seconds=min_age_s),
        keep=keep,
        endpoint=name,
    )
    if not dry_run:
        with session.progress() as progress:
            delete_garbage(services.sagemaker, garbage, listener=progress)
    if as_json:
        session.show_json(garbage.as_json())
        return
    rows = [["config", one] for one in garbage.configs] + [["model", one] for one in garbage.models]
    if not rows:
        session.show("nothing to delete")
        return
    session.show(render_table(rows, (Column("kind"), Column("name")), style=session.style))


def _services(
    session: Session, region: str, profile: str, poll_s: float = 10.0, limit_s: float = 0.0
) -> Services:
    account = open_account(session.environ, region, profile)
    return connect(account, open_patience(poll_s, limit_s, default_limit_s=LIMIT_S))
