"""Verbs that read and write the project's files: ``check``, ``lock``, ``render``, ``schema``."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from twinforge.errors import ProjectError, UsageError
from twinforge.model.schema import schema_text
from twinforge.model.suggest import known_or_close

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from twinforge.cli.session import Session

__all__ = ["check", "lock", "render", "schema"]

_EVERYTHING = "*"


@click.command(epilog="Example: twinforge check --json")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
@click.pass_obj
def check(session: Session, *, as_json: bool) -> None:
    """See whether recipes, matrix and programs are right and can work; show every problem at once.

    Nothing is asked of a registry or an index: whether it can work, and on the instance types that
    the matrix serves, is answered by the data that comes with Twinforge (see `compat`). What is not
    known, and what works on a condition only, is said and is no error; neither is what speaks
    against variants that their recipe shelves.
    """
    from twinforge.api.compatibility import check_compatibility  # noqa: PLC0415 - its tables take a while
    from twinforge.api.severities import severity_problems  # noqa: PLC0415 - for this verb only

    try:
        with session.workspace() as workspace:
            project = workspace.project
            severities = severity_problems(project)
            found = check_compatibility(workspace, datetime.now(UTC).date())
    except ProjectError as error:
        if as_json:
            session.show_json({"problems": [asdict(problem) for problem in error.problems]})
        raise
    problems = sorted((*found.problems, *severities))
    if as_json:
        session.show_json(
            {
                "recipes": [recipe.name for recipe in project.recipes],
                "variants": [variant.id for variant in project.variants],
                "problems": [asdict(problem) for problem in problems],
                "warnings": [asdict(warning) for warning in found.warnings],
                "conditions": [asdict(condition) for condition in found.conditions],
                "shelved": [asdict(note) for note in found.shelved],
            }
        )
    elif not session.quiet:
        kinds = {"shelved": found.shelved, "warning": found.warnings, "note": found.conditions}
        for kind, notes in kinds.items():
            for note in notes:
                click.echo(
                    f"{note.path}:{note.line}:{note.column}: {kind}: {note.message}", err=True
                )
    if problems:
        hints = ["see `twinforge smoke --list`"] if severities else []
        if found.problems:
            hints.append("`twinforge compat explain` says more, `twinforge compat find` what works")
        raise ProjectError(problems, hint="; ".join(hints))
    if as_json:
        return
    session.show(
        f"{_count(len(project.recipes), 'recipe')}, {_count(len(project.variants), 'variant')}: all right"
    )


@click.command(
    epilog="\b\nExamples:\n"
    "  twinforge lock                        what is not locked yet, or stale\n"
    "  twinforge lock --check                in CI: say whether it is stale\n"
    "  twinforge lock --upgrade              the newest of everything\n"
    "  twinforge lock --upgrade numpy        the newest numpy"
)
@click.argument("recipes", nargs=-1)
@click.option("--check", "only_check", is_flag=True, help="Change nothing; exit 6 when stale.")
@click.option(
    "--upgrade",
    multiple=True,
    is_flag=False,
    flag_value=_EVERYTHING,
    metavar="[PACKAGE]",
    help="Take the newest of a package, or of everything and the bases too; may be repeated.",
)
@click.pass_obj
def lock(
    session: Session,
    *,
    recipes: tuple[str, ...],
    only_check: bool,
    upgrade: tuple[str, ...],
) -> None:
    """Pin bases, Debian packages and wheels, the same for CPU and CUDA; then render."""
    from twinforge.api import locking, rendering  # noqa: PLC0415 - their SDKs take a while to import
    from twinforge.lock.resolve import Upgrade  # noqa: PLC0415 - as above

    if only_check and upgrade:
        message = "--check changes nothing, and --upgrade does"
        raise UsageError(message, hint="see `twinforge lock --help`")
    with session.workspace() as workspace:
        names = _recipes(recipes, [recipe.name for recipe in workspace.project.recipes])
        if only_check:
            locking.check_locks(workspace, names)
            made = {variant.recipe for variant in workspace.project.variants}
            count = len(made.intersection(names))
            session.show(f"the {_count(count, 'lock')} follow{'s' * (count == 1)} from the recipes")
            return
        wanted = replace(
            Upgrade.of(name for name in upgrade if name != _EVERYTHING),
            everything=_EVERYTHING in upgrade,
        )
        locks = [lock for name in names if (lock := workspace.lock_of(name)) is not None]
        for name in wanted.unmatched(locks) if locks else ():
            known = {wheel.name for lock in locks for v in lock.variants for wheel in v.wheels}
            message = f"no lock holds the package '{name}'{known_or_close(name, sorted(known))}"
            raise UsageError(message)
        locked = locking.lock_recipes(workspace, names, wanted)
        fresh = workspace.reread()
        variants = [v for v in fresh.project.variants if v.recipe in names]
        changed = rendering.write_rendered(fresh.root, rendering.render_variants(fresh, variants))
    for item in locked:
        session.show(f"{item.lock.recipe}: {_count(len(item.changes), 'change')}")
        for line in item.changes:
            session.show(f"  {line}")
    _show_changed(session, fresh.root, changed)


@click.command(epilog="Example: twinforge render --check")
@click.argument("recipes", nargs=-1)
@click.option(
    "--check", "only_check", is_flag=True, help="Change nothing; exit 6 with a diff when stale."
)
@click.pass_obj
def render(session: Session, *, recipes: tuple[str, ...], only_check: bool) -> None:
    """Write each variant's Dockerfile, requirements.txt and variant.json from recipe and lock."""
    from twinforge.api import rendering  # noqa: PLC0415 - as above

    with session.workspace() as workspace:
        names = _recipes(recipes, [recipe.name for recipe in workspace.project.recipes])
        variants = [v for v in workspace.project.variants if v.recipe in names]
        rendered = rendering.render_variants(workspace, variants)
        if only_check:
            rendering.check_rendered(workspace.root, rendered)
            session.show(
                f"the files of {_count(len(rendered), 'variant')} follow from their sources"
            )
            return
        changed = rendering.write_rendered(workspace.root, rendered)
    _show_changed(session, workspace.root, changed)
    if not changed:
        session.show("nothing changed")


@click.command(epilog="Example: twinforge schema recipe > recipe.schema.json")
@click.argument("kind", type=click.Choice(["recipe", "matrix"]))
@click.pass_obj
def schema(session: Session, *, kind: str) -> None:
    """Print the JSON Schema of a recipe or of the matrix, for editors."""
    session.show(schema_text("recipe" if kind == "recipe" else "matrix"))


def _recipes(asked: tuple[str, ...], known: list[str]) -> list[str]:
    """Return the recipes that were asked for, or all, in declared order."""
    for name in asked:
        if name not in known:
            message = f"there is no recipe '{name}'{known_or_close(name, known)}"
            raise UsageError(message)
    return [name for name in known if not asked or name in asked]


def _show_changed(session: Session, root: Path, paths: Sequence[str]) -> None:
    for path in paths:
        session.show(f"{'wrote' if (root / path).exists() else 'removed'} {path}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
