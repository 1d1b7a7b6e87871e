from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any, Literal, Optional, Union

import pytest

from twinforge.runtime.typed import name_of_type, typed


class Solver(Enum):
    FAST = "fast"
    EXACT = 2


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("5", int | None, 5),
        ("null", int | None, None),
        ("None", Optional[float], None),  # noqa: UP045 - as older trainers write it
        ('"0.5"', Union[float, None], 0.5),  # noqa: UP007 - as above
        ("auto", int | str, "auto"),
        ("7", str | int, 7),
        ("null", str | None, None),
        ("gini", Literal["gini", "entropy"], "gini"),
        ('"gini"', Literal["gini", "entropy"], "gini"),
        ("2", Literal[1, 2], 2),
        ("fast", Solver, Solver.FAST),
        ("2", Solver, Solver.EXACT),
        ('"models/a"', Path, Path("models/a")),
        ("[64, 32]", tuple[int, ...], (64, 32)),
        ('["a", 1]', tuple[str, int], ("a", 1)),
        ("[1, 2.5]", list[float], [1.0, 2.5]),
        ('"[1, 2]"', list[int], [1, 2]),
        ("[1, null]", list[int | None], [1, None]),
        ('["a", "a"]', set[str], {"a"}),
        ("[[1], []]", list[list[int]], [[1], []]),
        ('{"a": 1}', dict[str, float], {"a": 1.0}),
        ('{"a": 1}', dict, {"a": 1}),
        ("[1]", Any, [1]),
        ("[1]", list, [1]),
    ],
)
def test_a_text_means_a_value_of_its_type(text: str, kind: Any, value: object) -> None:
    found = typed(text, kind)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("many", int | None),
        ("none", Literal["gini"]),
        ("1", Literal[True]),
        ("3", Solver),
        ("[1]", tuple[int, int]),
        ('["a"]', list[int]),
        ("[true]", list[int]),
        ('{"a": "b"}', dict[str, int]),
        ("{}", list[int]),
        ("[]", dict[str, int]),
        ("1", list),
    ],
)
def test_a_text_that_means_none_is_refused(text: str, kind: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whoever asks names the hyperparameter
        typed(text, kind)


def test_a_type_that_no_hyperparameter_has_is_a_mistake_of_the_program() -> None:
    with pytest.raises(TypeError, match="can't be of the type 'bytes'"):
        typed("x", bytes)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (int, "int"),
        (list[int], "list[int]"),
        (Literal["a"], "Literal['a']"),
        (int | None, "int | None"),
    ],
)
def test_a_type_is_named_as_it_is_written(kind: Any, name: str) -> None:
    assert name_of_type(kind) == name
