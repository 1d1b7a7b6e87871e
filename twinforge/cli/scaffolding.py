"""The verb ``new``: the first files of a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

import click

from twinforge.api import scaffolding

if TYPE_CHECKING:
    from twinforge.cli.session import Session

__all__ = ["new"]


@click.command(
    epilog="\b\nExamples:\n  twinforge new digits --framework xgboost\n"
    "  twinforge -C projects/irises new irises --framework sklearn --runtime\n"
    "  twinforge new tiny --framework none --dry-run"
)
@click.argument("name")
@click.option(
    "--framework",
    type=click.Choice(list(scaffolding.FRAMEWORKS)),
    default="sklearn",
    show_default=True,
    help="What learns.",
)
@click.option(
    "--program",
    "style",
    flag_value="program",
    default=True,
    help="With programs of its own, train and serve.  [default]",
)
@click.option(
    "--runtime",
    "style",
    flag_value="runtime",
    help="With a predictor and a trainer for the built-in runtime.",
)
@click.option("--dry-run", is_flag=True, help="Show the files; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the files and what is next as JSON.")
@click.pass_obj
def new(  # noqa: PLR0913 - the options of the command line
    session: Session, *, name: str, framework: str, style: str, dry_run: bool, as_json: bool
) -> None:
    """Write a recipe that works at once: its program, data to try it with, and tests.

    It learns kinds of iris flowers (Fisher, 1936; the data that scikit-learn ships). In a folder
    without a matrix.yaml, one is written too. Nothing is overwritten: all files are new, or none is
    written.
    """
    root = Path(session.project)
    kind = cast("Literal['program', 'runtime']", style)
    files = scaffolding.plan_new(root, name, framework=framework, style=kind)
    if not dry_run:
        scaffolding.write_new(root, files)
    paths = [file.path for file in files]
    following = scaffolding.next_commands(name)
    if as_json:
        session.show_json({"files": paths, "written": not dry_run, "next": list(following)})
        return
    session.show("\n".join(paths))
    if not session.quiet and not dry_run:
        click.echo("\n".join(["next:", *(f"  {command}" for command in following)]), err=True)
