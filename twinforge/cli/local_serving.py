"""``local serve``: an endpoint in the engine of this machine."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from twinforge.api import local as desk
from twinforge.cli.aws import account_options
from twinforge.cli.local_options import GB, choice_options, model_options, open_storage, wish_of
from twinforge.sagemaker.local.endpoint import Serving, check_serving
from twinforge.sagemaker.local.job import parse_env
from twinforge.sagemaker.naming import letters

if TYPE_CHECKING:
    from twinforge.cli.session import Session
    from twinforge.sagemaker.local.endpoint import Hosted

__all__ = ["serve_local"]


@click.command(
    "serve",
    epilog="\b\nExamples:\n"
    "  twinforge local serve digits --instance ml.m4.xlarge --model model.tar.gz\n"
    "  twinforge local serve digits --instance ml.g5.xlarge --model s3://bucket/model.tar.gz \\\n"
    "    --name digits-gpu --detach --json",
)
@click.argument("recipe")
@model_options
@click.option("--name", default="", help="The endpoint's name.  [default: the recipe's]")
@click.option(
    "--port",
    default=0,
    type=click.IntRange(0, 65535),
    help="Of this machine's loopback.  [default: one that is free]",
)
@click.option("--detach", is_flag=True, help="Leave it running; end it with `local stop`.")
@choice_options
@click.option("--json", "as_json", is_flag=True, help="Print where it listens as JSON.")
@account_options
@click.pass_obj
def serve_local(  # noqa: PLR0913 - the options of the command line
    session: Session,
    *,
    recipe: str,
    model: str,
    max_gb: float,
    startup_s: float,
    name: str,
    port: int,
    detach: bool,
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
    """Serve a model here as an endpoint on --instance would; prints its address.

    The model is read-only, /ping has to answer within 2 s, and with 200 within --startup. Without
    --detach the log follows until Ctrl-C: SIGTERM, 30 s, SIGKILL. What the container prints is in
    .twinforge/local/NAME/serve.log then.
    """
    if is_isolated and port:
        message = "an isolated container has an address of its own and no port of this machine's"
        raise click.UsageError(message)
    with session.workspace() as workspace:
        chosen = desk.choose(
            *(workspace, recipe, instance),
            use="hosting",
            wish=wish_of(accelerator, variant),
            build=build,
            dry_run=dry_run,
        )
        asked = Serving(
            kind="endpoint",
            name=name or letters(recipe),
            recipe=recipe,
            variant=chosen.variant.slug,
            image_id=chosen.image_id,
            instance=instance,
            model=model,
            max_bytes=int(max_gb * GB),
            startup_s=startup_s,
            env=parse_env(env, session.environ),
            port=port,
            is_isolated=is_isolated,
        )
        if dry_run:
            check_serving(asked)
            shown = {**chosen.as_json(), "endpoint": {**asdict(asked), "env": sorted(asked.env)}}
            session.show_json(shown)
            return

        def show(hosted: Hosted) -> None:
            if as_json:
                session.show_json(
                    {
                        "endpoint": asked.name,
                        "variant": chosen.variant.id,
                        "instance": instance,
                        "status": "InService",
                        "url": hosted.url,
                        "ping_s": round(hosted.ping_s, 3),
                        "container": hosted.box,
                    }
                )
            else:
                session.show(hosted.url)

        storage = open_storage(session, region, profile)
        desk.serve(workspace, storage, asked, detach=detach, on_ready=show)
