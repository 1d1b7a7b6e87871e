"""The verb ``promote``: from one registry of the matrix to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from twinforge.api import promoting
from twinforge.cli.pushed import show_pushed
from twinforge.registry.items import AwsAccess
from twinforge.report.tables import Column, render_table

if TYPE_CHECKING:
    from twinforge.cli.session import Session

__all__ = ["promote"]


@click.command(
    epilog="\b\nExamples:\n  twinforge promote digits --from staging --to production --dry-run\n"
    "  twinforge promote digits --from staging --to production --tag 1.2.0\n"
    "  twinforge promote digits --from staging --to production --from-profile ci --profile prod"
)
@click.argument("recipe")
@click.option("--from", "source", required=True, metavar="NAME", help="The registry that has it.")
@click.option("--to", "target", required=True, metavar="NAME", help="The registry that gets it.")
@click.option(
    "--tag", "version", default="", metavar="VERSION", help="The version, if several are recorded."
)
@click.option("--profile", default="", help="A profile of the AWS configuration, for --to.")
@click.option("--from-profile", default="", help="Likewise for --from; else that of --profile.")
@click.option("--endpoint-url", default="", metavar="URL", help="Where ECR's control plane is.")
@click.option(
    "--address", default="", metavar="HOST", help="Host and port that stand for ECR's registry."
)
@click.option(
    "--jobs", "-j", default=3, show_default=True, type=click.IntRange(1, 32), help="Blobs at once."
)
@click.option("--dry-run", is_flag=True, help="Show what would go where; send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@click.pass_obj
def promote(  # noqa: PLR0913 - the options of the command line
    session: Session,
    *,
    recipe: str,
    source: str,
    target: str,
    version: str,
    profile: str,
    from_profile: str,
    endpoint_url: str,
    address: str,
    jobs: int,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Bring a release to another registry by digest: nothing is built or packed again.

    Layers that are there are not sent, and those of the same registry are shared. Aliases move
    last, after every variant is in and verified. A version that holds other content is an error.
    """
    with session.workspace() as workspace:
        plan = promoting.plan_promotion(
            workspace, recipe, source=source, target=target, version=version
        )
        if dry_run:
            _show_plan(session, plan, as_json=as_json)
            return
        options = promoting.PromoteOptions(
            jobs,
            AwsAccess(from_profile or profile, endpoint_url, address, workspace.ca_bundle),
            AwsAccess(profile, endpoint_url, address, workspace.ca_bundle),
        )
        done = promoting.promote(workspace, plan, options)
    show_pushed(session, done, as_json=as_json)


def _show_plan(session: Session, plan: promoting.PromotionPlan, *, as_json: bool) -> None:
    if as_json:
        session.show_json(
            [
                {
                    "variant": f"{plan.recipe}/{one.slug}",
                    "version": one.version,
                    "from": plan.source.name,
                    "to": plan.target.name,
                    "repository": plan.to_repository,
                    "regions": list(plan.target.regions),
                    "digests": sorted(set(one.digests.values())),
                    "tags": list(one.tags),
                    "aliases": list(one.aliases),
                }
                for one in plan.variants
            ]
        )
        return
    columns = [Column(name) for name in ("variant", "from", "to", "digest", "tags", "aliases")]
    rows = [
        [
            f"{plan.recipe}/{one.slug}",
            f"{plan.source.name}: {plan.from_repository}",
            f"{plan.target.name}: {plan.to_repository}",
            " ".join(digest[:19] for digest in sorted(set(one.digests.values()))),
            " ".join(one.tags),
            " ".join(one.aliases),
        ]
        for one in plan.variants
    ]
    session.show(render_table(rows, columns, style=session.style))
