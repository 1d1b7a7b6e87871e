"""The verb ``local``: SageMaker in the engine of this machine."""

from __future__ import annotations

from importlib import import_module

import click

__all__ = ["local"]

_VERBS = {
    "train": "local_training",
    "serve": "local_serving",
    "predict": "local_asking",
    "transform": "local_transform",
    "list": "local_running",
    "logs": "local_running",
    "stop": "local_running",
}


class _Verbs(click.Group):
    """Imports the verb that is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in _VERBS:
            return None
        module = import_module(f"twinforge.cli.{_VERBS[cmd_name]}")
        command: click.Command = getattr(module, f"{cmd_name}_local")
        return command


@click.group(
    cls=_Verbs,
    epilog="\b\nExamples:\n"
    "  twinforge local train digits --instance ml.g5.xlarge --channel training=data\n"
    "  twinforge local serve digits --instance ml.m4.xlarge --model model.tar.gz --detach\n"
    "  twinforge local predict digits --content-type text/csv row.csv\n"
    "  twinforge local stop digits",
)
def local() -> None:
    """Train, serve and transform here as SageMaker would, with images that were built here."""
