from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinforge.report.text import clean, human_bytes, human_seconds


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (1_234, "1.23 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (56_789_000, "56.8 MB"),
        (999_999_999, "1 GB"),
        (1_500_000_000_000, "1.5 TB"),
        (12_345 * 10**15, "12345 PB"),
        (-2_000, "-2 kB"),
    ],
)
def test_sizes_read_as_docker_shows_them(size: int, text: str) -> None:
    assert human_bytes(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (3_599.4, "59 min 59 s"),
        (3_599.6, "1 h 00 min"),
        (90_000, "25 h 00 min"),
    ],
)
def test_durations_never_show_sixty_of_anything(seconds: float, text: str) -> None:
    assert human_seconds(seconds) == text


@given(st.integers(min_value=0, max_value=10**18))
def test_a_size_is_at_most_three_digits_and_a_point(size: int) -> None:
    number, unit = human_bytes(size).split(" ")
    assert len(number.replace(".", "")) <= 3 or unit == "PB"
    assert "e" not in number


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://example.invalid\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;title\x07rest", "rest"),
        ("a\r\nb\rc\n", "a\nbc\n"),
        ("a\tb", "a b"),
        ("bell\x07 null\x00", "bell null"),
        ("Größe ✓", "Größe ✓"),
    ],
)
def test_control_codes_go_and_words_stay(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


@given(st.text())
def test_no_control_code_but_the_line_end_is_left(text: str) -> None:
    assert all(char.isprintable() or char == "\n" or ord(char) >= 160 for char in clean(text))
