from __future__ import annotations

from twinforge.model.suggest import closest, known_or_close


def test_capital_letters_do_not_hide_what_was_meant() -> None:
    assert closest("PYTHON", ["python", "os"]) == "python"


def test_nothing_is_suggested_for_a_word_that_is_like_none() -> None:
    assert closest("zzz", ["python", "os"]) == ""


def test_a_long_text_is_not_compared() -> None:
    assert closest("a" * 10_000, ["a" * 10_000]) == ""


def test_a_long_list_is_cut() -> None:
    shown = known_or_close("zzz", [f"word{index}" for index in range(11)])
    assert shown.endswith("'word9', ...")


def test_nothing_is_said_where_nothing_is_known() -> None:
    assert known_or_close("zzz", []) == ""
