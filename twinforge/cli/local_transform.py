"""``local transform``: a batch transform in the engine of this machine."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from twinforge.api import local as desk
from twinforge.cli.aws import account_options
from twinforge.cli.local_options import GB, choice_options, model_options, open_storage, wish_of
from twinforge.sagemaker.local.batch import Transform, check_transform, transform_env
from twinforge.sagemaker.local.endpoint import Serving
from twinforge.sagemaker.local.framing import SPLITS
from twinforge.sagemaker.local.job import parse_env
from twinforge.sagemaker.local.processing import JOINS
from twinforge.sagemaker.local.records import ASSEMBLIES, STRATEGIES

if TYPE_CHECKING:
    from twinforge.cli.session import Session

__all__ = ["transform_local"]


@click.command(
    "transform",
    epilog="\b\nExamples:\n"
    "  twinforge local transform digits --instance ml.m5.large --model model.tar.gz \\\n"
    "    --input rows --output answers --content-type text/csv --split Line --assemble Line\n"
    "  twinforge local transform digits --instance ml.m5.large --model model.tar.gz \\\n"
    "    --input rows.csv --output answers --content-type text/csv --split Line \\\n"
    "    --strategy SingleRecord --max-concurrent 4 --json\n"
    "  twinforge local transform digits --instance ml.m5.large --model model.tar.gz \\\n"
    "    --input rows.csv --output answers --content-type text/csv --accept text/csv \\\n"
    "    --split Line --assemble Line --input-filter '$[1:]' --join-source Input \\\n"
    "    --output-filter '$[0,-1]'",
)
@click.argument("recipe")
@model_options
@click.option("--input", "source", required=True, metavar="DIR|FILE|S3", help="What is sent.")
@click.option("--output", required=True, metavar="DIR|S3", help="FILE.out of each FILE goes below.")
@click.option("--content-type", required=True, metavar="TYPE", help="What the files are.")
@click.option("--accept", default="", metavar="TYPE", help="What the answers shall be.")
@click.option(
    "--split",
    type=click.Choice(SPLITS),
    default="None",
    show_default=True,
    help="Cut a file into records.",
)
@click.option(
    "--assemble",
    "assembly",
    type=click.Choice(ASSEMBLIES),
    default="None",
    show_default=True,
    help="End each answer with a line end.",
)
@click.option(
    "--input-filter",
    default="$",
    show_default=True,
    metavar="JSONPATH",
    help="What of a record is sent.",
)
@click.option(
    "--join-source",
    "join",
    type=click.Choice(JOINS),
    default="None",
    show_default=True,
    help="Input: write each answer behind its record.",
)
@click.option(
    "--output-filter",
    default="$",
    show_default=True,
    metavar="JSONPATH",
    help="What of that is written.",
)
@click.option(
    "--strategy",
    type=click.Choice(list(STRATEGIES)),
    help="Records per request.  [default: the container's, else MultiRecord]",
)
@click.option(
    "--max-payload",
    "max_payload_mb",
    type=click.IntRange(0, 100),
    metavar="MB",
    help="Of a request; 0 is no limit.  [default: the container's, else 6]",
)
@click.option(
    "--max-concurrent",
    "at_once",
    type=click.IntRange(0, 100),
    default=0,
    metavar="N",
    help="Requests at a time.  [default: the container's, else 1]",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(1, 3600),
    default=600.0,
    show_default=True,
    metavar="S",
    help="For an answer.",
)
@click.option(
    "--retries",
    type=click.IntRange(0, 3),
    default=3,
    show_default=True,
    help="Of a request that failed.",
)
@click.option("--name", default="", help="The job's name.  [default: recipe and time]")
@choice_options
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@account_options
@click.pass_obj
def transform_local(  # noqa: PLR0913 - the options of the command line
    session: Session,
    *,
    recipe: str,
    model: str,
    max_gb: float,
    startup_s: float,
    source: str,
    output: str,
    content_type: str,
    accept: str,
    split: str,
    assembly: str,
    input_filter: str,
    join: str,
    output_filter: str,
    strategy: str | None,
    max_payload_mb: int | None,
    at_once: int,
    timeout_s: float,
    retries: int,
    name: str,
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
    """Send files to a model as a batch transform on --instance would; prints the outputs.

    What was asked for here goes before what the container says at /execution-parameters, and that
    before SageMaker's own: MultiRecord, 6 MB, one request at a time.
    """
    asked = Transform(
        source=source,
        output=output,
        content_type=content_type,
        accept=accept,
        split=split,
        assembly=assembly,
        strategy=strategy or "",
        max_payload_mb=max_payload_mb,
        at_once=at_once,
        timeout_s=timeout_s,
        retries=retries,
        input_filter=input_filter,
        join=join,
        output_filter=output_filter,
    )
    asked.processing()
    with session.workspace() as workspace:
        chosen = desk.choose(
            *(workspace, recipe, instance),
            use="transform",
            wish=wish_of(accelerator, variant),
            build=build,
            dry_run=dry_run,
        )
        served = Serving(
            kind="transform",
            name=name or desk.job_name(recipe),
            recipe=recipe,
            variant=chosen.variant.slug,
            image_id=chosen.image_id,
            instance=instance,
            model=model,
            max_bytes=int(max_gb * GB),
            startup_s=startup_s,
            env={**parse_env(env, session.environ), **transform_env(asked)},
            is_isolated=is_isolated,
        )
        if dry_run:
            check_transform(served, asked)
            served_json = {**asdict(served), "env": sorted(served.env)}
            session.show_json(
                {**chosen.as_json(), "serving": served_json, "transform": asdict(asked)}
            )
            return
        done = desk.transform(workspace, open_storage(session, region, profile), served, asked)
    if as_json:
        session.show_json(done.as_json())
    done.refuse_unless_complete()
    if not as_json:
        session.show("\n".join(done.outputs))
