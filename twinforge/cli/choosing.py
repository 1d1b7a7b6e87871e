"""The verb ``select``: which released image runs on an instance type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from twinforge.api import choosing
from twinforge.errors import UsageError
from twinforge.report.tables import Column, render_table
from twinforge.sagemaker.select import Wish

if TYPE_CHECKING:
    from twinforge.api.choosing import Offer
    from twinforge.cli.session import Session

__all__ = ["select"]


@click.command(
    epilog="\b\nExamples:\n  twinforge select digits --instance ml.m4.xlarge\n"
    "  twinforge select digits --instance ml.g5.xlarge --region eu-west-1 --digest\n"
    "  twinforge select digits --all --for training"
)
@click.argument("recipe")
@click.option("--instance", default="", metavar="TYPE", help="Such as ml.m4.xlarge.")
@click.option("--all", "for_all", is_flag=True, help="Show what every instance type gets.")
@click.option(
    "--for",
    "use",
    type=click.Choice(["hosting", "training", "transform", "processing"]),
    default="hosting",
    show_default=True,
    help="What the instance does.",
)
@click.option("--region", default="", help="AWS region, where the release is in several.")
@click.option("--registry", default="", metavar="NAME", help="Take it from this one of the matrix.")
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
    for_all: bool,
    use: Literal["hosting", "training", "transform", "processing"],
    region: str,
    registry: str,
    accelerator: str,
    variant: str,
    by_digest: bool,
    as_json: bool,
) -> None:
    """Print the released image for an instance type; the reason goes to standard error."""
    if bool(instance) == for_all:
        message = "either one instance type is asked for, or all of them"
        raise UsageError(message, hint="give --instance TYPE or --all")
    wish = Wish(accelerator=accelerator, variant=variant)
    with session.workspace() as workspace:
        if for_all:
            offers = choosing.select_all(
                workspace, recipe, use=use, region=region, registry=registry, wish=wish
            )
            _show_all(session, offers, as_json=as_json)
            return
        chosen = choosing.select(
            *(workspace, recipe, instance), use=use, region=region, registry=registry, wish=wish
        )
    if as_json:
        session.show_json(chosen.as_json())
        return
    session.show(str(chosen.pinned if by_digest else chosen.reference))
    if not session.quiet:
        for line in (chosen.reason, *chosen.conditions):
            click.echo(f"# {line}", err=True)


def _show_all(session: Session, offers: tuple[Offer, ...], *, as_json: bool) -> None:
    """Print a line per family and answer: the sizes of a family mostly get the same."""
    if as_json:
        session.show_json([offer.as_json() for offer in offers])
        return
    rows: dict[tuple[str, str, str], list[str]] = {}
    for offer in offers:
        chosen = offer.selected
        variant = chosen.variant if chosen else "-"
        # The type's own name differs between the sizes of a family, and only it.
        told = chosen.conditions if chosen else filter(None, (offer.refusal, offer.hint))
        why = "; ".join(told)
        why = why.replace(offer.instance, f"ml.{offer.family}")
        size = offer.instance.rpartition(".")[2]
        rows.setdefault((f"ml.{offer.family}", variant, why), []).append(size)
    lines = [
        (family, ", ".join(sizes), variant, why) for (family, variant, why), sizes in rows.items()
    ]
    columns = [Column(name) for name in ("family", "sizes", "variant", "condition or reason")]
    session.show(render_table(lines, columns, style=session.style))
