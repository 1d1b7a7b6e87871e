"""The verb ``new``: the first files of a recipe."""

from __future__ import annotations

import shlex
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
    without a matrix.yaml, one is written too; where there is one, the recipe is for its CPUs and for
    its accelerators with the framework's CUDA. Nothing is overwritten: all files are new, or none is
    written.
    """
    root = Path(session.project)
    kind = cast("Literal['program', 'runtime']", style)
    recipe = scaffolding.plan_new(root, name, framework=framework, style=kind)
    if not dry_run:
        scaffolding.write_new(root, recipe.files)
    paths = [file.path for file in recipe.files]
    following = list(recipe.following)
    if root != Path():
        following.insert(0, shlex.join(["cd", session.project]))
    if as_json:
        session.show_json(
            {
                "files": paths,
                "written": not dry_run,
                "next": following,
                "notes": list(recipe.notes),
            }
        )
        return
    session.show("\n".join(paths))
    if not session.quiet and not dry_run:
        lines = ["next:", *(f"  {command}" for command in following)]
        click.echo("\n".join([*lines, *(f"note: {note}" for note in recipe.notes)]), err=True)
