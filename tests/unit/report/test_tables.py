from __future__ import annotations

import pytest

from twinforge.report.tables import Cell, Column, Style, render_table

COLUMNS = (Column("variant"), Column("size", is_number=True), Column("smoke"))
ROWS: list[list[str | Cell]] = [
    ["digits/cpu", "45 MB", Cell("passed", "green")],
    ["digits/cu129", "1.2 GB", Cell("failed", "red")],
]


def test_plain_text_is_aligned_and_numbers_stand_at_the_right() -> None:
    assert render_table(ROWS, COLUMNS, title="images") == (
        "images\n"
        "VARIANT         SIZE  SMOKE\n"
        "digits/cpu     45 MB  passed\n"
        "digits/cu129  1.2 GB  failed\n"
    )


def test_plain_text_has_no_control_codes_and_one_line_a_row() -> None:
    text = render_table([["a\nb", "\x1b[31m1", ""]], COLUMNS)
    assert text.splitlines()[1:] == ["a b         1  -"]


def test_wide_characters_keep_the_columns_aligned() -> None:
    text = render_table([["数字", "1", "x"], ["digit", "1", "x"]], COLUMNS)
    assert text.splitlines()[1:] == ["数字        1  x", "digit       1  x"]


def test_a_terminal_gets_colours_only_if_it_wants_them() -> None:
    coloured = render_table(ROWS, COLUMNS, style=Style(terminal=True))
    plain = render_table(ROWS, COLUMNS, style=Style(terminal=True, colour=False))
    assert "\x1b[32mpassed" in coloured
    assert "\x1b" not in plain
    assert "passed" in plain


def test_a_narrow_terminal_folds_cells_and_loses_nothing() -> None:
    text = render_table(
        [["digits/cu129-py3.11-debian12", "1.2 GB", "passed"]],
        COLUMNS,
        style=Style(terminal=True, colour=False, width=40),
    )
    assert max(map(len, text.splitlines())) <= 40
    folded = "".join(line[:20].strip() for line in text.splitlines()[3:])
    assert folded == "digits/cu129-py3.11-debian12"


def test_square_brackets_are_text_and_not_markup() -> None:
    text = render_table([["[red]x[/]", "1", "y"]], COLUMNS, style=Style(terminal=True))
    assert "[red]x[/]" in text


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="a row has 2 cells for 3 columns"):
        render_table([["a", "b"]], COLUMNS)
