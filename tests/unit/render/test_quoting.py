from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from twinforge.render.quoting import (
    dockerfile_string,
    one_line,
    plain_name,
    plain_word,
    shell_command,
    shell_word,
)

if TYPE_CHECKING:
    from collections.abc import Callable

LINE_ENDS = ["\n", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
VISIBLE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]))


@pytest.mark.parametrize("end", [*LINE_ENDS, "\0", "\x1b", "\x7f", "\ud800"], ids=ascii)
def test_a_line_end_or_control_character_is_refused_wherever_it_stands(end: str) -> None:
    for text in (end, f"{end}a", f"a{end}", f"a{end}b"):
        for place in (one_line, dockerfile_string, shell_word):
            with pytest.raises(ValueError, match="holds a control character or a line end"):
                place(text)


@given(VISIBLE)
def test_visible_text_of_any_script_is_one_line(text: str) -> None:
    assert one_line(text) == text
    assert len(text.splitlines()) <= 1


@pytest.mark.parametrize("text", ["libgomp1=12.2.0-14+deb12u1", "a/b:c@sha256:0", "1:2~rc", "_x"])
def test_a_plain_word_is_what_no_reader_gives_a_meaning_to(text: str) -> None:
    assert plain_word(text) == text
    assert shlex.quote(text).strip("'") == text


@pytest.mark.parametrize(
    "text", ["", " ", "a b", "-rf", "--privileged", "a;b", "$HOME", "a\n", "a\\", "*", "é", "#a"]
)
def test_what_is_no_plain_word_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a plain word"):
        plain_word(text)


@pytest.mark.parametrize("text", ["", "1A", "A=B", "A B", "A\n", "A/B", "-A"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a plain name"):
        plain_name(text)


@given(VISIBLE)
@example('"')
@example("\\")
@example("\\$HOME")
@example("${X:-$(touch /pwned)}")
def test_a_dockerfile_string_is_read_back_as_it_was(
    read_pairs: Callable[[str], dict[str, str]], text: str
) -> None:
    assert read_pairs(f"NAME={dockerfile_string(text)}") == {"NAME": text}


@given(VISIBLE)
@example("'; touch /pwned; '")
def test_a_shell_word_is_read_back_as_one_word(text: str) -> None:
    assert shlex.split(f"set {shell_word(text)}") == ["set", text]


@given(st.text())
@example("cat <<EOF\nFROM scratch\nEOF\n")
def test_a_script_stays_on_one_line_of_ascii_and_is_read_back_as_it_was(script: str) -> None:
    written = shell_command(script)
    assert written.isascii()
    assert len(written.splitlines()) == 1
    assert json.loads(written) == ["/bin/sh", "-euc", script]
