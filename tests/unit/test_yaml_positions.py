from __future__ import annotations

import pytest

from twinforge.yamlfile import parse_yaml


@pytest.mark.parametrize(
    ("source", "word", "expected"),
    [
        ("a: one two", "two", (1, 8)),
        ("a: 'one two'", "two", (1, 9)),
        ('a: "one two"', "two", (1, 9)),
        ("a: {b: x, a: one two}", "one", (1, 4)),
        ("a: one\n  two three", "three", (2, 7)),
        ('a: "one\n  two three"', "three", (2, 7)),
        ("a: |\n  one\n  two three\n", "three", (3, 7)),
        ("a: >- # folded\n    one\n    two three\n", "three", (3, 9)),
        ("a: &x one two", "two", (1, 11)),
        ("a: !!str &x 'one two'", "two", (1, 18)),
        ("a: &x\n  one two", "two", (2, 7)),
        ("a: &x |\n  one\n  two three\n", "three", (3, 7)),
        ("a: 'it''s one'", "one", (1, 4)),
        ('a: "\\x41 one"', "one", (1, 4)),
    ],
)
def test_a_word_inside_a_scalar_has_a_place(
    source: str, word: str, expected: tuple[int, int]
) -> None:
    document = parse_yaml(source.encode(), "m.yaml")
    node = document.node(("a",))
    assert node is not None
    assert document.position_inside(("a",), max(node.text.find(word), 0)) == expected


def test_the_end_of_a_scalar_is_the_place_after_its_last_character() -> None:
    document = parse_yaml(b"a: 'one'\nb: two\nc: >\n  three\n", "m.yaml")
    assert document.position_inside(("a",), 3) == (1, 8)
    assert document.position_inside(("b",), 3) == (2, 7)
    assert document.position_inside(("c",), 5) == (4, 8)
    assert document.position_inside(("d",), 0) == (1, 1)
