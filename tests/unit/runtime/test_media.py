from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinforge.runtime.interface import InvalidInput
from twinforge.runtime.media import (
    CSV,
    JSON,
    JSON_LINES,
    NPY,
    answer_types,
    choose_type,
    format_body,
    format_item,
    is_readable,
    main_type,
    parse_body,
    readable_types,
)

OFFERED = (JSON, JSON_LINES, CSV)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("text/csv", CSV),
        ("TEXT/CSV; charset=utf-8", CSV),
        ("text/*", CSV),
        ("text/csv;q=0.4, application/json;q=0.5", JSON),
        ("text/csv, application/json", JSON),
        ("application/json;q=0, */*", JSON_LINES),
        ("application/*;q=0.2, text/csv;q=0.1", JSON),
        ("application/x-jsonlines", JSON_LINES),
        ("image/png", ""),
        ("application/json;q=0", ""),
        ("application/json;q=x", ""),
        (",", JSON),
        ('application/json;profile="x;q=0, */*"', JSON),
        (r'text/csv;a="\"",application/json;q=0.5', CSV),
    ],
)
def test_the_type_that_is_wanted_most_is_chosen(accept: str, chosen: str) -> None:
    assert choose_type(accept, OFFERED) == chosen


def test_a_quality_beyond_1_is_1() -> None:
    assert choose_type("text/csv;q=7, application/json", OFFERED) == JSON


@given(st.text())
def test_no_accept_header_is_an_error(accept: str) -> None:
    assert choose_type(accept, OFFERED) in {"", *OFFERED}


@pytest.mark.parametrize(
    ("kind", "allowed", "answer"),
    [
        ("image/png", ("image/*",), True),
        ("imagery/png", ("image/*",), False),
        ("text/csv", ("text/csv",), True),
        ("text/csv", ("*/*",), True),
        ("", ("*/*",), True),
        ("", ("text/csv",), False),
    ],
)
def test_a_family_allows_its_members(kind: str, allowed: tuple[str, ...], *, answer: bool) -> None:
    assert is_readable(kind, allowed) is answer


def test_other_names_of_json_lines_are_one() -> None:
    names = ("application/jsonl", "application/x-ndjson", "application/x-jsonlines; x=1")
    assert {main_type(name) for name in names} == {JSON_LINES}


def test_arrays_are_read_and_written_only_where_numpy_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert NPY in readable_types()
    assert NPY in answer_types()
    monkeypatch.setattr("twinforge.runtime.media.find_spec", lambda _: None)
    assert NPY not in readable_types()
    assert NPY not in answer_types()


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (b"\xef\xbb\xbf1,2", [[1.0, 2.0]]),
        (b"1,2\r\n3,4", [[1.0, 2.0], [3.0, 4.0]]),
        (b"\n1\n\n", [[1.0]]),
        (b'a,"b,c"', [["a", "b,c"]]),
        (b"1, ,nan-ish", [[1.0, None, "nan-ish"]]),
        (b"1,12_34\n5,6", [[1.0, "12_34"], [5.0, 6.0]]),
        (b"a," + b"b" * 200_000, [["a", "b" * 200_000]]),
    ],
)
def test_a_cell_is_a_number_text_or_nothing(body: bytes, rows: list[Any]) -> None:
    assert parse_body(body, CSV) == rows


@given(st.lists(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1), min_size=1))
def test_rows_of_numbers_come_back_as_they_went(rows: list[list[float]]) -> None:
    assert parse_body(format_body(rows, CSV), CSV) == rows


@given(st.binary())
@pytest.mark.parametrize("kind", [JSON, JSON_LINES, CSV, NPY, "text/plain"])
def test_a_body_is_read_or_refused(kind: str, body: bytes) -> None:
    with contextlib.suppress(InvalidInput):
        parse_body(body, kind)


@pytest.mark.parametrize("charset", ["no-such-charset", "ascii", "undefined"])
def test_a_charset_that_does_not_fit_is_refused(charset: str) -> None:
    with pytest.raises(InvalidInput, match=f"not text in {charset}"):
        parse_body("é".encode(), JSON, charset=charset)


def test_json_that_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(InvalidInput):
        parse_body(b"[" * 200_000, JSON)


@pytest.mark.parametrize("kind", [CSV, JSON_LINES])
@pytest.mark.parametrize("body", [b"", b"\n", b"\r\n\r\n", b"\xef\xbb\xbf"])
def test_a_body_without_rows_is_refused(kind: str, body: bytes) -> None:
    with pytest.raises(InvalidInput, match="the body holds no rows"):
        parse_body(body, kind)


def test_a_mark_before_the_text_is_none_of_it() -> None:
    assert parse_body(b"\xef\xbb\xbf[1]", JSON) == [1]
    assert parse_body(b"\xef\xbb\xbf1\n2", JSON_LINES) == [1, 2]


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (999999999999,), }",
        "{'descr': '<f8', 'fortran_order7: False, 'shape'( (3, 3), }",
        "{'descr': '<f8', 'fortran_order': False, B'shape': (3,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
    ],
)
def test_a_header_of_an_array_that_lies_is_refused(header: str) -> None:
    body = b"\x93NUMPY\x01\x00\x76\x00" + header.ljust(117).encode() + b"\n" + bytes(72)
    with pytest.raises(InvalidInput, match="the body is not an array in NumPy's format"):
        parse_body(body, NPY)


def test_what_was_pickled_is_never_loaded() -> None:
    body = format_body([1.0], NPY).replace(b"<f8", b"|O ")
    with pytest.raises(InvalidInput):
        parse_body(body, NPY)


@dataclass(frozen=True)
class Point:
    x: float


class Frame:
    """As pandas has them."""

    def to_dict(self, orient: str) -> list[dict[str, int]]:
        assert orient == "records"
        return [{"a": 1}]


class Tensor:
    """As TensorFlow has them."""

    def numpy(self) -> Any:
        return np.array([1, 2])


@pytest.mark.parametrize(
    ("result", "value"),
    [
        (np.float32(1.5), 1.5),
        (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
        ({"p": np.array([1.0])}, {"p": [1.0]}),
        (Frame(), [{"a": 1}]),
        (Tensor(), [1, 2]),
        (Point(1.0), {"x": 1.0}),
        ({"a", "b"}, ["a", "b"]),
        (
            [float("nan"), {"x": float("inf")}, np.float64("nan"), np.array([np.nan])],
            [None, {"x": None}, None, [None]],
        ),
    ],
    ids=lambda value: str(type(value).__name__),
)
def test_answers_of_other_libraries_become_json(result: Any, value: Any) -> None:
    assert json.loads(format_body(result, JSON)) == value


def test_half_a_surrogate_pair_comes_back_as_it_came() -> None:
    body = b'["\\ud800", "\xc3\xa4", NaN]'
    assert format_body(parse_body(body, JSON), JSON) == b'["\\ud800", "\\u00e4", null]'


def test_an_answer_without_a_form_says_what_to_write() -> None:
    with pytest.raises(TypeError, match=r"'object' has no form; write a format\(\)"):
        format_body(object(), JSON)
    with pytest.raises(ValueError, match="a mapping has no form in CSV"):
        format_body([{"a": 1}], CSV)
    with pytest.raises(ValueError, match="more than two dimensions has no form in CSV"):
        format_body(np.zeros((2, 2, 2)), CSV)
    with pytest.raises(ValueError, match=r"'image/png' needs a format\(\)"):
        format_body([1], "image/png")


@pytest.mark.parametrize(
    ("result", "csv", "lines"),
    [
        (1.5, b"1.5\n", b"1.5\n"),
        ([1, 2], b"1\n2\n", b"1\n2\n"),
        (np.array([[1, 2], [3, 4]]), b"1,2\n3,4\n", b"[1, 2]\n[3, 4]\n"),
        (["a,b"], b'"a,b"\n', b'"a,b"\n'),
    ],
    ids=str,
)
def test_a_list_is_a_row_each(result: Any, csv: bytes, lines: bytes) -> None:
    assert (format_body(result, CSV), format_body(result, JSON_LINES)) == (csv, lines)


@pytest.mark.parametrize(
    ("item", "piece"),
    [(b"a", b"a"), (bytearray(b"a"), b"a"), ("é", "é".encode()), ({"a": 1}, b'{"a": 1}\n')],
)
def test_an_item_of_a_stream_is_bytes_text_or_a_line(item: Any, piece: bytes) -> None:
    assert format_item(item) == piece
