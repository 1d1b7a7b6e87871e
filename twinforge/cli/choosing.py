"""The verb ``select``: which released image runs on an instance type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from twinforge.api import choosing
from twinforge.sagemaker.select import Wish

if TYPE_CHECKING:
    from twinforge.cli.session import Session

__all__ = ["select"]


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
