"""The verb ``iam``: policies that allow what a verb asks of AWS."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast, get_args

import click

from twinforge.api import permissions
from twinforge.errors import UsageError
from twinforge.sagemaker.iam import KINDS, plan_policy, plan_trust

if TYPE_CHECKING:
    from twinforge.cli.session import Session
    from twinforge.sagemaker.iam import Kind

__all__ = ["iam"]

_OF_REGISTRIES = get_args(permissions.RegistryKind)


@click.command(
    epilog="\b\nExamples:\n  twinforge iam push --account 123456789012\n"
    "  twinforge iam registry --to production\n"
    "  twinforge iam deploy digits --endpoint digits --account 123456789012 --region eu-west-1 \\\n"
    "    --role arn:aws:iam::123456789012:role/sagemaker\n"
    "  twinforge iam role digits --bucket models --account 123456789012 --region eu-west-1\n"
    "  twinforge iam role digits --trust"
)
@click.argument("kind", type=click.Choice([*_OF_REGISTRIES, *KINDS]))
@click.argument("recipe", default="")
@click.option("--account", default="", metavar="ID", help="Instead of the matrix's.")
@click.option("--region", "regions", multiple=True, help="Instead of the matrix's; repeatable.")
@click.option("--to", "registry", default="", metavar="NAME", help="One registry of the matrix.")
@click.option("--endpoint", default="", metavar="NAME", help="For deploy, operate and predict.")
@click.option(
    "--bucket",
    "buckets",
    multiple=True,
    metavar="NAME",
    help="For train, role, and predict of an asynchronous endpoint.",
)
@click.option("--role", default="", metavar="ARN", help="The role that SageMaker assumes.")
@click.option("--trust", is_flag=True, help="Print the trust policy of that role instead.")
@click.pass_obj
def iam(  # noqa: PLR0913 - the options of the command line
    session: Session,
    *,
    kind: str,
    recipe: str,
    account: str,
    regions: tuple[str, ...],
    registry: str,
    endpoint: str,
    buckets: tuple[str, ...],
    role: str,
    trust: bool,
) -> None:
    """Print the IAM policy for a kind of work, as JSON; nothing is sent.

    "push" also serves `promote`, "registry" is `registry plan` and `registry apply`; without RECIPE
    they are about all of them. "operate" is `endpoint` with all it can do; "role" is for the role
    that SageMaker assumes. Jobs must be named RECIPE-..., as they are by themselves.
    """
    if trust:
        session.show_json(plan_trust())
        return
    _check("--account", account, r"[0-9]{12}|", "12 digits")
    for region in regions:
        _check("--region", region, r"[a-z]{2}(?:-[a-z]+)+-[0-9]+", "an AWS region")
    for bucket in buckets:
        _check("--bucket", bucket, r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "a bucket's name")
    _check(
        "--role", role, r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]{1,512}|", "a role's ARN"
    )
    with session.workspace() as workspace:
        if kind in _OF_REGISTRIES:
            place = permissions.Place(account, regions, registry, recipe)
            policy: dict[str, Any] = permissions.plan_registry_policy(
                workspace, cast("permissions.RegistryKind", kind), place
            )
        else:
            if not recipe:
                message = f"a policy for '{kind}' is about a recipe"
                raise UsageError(message, hint=f"name it: `twinforge iam {kind} RECIPE`")
            scope = permissions.scope(
                workspace,
                recipe,
                account=account,
                regions=regions,
                endpoint=endpoint,
                buckets=buckets,
                role=role,
            )
            policy = plan_policy(cast("Kind", kind), scope)
    session.show_json(policy)


def _check(option: str, value: str, pattern: str, what: str) -> None:
    if not re.fullmatch(pattern, value):
        message = f"{option} '{value}' is not {what}"
        raise UsageError(message)
