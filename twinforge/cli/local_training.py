"""``local train``: a training job in the engine of this machine."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from twinforge.api import local as desk
from twinforge.cli.aws import account_options
from twinforge.cli.local_options import choice_options, open_storage, wish_of
from twinforge.sagemaker.local.job import LocalJob, check_job, parse_env
from twinforge.sagemaker.training import parse_channels, parse_hyperparameters

if TYPE_CHECKING:
    from twinforge.cli.session import Session

__all__ = ["train_local"]

_REGION = "us-east-1"


@click.command(
    "train",
    epilog="\b\nExamples:\n"
    "  twinforge local train digits --instance ml.g5.xlarge --channel training=data \\\n"
    "    --hyperparameter max_depth=4 --max-runtime 600\n"
    "  twinforge local train digits --instance ml.m5.large --channel training=s3://bucket/data \\\n"
    "    --checkpoints checkpoints --network-isolation --json\n"
    "  twinforge local train words --instance ml.m5.large --channel training=data \\\n"
    "    --hyperparameter sagemaker_program=entry.py \\\n"
    "    --hyperparameter sagemaker_submit_directory=file://code",
)
@click.argument("recipe")
@click.option(
    "--channel", "channels", multiple=True, metavar="NAME=DIR|S3", help="Its data; may be repeated."
)
@click.option(
    "--hyperparameter", "hyperparameters", multiple=True, metavar="K=V", help="May be repeated."
)
@click.option(
    "--output",
    default="",
    metavar="DIR|S3",
    help="The model goes below.  [default: .twinforge/local]",
)
@click.option("--name", default="", help="The job's name.  [default: recipe and time]")
@click.option(
    "--max-runtime",
    "max_runtime_s",
    default=86400,
    show_default=True,
    metavar="S",
    help="Then SIGTERM, 120 s, SIGKILL; the model is kept.",
)
@click.option(
    "--checkpoints", default="", metavar="DIR|S3", help="Kept in step with /opt/ml/checkpoints."
)
@choice_options
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@account_options
@click.pass_obj
def train_local(  # noqa: PLR0913 - the options of the command line
    session: Session,
    *,
    recipe: str,
    channels: tuple[str, ...],
    hyperparameters: tuple[str, ...],
    output: str,
    name: str,
    max_runtime_s: int,
    checkpoints: str,
    instance: str,
    accelerator: str,
    variant: str,
    build: bool,
    env: tuple[str, ...],
    is_isolated: bool,
    dry_run: bool,
    as_json: bool,
    region: str,
    profile: str,
) -> None:
    """Train here as a job on --instance would; prints the model's path.

    The variant is the one for that instance type, as `select` chooses it, with the type's CPUs and
    memory as far as this machine has them. What comes of it is what SageMaker would make of it:
    OUTPUT/JOB/output/model.tar.gz and output.tar.gz, the status, and the reason of a failure. The
    log is in .twinforge/local/JOB/train.log. Ctrl-C removes everything; `local stop JOB` lets the
    job end as StopTrainingJob does.
    """
    with session.workspace() as workspace:
        chosen = desk.choose(
            *(workspace, recipe, instance),
            use="training",
            wish=wish_of(accelerator, variant),
            build=build,
            dry_run=dry_run,
        )
        job = LocalJob(
            name=name or desk.job_name(recipe),
            recipe=recipe,
            variant=chosen.variant.slug,
            image_id=chosen.image_id,
            instance=instance,
            channels=parse_channels(channels),
            hyperparameters=parse_hyperparameters(hyperparameters),
            env=parse_env(env, session.environ),
            max_runtime_s=max_runtime_s,
            is_isolated=is_isolated,
            region=region or session.environ.get("AWS_REGION", "") or _REGION,
        )
        if dry_run:
            check_job(job)
            places = {"output": output, "checkpoints": checkpoints}
            shown = {"job": {**asdict(job), "env": sorted(job.env)}, **places}
            session.show_json({**chosen.as_json(), **shown})
            return
        done = desk.train(
            *(workspace, open_storage(session, region, profile), job),
            output=output,
            checkpoints=checkpoints,
        )
    if as_json:
        session.show_json(done.as_json())
    done.refuse_unless_complete()
    if not as_json:
        session.show(done.model)
        for note in done.notes:
            click.echo(f"note: {note}", err=True)
