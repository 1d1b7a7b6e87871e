from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from twinforge.model.condition import (
    MAX_LENGTH,
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    ConditionError,
    Literal,
    Negation,
    compares,
    comparisons,
    holds,
    parse_condition,
)

WORDS = {
    "recipe": "digits",
    "accelerator": "cu124",
    "kind": "cuda",
    "cuda": "12.4",
    "python": "3.10",
    "os": "debian-12",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cuda >= 12.4 and python < 3.12", True),
        ("cuda >= 12.10", False),
        ("python > 3.9", True),
        ("python == 3.10", True),
        ("python == 3.10.0", True),
        ("python != 3.1", True),
        ("accelerator in [cu118, cu124]", True),
        ("accelerator not in [cu118, cu124]", False),
        ("python in [3.10.0]", True),
        ('recipe == "digits"', True),
        ("recipe == 'words'", False),
        ("os == debian-*", True),
        ("os == debian-1?", True),
        ("os != ubuntu-*", True),
        ("not kind == cpu", True),
        ("not not kind == cpu", False),
        ("kind == cpu and kind == cpu or kind == cuda", True),
        ("kind == cpu and (kind == cpu or kind == cuda)", False),
        ("kind == cuda or kind == cpu and kind == cpu", True),
        ("not kind == cuda or kind == cuda", True),
        ("not (kind == cuda or kind == cpu)", False),
        ("kind==cuda and(os=='debian-12')", True),
        ("kind == cuda\n  and os == debian-12\n", True),
    ],
)
def test_a_condition_holds_or_not(text: str, expected: bool) -> None:  # noqa: FBT001 - a table
    assert holds(parse_condition(text), WORDS) is expected


@pytest.mark.parametrize("operator", ["==", "<", "<=", ">", ">="])
def test_what_is_not_there_compares_with_nothing(operator: str) -> None:
    condition = parse_condition(f"cuda {operator} 12.4")
    assert not holds(condition, {"cuda": ""})
    assert not holds(condition, {})
    assert holds(Negation(condition), {})
    assert holds(parse_condition("cuda != 12.4"), {})


@pytest.mark.parametrize(
    ("text", "message", "at"),
    [
        ("", "the name of an axis is needed here; nothing follows", 0),
        ("cuda", "==, !=, <, <=, >, >= or 'in' is needed here; nothing follows", 4),
        ("cuda 12", "==, !=, <, <=, >, >= or 'in' is needed here, not '12'", 5),
        ("cuda not 12", "==, !=, <, <=, >, >= or 'in' is needed here, not '12'", 9),
        ("cuda = 12", "'=' is not known; did you mean '=='?", 5),
        ("cuda => 12", "'=>' is not known; did you mean '>='?", 5),
        ("a == b || c == d", "'||' is not known; did you mean 'or'?", 7),
        ("!a == b", "'!' is not known; did you mean 'not'?", 0),
        ("cuda >=", "a value is needed here; nothing follows", 7),
        ("cuda >= and", "a value is needed here, not 'and'", 8),
        ("12.4 <= cuda", "the name of an axis is needed here, not '12.4'", 0),
        ("a == b c == d", "'and', 'or' or the end is needed here, not 'c'", 7),
        ("(a == b", "the parenthesis that opens here is not closed", 0),
        ("a == b)", "'and', 'or' or the end is needed here, not ')'", 6),
        ("(a == b c)", "'and', 'or' or ')' is needed here, not 'c'", 8),
        ("a in b", "a list in brackets is needed here, not 'b'", 5),
        ("a in []", "a value is needed here, not ']'", 6),
        ("a in [b, ]", "a value is needed here, not ']'", 9),
        ("a in [b c]", "',' or ']' is needed here, not 'c'", 8),
        ("a == 'b", "the text that starts with ' does not end", 5),
        ("a == b; import os", "';' means nothing in a condition", 6),
        ("__import__('os')", "'_' means nothing in a condition", 0),
        ("a.b == c", "the name of an axis is needed here, not 'a.b'", 0),
        ("a == b and " * 100 + "a == b", "the condition has 1106 characters; 1000 are allowed", 0),
        ("(" * 30 + "a == b" + ")" * 30, "nested deeper than 20 levels", 21),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, message: str, at: int) -> None:
    with pytest.raises(ConditionError) as caught:
        parse_condition(text)
    assert (str(caught.value), caught.value.offset) == (message, at)


def test_comparisons_come_in_the_order_of_the_text() -> None:
    condition = parse_condition("not a == b and (c < 1 or d in [e, f])")
    assert [(one.name, one.offset) for one in comparisons(condition)] == [
        ("a", 4),
        ("c", 16),
        ("d", 25),
    ]


@given(st.text(max_size=60) | st.text("ab 1.*=<>!()[],'\"notradi", max_size=60))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    try:
        condition = parse_condition(text)
    except ConditionError as error:
        offset = error.offset
    else:
        offset = 0
        assert holds(condition, WORDS) in {True, False}
    assert 0 <= offset <= len(text)


@given(st.text("()not ab=", min_size=MAX_LENGTH + 1, max_size=MAX_LENGTH + 1))
def test_a_long_text_is_refused_unread(text: str) -> None:
    with pytest.raises(ConditionError, match="are allowed"):
        parse_condition(text)


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,5}", fullmatch=True).filter(
    lambda name: name not in {"and", "or", "not", "in"}
)
VALUES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True)
LEAVES = st.builds(
    lambda name, operator, values: Comparison(
        name,
        operator,
        tuple(Literal(v, 0) for v in (values if operator == "in" else values[:1])),
        0,
    ),
    NAMES,
    st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in"]),
    st.lists(VALUES, min_size=1, max_size=3),
)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(Negation, inner)
        | st.builds(AllOf, st.lists(inner, min_size=2, max_size=3).map(tuple))
        | st.builds(AnyOf, st.lists(inner, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=6,
)


def written(condition: Condition) -> str:
    match condition:
        case Comparison(name, "in", literals, _):
            return f"{name} in [{', '.join(repr(one.text) for one in literals)}]"
        case Comparison(name, operator, literals, _):
            return f"{name} {operator} {literals[0].text!r}"
        case Negation(part):
            return f"not ({written(part)})"
        case AllOf(parts):
            return " and ".join(f"({written(part)})" for part in parts)
        case AnyOf(parts):
            return " or ".join(f"({written(part)})" for part in parts)


def meant(condition: Condition, words: dict[str, str]) -> bool:
    """What a condition means, said with the rules of Python's own packaging library."""
    match condition:
        case Comparison(name, operator, literals, _):
            value = words.get(name, "")
            answers = [relation(operator, value, literal.text) for literal in literals]
            return any(answers)
        case Negation(part):
            return not meant(part, words)
        case AllOf(parts):
            return all(meant(part, words) for part in parts)
        case AnyOf(parts):
            return any(meant(part, words) for part in parts)


def relation(operator: str, value: str, literal: str) -> bool:
    try:
        order = (Version(value) > Version(literal)) - (Version(value) < Version(literal))
    except ValueError:
        same = value == literal
        return {"==": same, "in": same, "!=": not same}.get(operator, False)
    return {
        "==": order == 0,
        "in": order == 0,
        "!=": order != 0,
        "<": order < 0,
        "<=": order <= 0,
        ">": order > 0,
        ">=": order >= 0,
    }[operator]


@settings(max_examples=200)
@given(CONDITIONS, st.dictionaries(NAMES, VALUES, max_size=4))
def test_what_is_written_is_what_is_meant(condition: Condition, words: dict[str, str]) -> None:
    text = written(condition)
    if len(text) <= MAX_LENGTH:
        assert holds(parse_condition(text), words) is meant(condition, words)


@given(VALUES, VALUES)
def test_versions_are_ordered_totally_and_words_not_at_all(left: str, right: str) -> None:
    relations = [compares(operator, left, right) for operator in ("<", "==", ">")]
    try:
        Version(left), Version(right)
    except ValueError:
        assert not relations[0]
        assert not relations[2]
    else:
        assert sum(relations) == 1
