"""Verbs for the compatibility data: ``compat age`` and ``compat update``."""

from __future__ import annotations

from datetime import UTC, datetime
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING

import click

from twinforge.cli.explaining import explain, find
from twinforge.report.tables import Cell, Column, render_table

if TYPE_CHECKING:
    from twinforge.cli.session import Session

__all__ = ["compat"]


@click.group(epilog="Example: twinforge compat age")
def compat() -> None:
    """Ask what may be combined, and look after the data that answers it."""


compat.add_command(explain)
compat.add_command(find)


@compat.command(epilog="\b\nExamples:\n  twinforge compat age\n  twinforge compat age --json")
@click.option("--json", "as_json", is_flag=True, help="Print every source as JSON.")
@click.pass_obj
def age(session: Session, *, as_json: bool) -> None:
    """Show data that is older than its source usually has something new."""
    from twinforge.compat.age import source_ages  # noqa: PLC0415 - it reads all data files

    ages = source_ages(datetime.now(UTC).date())
    late = [found for found in ages if found.is_late]
    if as_json:
        session.show_json(
            {
                "late": len(late),
                "sources": [
                    {
                        "file": found.file,
                        "source": found.source,
                        "title": found.title,
                        "collected": found.collected.isoformat(),
                        "habit_days": found.habit_days,
                        "age_days": found.age_days,
                        "late": found.is_late,
                    }
                    for found in ages
                ],
            }
        )
        return
    if not late:
        session.show(f"no source of the data is late; {len(ages)} change from time to time")
        return
    columns = [Column("file"), Column("source"), Column("collected")]
    columns += [Column("days", is_number=True), Column("new after", is_number=True)]
    rows = [
        [
            Cell(found.file),
            Cell(found.source),
            Cell(found.collected.isoformat()),
            Cell(str(found.age_days), "yellow"),
            Cell(str(found.habit_days)),
        ]
        for found in late
    ]
    title = f"{len(late)} of {len(ages)} sources have probably something new"
    session.show(render_table(rows, columns, title=title, style=session.style))


@compat.command(
    epilog="\b\nExamples:\n  twinforge compat update --dry-run\n"
    "  twinforge compat update torch onnxruntime --yes"
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--dry-run", is_flag=True, help="Show what would be written and write nothing.")
@click.option("--yes", "-y", is_flag=True, help="Write without asking.")
@click.option("--diff", "with_diff", is_flag=True, help="Show the files' own differences too.")
@click.option("--json", "as_json", is_flag=True, help="Print the changes as JSON; asks nothing.")
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write to the data of Twinforge itself in this folder, not to the project's.",
)
@click.pass_obj
def update(  # noqa: PLR0913 - the options of the command line
    session: Session,
    *,
    names: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    with_diff: bool,
    as_json: bool,
    data: Path | None,
) -> None:
    """Refresh frameworks and cuDNN from the package index: new versions, their wheels' tags.

    Writes compat/NAME.yaml of the project, after asking; all names where none is given. The index is the one that uv or pip
    is set to (UV_DEFAULT_INDEX, UV_INDEX_URL, PIP_INDEX_URL), else uv's own default. CUDA and cuDNN of
    new versions stay unknown: wheels' tags do not tell them.
    """
    from twinforge.api.refreshing import look_up_updates, write_updates  # noqa: PLC0415 - heavy

    with session.workspace() as workspace:
        today = datetime.now(UTC).date()
        updates = look_up_updates(workspace, names, today=today, data_dir=data)
    if as_json:
        session.show_json(
            [{"name": u.name, "file": str(u.path), "changes": list(u.changes)} for u in updates]
        )
    else:
        for found in updates:
            session.show(f"{found.name}: {len(found.changes)} changes -> {found.path}")
            session.show("\n".join(f"  {line}" for line in found.changes))
            if with_diff:
                session.show(_difference(found.before, found.text, str(found.path)))
        if not updates:
            session.show("the package index has nothing new")
    if dry_run or not updates or (as_json and not yes):
        return
    if yes or click.confirm(f"write {len(updates)} files?", err=True):
        write_updates(updates)


def _difference(before: str, after: str, path: str) -> str:
    lines = unified_diff(before.splitlines(), after.splitlines(), path, path, lineterm="")
    return "\n".join(lines)
