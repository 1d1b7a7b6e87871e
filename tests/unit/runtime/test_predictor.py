from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from twinforge.runtime.interface import Answer, Context, UnsupportedInput
from twinforge.runtime.predictor import Predictor, Stream, load_predictor
from twinforge.runtime.sources import SourceError

if TYPE_CHECKING:
    from pathlib import Path

TWO = "def load(model_dir): return model_dir\ndef predict(data, context): return data\n"


def predictor_of(folder: Path, source: str) -> Predictor:
    path = folder / "predictor.py"
    path.write_text(source)
    return load_predictor(str(path))


def answer(
    predictor: Predictor, body: bytes, kind: str = "application/json", accept: str = ""
) -> Any:
    accept = accept or predictor.answer_types[0]
    return predictor.answer(body, "utf-8", Context(None, kind, accept))


def test_two_functions_are_enough(tmp_path: Path) -> None:
    predictor = predictor_of(tmp_path, TWO)
    assert predictor.load("folder") == "folder"
    assert answer(predictor, b"[1]") == Answer(b"[1]", "application/json")


def test_a_predictor_that_parses_gets_the_bytes_of_any_type(tmp_path: Path) -> None:
    source = TWO + "def parse(body, context): return [context.content_type, len(body)]\n"
    predictor = predictor_of(tmp_path, source)
    assert predictor.content_types == ("*/*",)
    assert json.loads(answer(predictor, b"{", "application/x-mine").body) == [
        "application/x-mine",
        1,
    ]


def test_a_packed_body_is_for_a_predictor_that_parses(tmp_path: Path) -> None:
    packed = Context(None, "text/csv", "application/json", headers={"content-encoding": "GZIP"})
    with pytest.raises(UnsupportedInput, match=r"packed as 'gzip', and needs a parse\(\)"):
        predictor_of(tmp_path, TWO).answer(b"1", "utf-8", packed)
    source = TWO + "def parse(body, context): return len(body)\n"
    assert predictor_of(tmp_path, source).answer(b"12", "utf-8", packed).body == b"2"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("source", "accept", "body", "kind"),
    [
        ("def format(result, context): return 'é'", "text/csv", "é".encode(), "text/csv"),
        ("def format(result, context): return b'x'", "text/csv", b"x", "text/csv"),
        (
            "from twinforge.runtime import Answer as A\ndef format(r, c): return A(b'x', 'image/png')",
            "text/csv",
            b"x",
            "image/png",
        ),
        ("def predict(data, context): return b'x'", "", b"x", "application/octet-stream"),
        (
            "ANSWER_TYPES = ['image/png']\ndef predict(data, context): return b'x'",
            "",
            b"x",
            "image/png",
        ),
    ],
)
def test_a_predictor_decides_what_its_answer_is(
    tmp_path: Path, source: str, accept: str, body: bytes, kind: str
) -> None:
    predictor = predictor_of(tmp_path, TWO + source)
    assert answer(predictor, b"1", accept=accept) == Answer(body, kind)


@pytest.mark.parametrize(
    ("source", "kind", "first"),
    [
        ("yield {'a': 1}", "application/jsonlines", b'{"a": 1}\n'),
        ("yield 'a'", "text/plain", b"a"),
        ("yield b'a'", "application/octet-stream", b"a"),
    ],
)
def test_the_first_piece_says_what_a_stream_is(
    tmp_path: Path, source: str, kind: str, first: bytes
) -> None:
    predictor = predictor_of(tmp_path, TWO + f"def predict(data, context): {source}\n")
    stream = answer(predictor, b"1")
    assert isinstance(stream, Stream)
    assert (stream.content_type, stream.first, list(stream.rest)) == (kind, first, [])


def test_a_stream_has_the_type_that_was_declared(tmp_path: Path) -> None:
    source = "ANSWER_TYPES = ('text/event-stream',)\ndef predict(data, context): yield 'data: 1'\n"
    stream = answer(predictor_of(tmp_path, TWO + source), b"1")
    assert stream.content_type == "text/event-stream"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("def load(model_dir): ...", "defines no function 'predict'"),
        ("predict = 1\ndef load(model_dir): ...", "defines no function 'predict'"),
        (TWO + "parse = 1", "defines no function 'parse'"),
        (TWO + "CONTENT_TYPES = 'text/csv'", "is not a list of media types"),
        (TWO + "ANSWER_TYPES = []", "is not a list of media types"),
    ],
)
def test_what_a_predictor_lacks_is_named(tmp_path: Path, source: str, problem: str) -> None:
    with pytest.raises(SourceError, match=problem):
        predictor_of(tmp_path, source)


def test_an_image_without_a_predictor_says_what_to_write() -> None:
    with pytest.raises(SourceError, match=r"the recipe names one under runtime\.predictor"):
        load_predictor("")
    with pytest.raises(SourceError, match=r"'/nowhere/predictor\.py' does not exist"):
        load_predictor("/nowhere/predictor.py")


def test_a_format_that_returns_something_else_is_an_error(tmp_path: Path) -> None:
    predictor = predictor_of(tmp_path, TWO + "def format(result, context): return 1\n")
    with pytest.raises(TypeError, match=r"format\(\) returned int"):
        answer(predictor, b"1")


@pytest.mark.parametrize("body", ["é", "é".encode(), bytearray("é".encode())])
def test_the_body_of_an_answer_becomes_bytes(body: Any) -> None:
    assert Answer(body).body == "é".encode()


@pytest.mark.parametrize(
    ("body", "content_type"), [({"a": 1}, "text/csv"), (None, ""), (b"", None)]
)
def test_an_answer_that_can_t_be_sent_is_none(body: Any, content_type: Any) -> None:
    with pytest.raises(TypeError, match="of an Answer is "):
        Answer(body, content_type)
