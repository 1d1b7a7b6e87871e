"""Whether the answer to an invocation is the one that the recipe asks for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jsonpointer import JsonPointer, JsonPointerException

from twinforge.errors import SmokeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from twinforge.model.recipe import Invocation

__all__ = ["Answer", "judge_answer"]

_LONGEST_QUOTE = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; ``content_type`` is without parameters."""

    status: int
    content_type: str
    body: bytes


def judge_answer(invocation: Invocation, answer: Answer, labels: Sequence[object]) -> str:
    """Return in a few words what was right about an answer.

    Args:
        invocation: What was asked, and what must come back.
        answer: What came back.
        labels: Read from the invocation's file; empty where it has none.

    Raises:
        SmokeError: It is not the answer that was asked for; the message says what differs.
    """
    if answer.status != invocation.status:
        message = f"the status is {answer.status}, not {invocation.status}: {_quote(answer.body)}"
        raise SmokeError(message)
    said = [f"status {answer.status}"]
    if invocation.accept and not _is_accepted(answer.content_type, invocation.accept):
        message = f"the answer is '{answer.content_type}', asked for was '{invocation.accept}'"
        raise SmokeError(message)
    if invocation.json or invocation.labels:
        document = _parse(answer.body)
        for pointer, wanted in invocation.json.items():
            _expect(document, pointer, wanted)
            said.append(f"{pointer} is {json.dumps(wanted)}")
        if invocation.labels:
            said.append(_expect_accuracy(document, labels, invocation.accuracy))
    return ", ".join(said)


def _parse(body: bytes) -> object:
    try:
        document: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        message = f"the answer is not JSON: {_quote(body)}"
        raise SmokeError(message) from error
    return document


def _expect(document: object, pointer: str, wanted: object) -> None:
    try:
        value = JsonPointer(pointer).resolve(document)
    except JsonPointerException as error:
        message = f"the answer has nothing at '{pointer}': {_quote(json.dumps(document).encode())}"
        raise SmokeError(message) from error
    if not _equal(value, wanted):
        found = _quote(json.dumps(value, default=repr).encode())
        message = f"'{pointer}' is {found}, not {json.dumps(wanted)}"
        raise SmokeError(message)


def _expect_accuracy(document: object, labels: Sequence[object], least: float) -> str:
    if not labels:
        message = "there are no labels to compare the answer with"
        raise SmokeError(message)
    if not isinstance(document, list) or len(document) != len(labels):
        size = f"{len(document)} values" if isinstance(document, list) else "no array"
        message = f"the answer is {size}, the labels are {len(labels)}"
        raise SmokeError(message)
    right = sum(_equal(value, label) for value, label in zip(document, labels, strict=True))
    share = right / len(labels)
    if share < least:
        message = f"{right} of {len(labels)} answers are right ({share:.3f}), asked for is {least}"
        raise SmokeError(message)
    return f"{right} of {len(labels)} right ({share:.3f})"


def _equal(value: object, wanted: object) -> bool:
    """Compare as JSON does: 7 equals 7.0, and true is not 1."""
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if isinstance(value, list) and isinstance(wanted, list):
        return len(value) == len(wanted) and all(map(_equal, value, wanted))
    if isinstance(value, dict) and isinstance(wanted, dict):
        return value.keys() == wanted.keys() and all(_equal(value[k], wanted[k]) for k in value)
    return value == wanted


def _is_accepted(content_type: str, accept: str) -> bool:
    ranges = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    group = content_type.partition("/")[0]
    return any(kind in (content_type, f"{group}/*", "*/*") for kind in ranges)


def _quote(body: bytes) -> str:
    text = body.decode(errors="replace").strip()
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}..."
