"""Verbs for learning: ``train``, ``job`` and ``model``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from twinforge.api import choosing, hosting, training
from twinforge.api.services import connect
from twinforge.cli.aws import account_options, open_account, open_patience, wait_options
from twinforge.sagemaker.naming import named
from twinforge.sagemaker.place import Place
from twinforge.sagemaker.select import Wish
from twinforge.sagemaker.train import read_job, stop
from twinforge.sagemaker.training import Job, parse_channels, parse_hyperparameters

if TYPE_CHECKING:
    from twinforge.cli.session import Session

__all__ = ["job", "model", "train"]

START_S = 7200.0
"""Beyond the job's own time: for capacity, pulling the image, and moving data."""
GB = 10**9


@click.command(
    epilog="\b\nExamples:\n  twinforge train digits --instance ml.p2.xlarge --channel training=data \\\n"
    "    --output s3://bucket/models --role arn:aws:iam::123456789012:role/sagemaker\n"
    "  twinforge train digits --instance ml.m5.large --channel training=s3://bucket/data --spot \\\n"
    "    --output s3://bucket/models --role arn:aws:iam::123456789012:role/sagemaker \\\n"
    "    --hyperparameter max_depth=4 --dry-run"
)
@click.argument("recipe")
@click.option("--instance", required=True, metavar="TYPE", help="Such as ml.p2.xlarge.")
@click.option(
    "--count",
    default=1,
    show_default=True,
    type=click.IntRange(1),
    help="The number of instances.",
)
@click.option(
    "--channel", "channels", multiple=True, metavar="NAME=S3|DIR", help="Its data; may be repeated."
)
@click.option("--output", required=True, metavar="S3", help="The model goes below.")
@click.option("--role", required=True, metavar="ARN", help="The role that SageMaker assumes.")
@click.option("--name", default="", help="The job's name; one that was started is followed again.")
@click.option(
    "--hyperparameter", "hyperparameters", multiple=True, metavar="K=V", help="May be repeated."
)
@click.option("--max-runtime", "max_runtime_s", default=86400, show_default=True, metavar="S")
@click.option("--spot", is_flag=True, help="On spare capacity, which can be taken away.")
@click.option("--max-wait", "max_wait_s", default=0, metavar="S", help="With --spot, in all.")
@click.option(
    "--checkpoints", default="", metavar="S3", help="Kept in step with /opt/ml/checkpoints."
)
@click.option(
    "--volume", "volume_gb", default=30, show_default=True, type=click.IntRange(1), metavar="GB"
)
@click.option("--registry", default="", metavar="NAME", help="Take it from this one of the matrix.")
@click.option("--accelerator", default="", help="Insist on one, such as cpu on a GPU instance.")
@click.option("--variant", default="", help="Insist on a variant.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Follow status and log.")
@click.option("--dry-run", is_flag=True, help="Print uploads and request as JSON; send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@wait_options
@account_options
@click.pass_obj
def train(  # noqa: PLR0913 - the options of the command line
    session: Session,
    *,
    recipe: str,
    instance: str,
    count: int,
    channels: tuple[str, ...],
    output: str,
    role: str,
    name: str,
    hyperparameters: tuple[str, ...],
    max_runtime_s: int,
    spot: bool,
    max_wait_s: int,
    checkpoints: str,
    volume_gb: int,
    registry: str,
    accelerator: str,
    variant: str,
    wait: bool,
    dry_run: bool,
    as_json: bool,
    poll_s: float,
    limit_s: float,
    region: str,
    profile: str,
) -> None:
    """Train a released image at SageMaker; prints the model's S3 address.

    Local folders are sent to S3 first, below --output, under a name by their content: what is there
    is not sent again.
    """
    job = Job(
        name or named(recipe, f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}"[:-3]),
        role,
        Place.parse(output),
        count=count,
        volume_gb=volume_gb,
        max_runtime_s=max_runtime_s,
        is_spot=spot,
        max_wait_s=max_wait_s,
        checkpoints=checkpoints,
        hyperparameters=parse_hyperparameters(hyperparameters),
    )
    with session.workspace() as workspace:
        wish = Wish(accelerator=accelerator, variant=variant)
        chosen = choosing.select(
            *(workspace, recipe, instance),
            use="training",
            region=region,
            registry=registry,
            wish=wish,
        )
        choosing.tell_choice(chosen, workspace.listener)
        planned = training.plan(chosen, parse_channels(channels), job)
        if dry_run:
            session.show_json(planned.as_json())
            return
        longest_s = max(max_runtime_s, max_wait_s) + START_S
        patience = open_patience(poll_s, limit_s, default_limit_s=longest_s)
        account = open_account(session.environ, hosting.region(chosen), profile)
        try:
            done = training.train(
                planned, connect(account, patience), listener=workspace.listener, wait=wait
            )
        except KeyboardInterrupt:
            goes_on = f"if the job '{job.name}' was started, it goes on"
            click.echo(f"{goes_on}; stop it with `twinforge job stop {job.name}`", err=True)
            raise
    if as_json:
        session.show_json(done.as_json())
        return
    session.show(done.model or done.name)


@click.group(epilog="\b\nExamples:\n  twinforge job status digits-1\n  twinforge job stop digits-1")
def job() -> None:
    """Show or stop a training job."""


@job.command(epilog="\b\nExample:\n  twinforge job status digits-20260102-030405 --json")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@account_options
@click.pass_obj
def status(session: Session, *, name: str, as_json: bool, region: str, profile: str) -> None:
    """Show how a training job goes."""
    services = connect(open_account(session.environ, region, profile))
    found = read_job(services.sagemaker, name)
    if as_json:
        session.show_json(found.as_json())
        return
    session.show(f"{name}: {found.status} ({found.phase}) on {found.instance}")
    for text in (found.reason and f"reason: {found.reason}", found.model):
        if text:
            session.show(text)


@job.command("stop", epilog="\b\nExample:\n  twinforge job stop digits-20260102-030405")
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Show what would be stopped; send nothing.")
@account_options
@click.pass_obj
def stop_job(session: Session, *, name: str, dry_run: bool, region: str, profile: str) -> None:
    """Stop a training job: it gets SIGTERM, and 120 s to save its model."""
    services = connect(open_account(session.environ, region, profile))
    found = read_job(services.sagemaker, name)
    if found.status != "InProgress":
        session.show(f"{name}: {found.status} already")
        return
    if dry_run:
        session.show(f"{name}: would be stopped ({found.phase})")
        return
    stop(services.sagemaker, name)
    session.show(f"{name}: stopping")


@click.group(epilog="\b\nExample:\n  twinforge model fetch digits-20260102-030405 model")
def model() -> None:
    """Get what was learned."""


@model.command(
    epilog="\b\nExamples:\n  twinforge model fetch digits-20260102-030405 model\n"
    "  twinforge model fetch s3://bucket/models/digits/output/model.tar.gz model"
)
@click.argument("source", metavar="JOB|S3")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--max-size",
    "max_gb",
    default=20.0,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    metavar="GB",
    help="Refuse a model that is bigger, unpacked.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the files as JSON.")
@account_options
@click.pass_obj
def fetch(  # noqa: PLR0913 - the options of the command line
    session: Session,
    *,
    source: str,
    folder: Path,
    max_gb: float,
    as_json: bool,
    region: str,
    profile: str,
) -> None:
    """Download a model and unpack it into DIR, which must be new or empty."""
    services = connect(open_account(session.environ, region, profile))
    with session.progress() as progress:
        names = training.fetch_model(
            services, source, folder, max_bytes=int(max_gb * GB), listener=progress
        )
    if as_json:
        session.show_json(list(names))
        return
    session.show("\n".join(str(folder / name) for name in names))
