"""The verbs ``registry plan`` and ``registry apply``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from twinforge.api.repositories import plan_repositories
from twinforge.registry.items import AwsAccess
from twinforge.registry.repositories import apply_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twinforge.cli.session import Session
    from twinforge.registry.repositories import Change

__all__ = ["registry"]


def _options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the changes as JSON."),
        click.option(
            "--endpoint-url", default="", metavar="URL", help="Where ECR's control plane is."
        ),
        click.option("--profile", default="", help="A profile of the AWS configuration."),
        click.argument("name", default="", metavar="[NAME]"),
    ):
        command = option(command)
    return command


@click.group(epilog="Example: twinforge registry plan")
def registry() -> None:
    """Keep ECR's repositories as matrix.yaml wants them, in all regions."""


@registry.command(
    epilog="\b\nExamples:\n  twinforge registry plan\n  twinforge registry plan production --json"
)
@_options
@click.pass_obj
def plan(session: Session, *, name: str, profile: str, endpoint_url: str, as_json: bool) -> None:
    """Show what differs from the matrix; change nothing.

    NAME is a registry of the matrix; without it: the first of kind ecr. A lifecycle policy is
    previewed by ECR, and one that would delete what a release record names is an error.
    """
    with session.workspace() as workspace:
        access = AwsAccess(profile, endpoint_url, "", workspace.ca_bundle)
        plans = plan_repositories(workspace, name, access)
    changes = [change for one in plans for change in one.changes]
    _show(session, changes, as_json=as_json, nothing="nothing differs from matrix.yaml")


@registry.command(
    epilog="\b\nExamples:\n  twinforge registry apply\n  twinforge registry apply --dry-run"
)
@_options
@click.option("--dry-run", is_flag=True, help="The same as `twinforge registry plan`.")
@click.pass_obj
def apply(  # noqa: PLR0913 - the options of the command line
    session: Session, *, name: str, profile: str, endpoint_url: str, as_json: bool, dry_run: bool
) -> None:
    """Make what differs as the matrix wants it, and nothing else. A second run changes nothing."""
    with session.workspace() as workspace:
        access = AwsAccess(profile, endpoint_url, "", workspace.ca_bundle)
        plans = plan_repositories(workspace, name, access)
        changes: Sequence[Change] = [change for one in plans for change in one.changes]
        if not dry_run:
            changes = apply_plan(plans, workspace.listener)
    _show(session, changes, as_json=as_json, nothing="nothing changed")


def _show(session: Session, changes: Sequence[Change], *, as_json: bool, nothing: str) -> None:
    if as_json:
        session.show_json([_json(change) for change in changes])
        return
    for change in changes:
        note = f" ({change.note})" if change.note else ""
        session.show(f"{change.region} {change.repository}: {change.aspect}{note}")
        session.show("\n".join(f"  {line}" for line in change.diff().splitlines()))
    if not changes:
        session.show(nothing)


def _json(change: Change) -> dict[str, Any]:
    return {
        "region": change.region,
        "repository": change.repository,
        "aspect": change.aspect,
        "before": change.before,
        "after": change.after,
        "operation": change.operation,
        "parameters": dict(change.parameters),
        "note": change.note,
    }
