from __future__ import annotations

import pytest

from twinforge.model.recipe import PairSmoke
from twinforge.smoke.answers import Answer
from twinforge.smoke.pairing import difference

TOLERANCE = PairSmoke(absolute=1e-6, relative=1e-3)


def differ(left: bytes, right: bytes, kind: str = "application/json") -> str:
    return difference(Answer(200, kind, left), Answer(200, kind, right), TOLERANCE)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (b"[7, 0.5]", b"[7.0, 0.5001]"),
        (b'{"a": [1e-7], "b": "x"}', b'{"b": "x", "a": [0]}'),
        (b"[NaN]", b"[ NaN ]"),
        (b"0.50001,7\n", b"0.5,7.0\n"),
        (b"\xff\x00", b"\xff\x00"),
    ],
)
def test_answers_within_the_tolerance_are_the_same(left: bytes, right: bytes) -> None:
    assert differ(left, right) == ""


@pytest.mark.parametrize(
    ("left", "right", "says"),
    [
        (b"[7, 0.5]", b"[7, 0.51]", "at '/1' they say 0.5 and 0.51"),
        (b'{"a": {"b": true}}', b'{"a": {"b": 1}}', "at '/a/b' they say true and 1"),
        (b"[1, 2]", b"[1]", "at '' they say [1, 2] and [1]"),
        (b'{"a": 1}', b'{"b": 1}', """at '' they say {"a": 1} and {"b": 1}"""),
        (b"0.5,7\n", b"0.5,8\n", "at '/1' they say 7.0 and 8.0"),
        (b"\xff\x00", b"\xff\x01", "2 and 2 bytes that are no text are not the same"),
    ],
)
def test_the_first_difference_is_told(left: bytes, right: bytes, says: str) -> None:
    assert differ(left, right) == says


def test_status_and_content_type_must_be_the_same() -> None:
    good = Answer(200, "text/csv", b"1")
    assert (
        difference(good, Answer(204, "text/csv", b""), TOLERANCE) == "the statuses are 200 and 204"
    )
    assert "content types" in difference(good, Answer(200, "text/plain", b"1"), TOLERANCE)
