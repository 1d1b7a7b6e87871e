"""The verb ``deploy``: a release on an endpoint."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from twinforge.api import choosing, hosting
from twinforge.api.services import connect
from twinforge.cli.aws import account_options, open_account, open_patience, wait_options
from twinforge.errors import UsageError
from twinforge.report.tables import Column, render_table
from twinforge.sagemaker.hosting import Hosting, parse_serverless
from twinforge.sagemaker.rollout import Rollout, Strategy
from twinforge.sagemaker.select import Wish, region_of

if TYPE_CHECKING:
    from twinforge.cli.session import Session
    from twinforge.sagemaker.deploy import Deployed

__all__ = ["deploy"]

LIMIT_S = 3600.0
"""As long as botocore's waiter ``EndpointInService`` waits; what a guarded update is watched for comes on top."""


@click.command(
    epilog="\b\nExamples:\n  twinforge deploy digits --endpoint digits --instance ml.m4.xlarge:2 \\\n"
    "    --model s3://bucket/model.tar.gz --role arn:aws:iam::123456789012:role/sagemaker --dry-run\n"
    "  twinforge deploy digits --endpoint digits --instance ml.m4.xlarge --instance ml.g5.xlarge \\\n"
    "    --model digits-20260102-030405 --role arn:aws:iam::123456789012:role/sagemaker \\\n"
    "    --canary 10 --bake 600 --alarm errors\n"
    "  twinforge deploy digits --endpoint cheap --serverless 2048:5 \\\n"
    "    --model s3://bucket/model.tar.gz --role arn:aws:iam::123456789012:role/sagemaker"
)
@click.argument("recipe")
@click.option("--endpoint", required=True, metavar="NAME", help="The endpoint.")
@click.option(
    "--instance",
    "instances",
    multiple=True,
    metavar="TYPE[:COUNT]",
    help="Where it runs; several give one production variant each, with its own image.",
)
@click.option(
    "--pool",
    is_flag=True,
    help="Make the instance types one variant, which takes the first that has capacity.",
)
@click.option("--serverless", default="", metavar="MB:CONCURRENCY", help="Instead of instances.")
@click.option("--async", "async_output", default="", metavar="S3", help="Write answers there.")
@click.option(
    "--model", required=True, metavar="S3|JOB", help="s3://.../model.tar.gz, or a training job."
)
@click.option("--role", required=True, metavar="ARN", help="The role that SageMaker assumes.")
@click.option("--registry", default="", metavar="NAME", help="Take it from this one of the matrix.")
@click.option("--accelerator", default="", help="Insist on one, such as cpu on a GPU instance.")
@click.option("--variant", default="", help="Insist on a variant.")
@click.option("--canary", type=int, metavar="PERCENT", help="Move this share first, then the rest.")
@click.option("--linear", type=int, metavar="PERCENT", help="Move this share at a time.")
@click.option("--rolling", type=int, metavar="PERCENT", help="Replace this share at a time.")
@click.option("--all-at-once", is_flag=True, help="Move everything, and watch the alarms.")
@click.option(
    "--bake", default=300, show_default=True, metavar="S", help="Watch each step so long."
)
@click.option("--alarm", "alarms", multiple=True, metavar="NAME", help="Roll back if it goes off.")
@click.option(
    "--keep-counts", is_flag=True, help="Keep instances and weights as autoscaling has set them."
)
@click.option("--download-timeout", "download_s", default=0, metavar="S", help="For the model.")
@click.option("--volume", "volume_gb", default=0, metavar="GB", help="Size of instances' volumes.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait and prove it.")
@click.option("--dry-run", is_flag=True, help="Print the requests as JSON; send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@wait_options
@account_options
@click.pass_obj
def deploy(  # noqa: PLR0913 - the options of the command line
    session: Session,
    *,
    recipe: str,
    endpoint: str,
    instances: tuple[str, ...],
    pool: bool,
    serverless: str,
    async_output: str,
    model: str,
    role: str,
    registry: str,
    accelerator: str,
    variant: str,
    canary: int | None,
    linear: int | None,
    rolling: int | None,
    all_at_once: bool,
    bake: int,
    alarms: tuple[str, ...],
    keep_counts: bool,
    download_s: int,
    volume_gb: int,
    wait: bool,
    dry_run: bool,
    as_json: bool,
    poll_s: float,
    limit_s: float,
    region: str,
    profile: str,
) -> None:
    """Put a release on an endpoint, by digest, and prove that it runs.

    Models and endpoint configs are named by their content: the same again writes nothing. An update
    that fails leaves the endpoint on its config from before. Every service's address can be changed
    with AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_<SERVICE>.
    """
    if not instances and not serverless:
        message = "an endpoint needs at least one instance"
        raise UsageError(message, hint="give --instance TYPE[:COUNT], or --serverless")
    order = hosting.Order(
        recipe,
        endpoint,
        instances,
        role,
        region=region,
        registry=registry,
        wish=Wish(accelerator=accelerator, variant=variant),
        hosting=Hosting(
            serverless=parse_serverless(serverless) if serverless else None,
            async_output=async_output,
            is_pool=pool,
            download_s=download_s,
            volume_gb=volume_gb,
        ),
        rollout=replace(
            _rollout(canary, linear, rolling, bake, alarms, all_at_once=all_at_once),
            keep_counts=keep_counts,
        ),
    )
    default_limit_s = LIMIT_S + order.rollout.watched_s
    patience = open_patience(poll_s, limit_s, default_limit_s=default_limit_s)
    with session.workspace() as workspace:
        placements = hosting.place(workspace, order)
        for one in placements:
            choosing.tell_choice(one.selected, workspace.listener)
        where = region or region_of(placements[0].selected.pinned.host)
        if not dry_run:
            where = hosting.region(*(one.selected for one in placements))
        services = connect(open_account(session.environ, where, profile), patience)
        address = hosting.model_address(services.sagemaker, model)
        planned = hosting.plan(workspace, order, placements, address)
        if dry_run:
            session.show_json(planned.as_json())
            return
        try:
            done = hosting.deploy(planned, services, listener=workspace.listener, wait=wait)
        except KeyboardInterrupt:
            click.echo(f"what was sent goes on: `twinforge endpoint status {endpoint}`", err=True)
            raise
    _show(session, done, as_json=as_json)


def _rollout(  # noqa: PLR0913 - the options of the command line
    canary: int | None,
    linear: int | None,
    rolling: int | None,
    bake: int,
    alarms: tuple[str, ...],
    *,
    all_at_once: bool,
) -> Rollout:
    shares: dict[Strategy, int | None] = {"canary": canary, "linear": linear, "rolling": rolling}
    given = {name: share for name, share in shares.items() if share is not None}
    if len(given) + all_at_once > 1:
        message = "an update goes in one way: --canary, --linear, --rolling or --all-at-once"
        raise UsageError(message)
    for name, share in given.items():
        return Rollout(name, share, bake, alarms)
    return Rollout("all-at-once" if all_at_once else "", 0, bake, alarms)


def _show(session: Session, done: Deployed, *, as_json: bool) -> None:
    if as_json:
        session.show_json(done.as_json())
        return
    columns = (Column("endpoint"), Column("variant"), Column("config"), Column("runs"))
    rows = [
        [done.endpoint, name, done.config, " ".join(digest[:19] for digest in digests)]
        for name, digests in done.digests.items()
    ] or [[done.endpoint, "", done.config, "not waited for"]]
    session.show(render_table(rows, columns, style=session.style))
    if done.already and not session.quiet:
        click.echo("# nothing to do: it runs this already", err=True)
