"""Tables for a terminal, drawn by rich."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from twinforge.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinforge.report.tables import Cell, Column, Style

__all__ = ["draw_table"]


def draw_table(
    rows: Sequence[Sequence[Cell]], columns: Sequence[Column], *, title: str, style: Style
) -> str:
    """Return a table no wider than the terminal; cells that are too long are folded, never cut."""
    table = Table(title=Text(title) if title else None, title_justify="left", box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(
            Text(column.heading),
            justify="right" if column.is_number else "left",
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(clean(cell.text) or "-", style=cell.colour) for cell in row))
    stream = io.StringIO()
    console = Console(
        file=stream,
        force_terminal=True,
        color_system="standard" if style.colour else None,
        width=style.width,
        _environ={},  # the environment is read by the command line only
    )
    console.print(table)
    return stream.getvalue()
