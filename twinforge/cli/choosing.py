"""Verbs for who runs an image: ``select`` and ``deploy``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from twinforge.api import choosing
from twinforge.errors import UsageError
from twinforge.sagemaker.select import Wish

if TYPE_CHECKING:
    from twinforge.cli.session import Session

__all__ = ["deploy", "select"]


@click.command(
    epilog="\b\nExamples:\n  twinforge select digits --instance ml.m4.xlarge\n"
    "  twinforge select digits --instance ml.g5.xlarge --region eu-west-1 --digest"
)
@click.argument("recipe")
@click.option("--instance", required=True, metavar="TYPE", help="Such as ml.m4.xlarge.")
@click.option(
    "--for",
    "use",
    type=click.Choice(["hosting", "training", "transform", "processing"]),
    default="hosting",
    show_default=True,
    help="What the instance does.",
)
@click.option("--region", default="", help="AWS region, where the release is in several.")
@click.option("--accelerator", default="", help="Insist on one, such as cpu on a GPU instance.")
@click.option("--variant", default="", help="Insist on a variant.")
@click.option("--digest", "by_digest", is_flag=True, help="Pin the image by digest.")
@click.option("--json", "as_json", is_flag=True, help="Print the choice and its reason as JSON.")
@click.pass_obj
def select(  # noqa: PLR0913 - the options of the command line
    session: Session,
    *,
    recipe: str,
    instance: str,
    use: Literal["hosting", "training", "transform", "processing"],
    region: str,
    accelerator: str,
    variant: str,
    by_digest: bool,
    as_json: bool,
) -> None:
    """Print the released image for an instance type; the reason goes to standard error."""
    with session.workspace() as workspace:
        chosen = choosing.select(
            workspace,
            recipe,
            instance,
            use=use,
            region=region,
            wish=Wish(accelerator=accelerator, variant=variant),
        )
    if as_json:
        session.show_json(chosen.as_json())
        return
    session.show(str(chosen.pinned if by_digest else chosen.reference))
    if not session.quiet:
        for line in (chosen.reason, *chosen.conditions):
            click.echo(f"# {line}", err=True)


@click.command(
    epilog="\b\nExample:\n  twinforge deploy digits --endpoint digits --instance ml.m4.xlarge:2 \\\n"
    "    --model s3://bucket/model.tar.gz --role arn:aws:iam::123456789012:role/sagemaker --dry-run"
)
@click.argument("recipe")
@click.option("--endpoint", required=True, metavar="NAME", help="The endpoint.")
@click.option(
    "--instance",
    "instances",
    required=True,
    multiple=True,
    metavar="TYPE[:COUNT]",
    help="Where it runs; several give one production variant each, with its own image.",
)
@click.option("--model", required=True, metavar="S3", help="The model: s3://.../model.tar.gz.")
@click.option("--role", required=True, metavar="ARN", help="The role that SageMaker assumes.")
@click.option("--region", default="", help="AWS region, where the release is in several.")
@click.option("--accelerator", default="", help="Insist on one, such as cpu on a GPU instance.")
@click.option("--dry-run", is_flag=True, help="Print the requests as JSON; send nothing.")
@click.pass_obj
def deploy(  # noqa: PLR0913 - the options of the command line
    session: Session,
    *,
    recipe: str,
    endpoint: str,
    instances: tuple[str, ...],
    model: str,
    role: str,
    region: str,
    accelerator: str,
    dry_run: bool,
) -> None:
    """Print the requests that put a release on an endpoint, with digest-pinned images."""
    if not dry_run:
        message = "deploying is not possible yet; only --dry-run is"
        raise UsageError(message, hint="add --dry-run and send the requests with the AWS CLI")
    with session.workspace() as workspace:
        requests = choosing.plan_deployment(
            workspace,
            recipe,
            endpoint=endpoint,
            instances=instances,
            model_data=model,
            role=role,
            region=region,
            wish=Wish(accelerator=accelerator),
        )
    session.show_json([request.as_json() for request in requests])
