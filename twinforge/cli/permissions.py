"""The verb ``iam``: the policies that the other verbs get by with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from twinforge.api.permissions import Job, Place, policy_for
from twinforge.errors import UsageError

if TYPE_CHECKING:
    from twinforge.cli.session import Session

__all__ = ["iam"]


@click.command(
    epilog="\b\nExamples:\n  twinforge iam push --account 111122223333\n"
    "  twinforge iam registry --to production\n"
    "  twinforge iam train --account 111122223333 --bucket ml-data --role sagemaker\n"
    "  twinforge iam deploy --account 111122223333 --region eu-west-1 --role sagemaker"
)
@click.argument("job", type=click.Choice(["push", "registry", "train", "deploy"]))
@click.option("--account", default="", metavar="ID", help="The account, if the matrix has none.")
@click.option(
    "--region", "regions", multiple=True, metavar="REGION", help="Instead of the matrix's; several."
)
@click.option("--to", "registry", default="", metavar="NAME", help="One registry of the matrix.")
@click.option("--recipe", default="", help="One recipe; else all.")
@click.option("--role", default="", metavar="NAME", help="The role that SageMaker assumes.")
@click.option(
    "--bucket", "buckets", multiple=True, metavar="NAME", help="Data and models; several."
)
@click.pass_obj
def iam(  # noqa: PLR0913 - the options of the command line
    session: Session,
    *,
    job: Job,
    account: str,
    regions: tuple[str, ...],
    registry: str,
    recipe: str,
    role: str,
    buckets: tuple[str, ...],
) -> None:
    """Print a least-privilege IAM policy for a job, as JSON. Asks nobody and changes nothing.

    `push` also serves `promote`; `registry` is for `registry plan` and `registry apply`.
    """
    _check("--account", account, r"[0-9]{12}|", "12 digits")
    for region in regions:
        _check("--region", region, r"[a-z]{2}(?:-[a-z]+)+-[0-9]+", "an AWS region")
    for bucket in buckets:
        _check("--bucket", bucket, r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "a bucket's name")
    _check("--role", role, r"[A-Za-z0-9+=,.@_/-]{0,512}", "a role's name")
    with session.workspace() as workspace:
        place = Place(account, regions, registry, recipe, role, buckets)
        policy = policy_for(workspace, job, place)
    session.show_json(policy)


def _check(option: str, value: str, pattern: str, what: str) -> None:
    if not re.fullmatch(pattern, value):
        message = f"{option} '{value}' is not {what}"
        raise UsageError(message)
