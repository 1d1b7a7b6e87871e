"""Verbs for the compatibility data: ``compat age``."""

from __future__ import annotations

from datetime import UTC, datetime
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
