"""The verb ``iam``: policies that allow what a verb asks of AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from twinforge.api import permissions
from twinforge.sagemaker.iam import KINDS, Kind, plan_policy, plan_trust

if TYPE_CHECKING:
    from twinforge.cli.session import Session

__all__ = ["iam"]


@click.command(
    epilog="\b\nExamples:\n  twinforge iam push digits --account 123456789012 --region eu-west-1\n"
    "  twinforge iam deploy digits --endpoint digits --account 123456789012 --region eu-west-1 \\\n"
    "    --role arn:aws:iam::123456789012:role/sagemaker\n"
    "  twinforge iam role digits --bucket models --account 123456789012 --region eu-west-1\n"
    "  twinforge iam role digits --trust"
)
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("recipe")
@click.option("--account", default="", metavar="ID", help="Instead of the matrix's.")
@click.option("--region", "regions", multiple=True, help="Instead of the matrix's; repeatable.")
@click.option("--endpoint", default="", metavar="NAME", help="For deploy, operate and predict.")
@click.option("--bucket", "buckets", multiple=True, metavar="NAME", help="For train and role.")
@click.option("--role", default="", metavar="ARN", help="The role that SageMaker assumes.")
@click.option("--trust", is_flag=True, help="Print the trust policy of that role instead.")
@click.pass_obj
def iam(  # noqa: PLR0913 - the options of the command line
    session: Session,
    *,
    kind: Kind,
    recipe: str,
    account: str,
    regions: tuple[str, ...],
    endpoint: str,
    buckets: tuple[str, ...],
    role: str,
    trust: bool,
) -> None:
    """Print the IAM policy for a kind of work, as JSON; nothing is sent.

    "operate" is `endpoint` with all it can do; "role" is for the role that SageMaker assumes. Jobs
    must be named RECIPE-..., as they are by themselves.
    """
    if trust:
        session.show_json(plan_trust())
        return
    with session.workspace() as workspace:
        scope = permissions.scope(
            workspace,
            recipe,
            account=account,
            regions=regions,
            endpoint=endpoint,
            buckets=buckets,
            role=role,
        )
    session.show_json(plan_policy(kind, scope))
