"""Tables: drawn by rich for a terminal, aligned plain text for everything else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len

from twinforge.report.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Cell", "Column", "Style", "render_table"]

_GAP = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its heading, and whether its cells stand at the right, as numbers do."""

    heading: str
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell with a colour's name of rich's, such as ``red``; the colour never carries the fact."""

    text: str
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Style:
    """For what a table is drawn.

    Attributes:
        terminal: Whether it goes to a terminal; plain text without control codes if not.
        colour: Whether a terminal gets colours (``NO_COLOR`` says no).
        width: The terminal's columns; plain text is as wide as its cells.
    """

    terminal: bool = False
    colour: bool = True
    width: int = 100


def render_table(
    rows: Sequence[Sequence[str | Cell]],
    columns: Sequence[Column],
    *,
    title: str = "",
    style: Style = Style(),
) -> str:
    """Return a table as text that ends with a line end.

    Args:
        rows: As many cells each as there are columns.
        columns: In the order of the cells.
        title: Stands above the table; nothing when empty.
        style: For what it is drawn.

    Raises:
        ValueError: A row has another number of cells.
    """
    cells = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]
    for row in cells:
        if len(row) != len(columns):
            message = f"a row has {len(row)} cells for {len(columns)} columns"
            raise ValueError(message)
    if not style.terminal:
        return _plain(cells, columns, title)
    # rich takes as long to import as all else here, and only a terminal needs it.
    from twinforge.report.boxes import draw_table  # noqa: PLC0415

    return draw_table(cells, columns, title=title, style=style)


def _plain(rows: Sequence[Sequence[Cell]], columns: Sequence[Column], title: str) -> str:
    lines = [[column.heading.upper() for column in columns]]
    lines += [[" ".join(clean(cell.text).split()) or "-" for cell in row] for row in rows]
    widths = [max(cell_len(line[i]) for line in lines) for i in range(len(columns))]
    text = [title] if title else []
    for line in lines:
        padded = (
            _pad(cell, width, column)
            for cell, width, column in zip(line, widths, columns, strict=True)
        )
        text.append(_GAP.join(padded).rstrip())
    return "\n".join(text) + "\n"


def _pad(cell: str, width: int, column: Column) -> str:
    space = " " * (width - cell_len(cell))
    return space + cell if column.is_number else cell + space
