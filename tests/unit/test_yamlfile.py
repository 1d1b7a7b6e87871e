from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from twinforge.errors import ProjectError
from twinforge.yamlfile import MAX_BYTES, Unclear, parse_yaml, show_value, show_where

YAML_CHARACTERS = "ab01:- \n\t{}[],&*!|>'\"#%?@`<=~.+_\\xUu\u00e9\u2028\ufeff"


def refused(data: str | bytes) -> str:
    with pytest.raises(ProjectError) as caught:
        parse_yaml(data.encode() if isinstance(data, str) else data, "f.yaml")
    return str(caught.value)


def value(text: str) -> object:
    document = parse_yaml(f"key: {text}\n".encode(), "f.yaml")
    assert document.problems == ()
    return document.value()["key"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("0", 0),
        ("-12", -12),
        ("3.10", 3.1),
        ("1e-3", 0.001),
        (".5", 0.5),
        ("text", "text"),
        ("1.2.0", "1.2.0"),
        ("'yes'", "yes"),
        ('"3.10"', "3.10"),
        ("20260101T000000Z", "20260101T000000Z"),
        ("tRue", "tRue"),
        ("[]", ()),
        ("!!str 3.10", "3.10"),
        ("! 3.10", "3.10"),
    ],
)
def test_scalars_that_all_readers_agree_on(text: str, expected: object) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "reads_as"),
    [
        ("yes", "a boolean"),
        ("NO", "a boolean"),
        ("on", "a boolean"),
        ("010", "an octal number"),
        ("0o17", "an octal number"),
        ("0x1F", "a hexadecimal number"),
        ("0b1", "a binary number"),
        ("1_000", "a number"),
        ("09", "a number"),
        ("1:30", "a number of base 60"),
        ("2026-01-01", "a date"),
        (".inf", "a number that is not finite"),
        ("1e999", "a number that is not finite"),
        ("99999999999999999999", "a number"),
        ("<<", "a command of YAML 1.1"),
    ],
)
def test_scalars_that_readers_disagree_on_are_no_values(text: str, reads_as: str) -> None:
    assert value(text) == Unclear(text, reads_as)


def test_source_text_is_kept_where_it_is_asked_for() -> None:
    document = parse_yaml(b"a: {x: 0.10, y: yes, z: 007, n: , l: [1.0]}\nb: {x: 0.10}\n", "f.yaml")
    assert document.value([("a",)]) == {
        "a": {"x": "0.10", "y": "yes", "z": "007", "n": None, "l": (1.0,)},
        "b": {"x": 0.1},
    }


def test_every_node_knows_its_place() -> None:
    document = parse_yaml(b"a:\n  - b: 1\n    c: {d: x}\n", "f.yaml")
    assert document.position(("a", 0, "c", "d")) == (3, 12)
    assert document.position(("a", 0, "c", "d"), key=True) == (3, 9)
    assert document.position(("a", 0, "missing", "x")) == (2, 5)
    assert document.position(("a", "0")) == (2, 3)
    assert document.position(()) == (1, 1)
    assert document.node(("a", 1)) is None
    assert document.node(("a", 0, "b", "x")) is None


def test_a_duplicate_key_is_a_problem_and_the_first_value_stays() -> None:
    document = parse_yaml(b"a: 1\nb: {x: 1, x: 2}\na: 2\n", "f.yaml")
    assert document.value() == {"a": 1, "b": {"x": 1}}
    assert [str(problem) for problem in document.problems] == [
        "f.yaml:2:11: b: duplicate key 'x'; the first one is in line 2",
        "f.yaml:3:1: duplicate key 'a'; the first one is in line 1",
    ]


def test_half_a_character_is_a_problem() -> None:
    document = parse_yaml(b'a: "x\\ud83d\\ude00"\n"\\ud800": b\n', "f.yaml")
    assert [str(problem) for problem in document.problems] == [
        "f.yaml:1:4: a: the escape '\\ud83d' is half of a character; write it itself",
        "f.yaml:2:1: the escape '\\ud800' is half of a character; write it itself",
    ]


def test_keys_are_text() -> None:
    document = parse_yaml(b"{1: a, yes: b, ? [c] : d, ? : e}", "f.yaml")
    assert [str(problem) for problem in document.problems] == [
        'f.yaml:1:2: a key is text, and 1 is not; quote it: "1"',
        'f.yaml:1:8: a key is text, and yes is not; quote it: "yes"',
        "f.yaml:1:18: a key is text, not a list or a mapping",
        "f.yaml:1:28: a key is text, and nothing stands here",
    ]


def test_a_key_that_merges_is_told_from_one_that_wants_quotes() -> None:
    document = parse_yaml(b"a: &a {b: c}\nd: {<<: *a}\n", "f.yaml")
    assert [str(problem) for problem in document.problems] == [
        "f.yaml:2:5: d: merging by << is YAML 1.1 only; write the keys themselves"
    ]


def test_a_key_of_any_length_is_shown_on_one_short_line() -> None:
    (problem,) = parse_yaml(b"? " + b"9" * 5000 + b"\n: a\n", "f.yaml").problems
    assert len(str(problem)) < 300


def test_an_alias_is_its_anchors_value() -> None:
    assert parse_yaml(b"a: &x [1]\nb: *x\n", "f.yaml").value() == {"a": (1,), "b": (1,)}


def test_an_alias_stands_where_it_is_written_and_its_inside_where_the_anchor_is() -> None:
    document = parse_yaml(b"a: &x [1, two]\nb: *x\nc: &y one two\nd: [*y]\n", "f.yaml")
    assert document.position(("b",)) == (2, 4)
    assert document.position(("b", 1)) == (1, 11)
    assert document.position_inside(("c",), 4) == (3, 11)
    assert document.position_inside(("d", 0), 4) == (4, 5)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", "f.yaml: the file is empty"),
        ("# only words\n", "f.yaml: the file is empty"),
        ("---\n", "f.yaml: the file is empty"),
        ("\ufeff", "f.yaml: the file is empty"),
        ("text", "f.yaml:1:1: a mapping is needed, not one value"),
        ("[]", "f.yaml:1:1: a mapping is needed, not a list"),
        ("[a]", "f.yaml:1:1: a mapping is needed, not a list"),
        ("a: 1\n---\nb: 1\n", "f.yaml:2:1: a second document starts here; a file holds one"),
        ("a: *x\n", "f.yaml:1:4: a: the alias '*x' has no anchor before it"),
        ("a: &x [*x]\n", "f.yaml:1:8: a[0]: the alias '*x' stands inside its own anchor"),
        ("a:\n\tb: 1\n", "f.yaml:2:1: a tab can't start anything in YAML; indent with spaces"),
        (
            "a: b: c\n",
            "f.yaml:1:5: not YAML: mapping values are not allowed here",
        ),
        (b"a: 1\nb: \xff\n", "f.yaml:2:4: byte 0xff is not UTF-8"),
        (b"a: 1\nb: x\x00\n", "f.yaml:2:5: the character U+0000 is not allowed in YAML"),
        (
            'a: "\\UFFFFFFFF"\n',
            "f.yaml:1:1: an escape or a directive near here is not YAML",
        ),
        (
            b" " * (MAX_BYTES + 1),
            f"f.yaml: the file has {MAX_BYTES + 1} bytes; {MAX_BYTES} are allowed",
        ),
        ("a: " + "[" * 100_000, "f.yaml:1:36: a: nested deeper than 32 levels"),
        (
            "a: &a [" + "x, " * 1000 + "]\nb: &b [" + "*a, " * 100 + "]\n",
            "f.yaml:2:400: b[98]: more than 100000 values, with aliases expanded",
        ),
    ],
)
def test_what_can_not_be_read_is_one_clear_problem(data: str | bytes, message: str) -> None:
    assert refused(data) == message


def test_problems_found_before_a_syntax_error_are_told_too() -> None:
    assert refused("a: 1\na: 2\nb: [\n").splitlines()[0] == (
        "f.yaml:2:1: duplicate key 'a'; the first one is in line 1"
    )


def test_a_byte_order_mark_moves_no_column() -> None:
    document = parse_yaml("\ufeffa: b\n".encode(), "f.yaml")
    assert document.position(("a",)) == (1, 4)


def test_a_shown_value_is_one_short_line_without_credentials() -> None:
    assert show_value("a\n\x1b\u2028\ud800") == r"'a\n\x1b\u2028\ud800'"
    assert show_value("x" * 100) == "'" + "x" * 80 + "...'"
    assert show_value("https://user:secret@host/path") == "'https://***@host/path'"


def test_a_shown_path_quotes_what_is_no_word() -> None:
    assert show_where(("a", 0, "b-c", "", "d\n")) == 'a[0].b-c[""]["d\\n"]'
    assert show_where(("x y",)) == '["x y"]'
    assert show_where(("k" * 81,)) == f'["{"k" * 80}..."]'


@settings(deadline=None)
@given(data=st.one_of(st.binary(), st.text(YAML_CHARACTERS).map(str.encode)))
@example(b"%YAML " + b"9" * 5000 + b".1\n---\na: 1\n")
@example(b"a: " + b"9" * 5000)
@example(b"!<tag:x> {a: 1}")
@example(b"? ? a")
@example(b"a: |9999\n  x\n")
def test_any_bytes_are_a_document_or_a_project_error(data: bytes) -> None:
    try:
        document = parse_yaml(data, "f.yaml")
    except ProjectError:
        return
    assert isinstance(document.value(), dict)
