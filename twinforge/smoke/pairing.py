"""Whether two answers to the same request are the same, as far as numbers can be."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twinforge.model.recipe import PairSmoke
    from twinforge.smoke.answers import Answer

__all__ = ["difference"]

_SEPARATORS = re.compile(r"[\s,;]+")
_SHOWN = 60


def difference(left: Answer, right: Answer, tolerance: PairSmoke) -> str:
    """Return the first difference of two answers as half a sentence; empty where there is none.

    JSON is compared value by value, other text word by word, in both of which numbers may lie
    apart by the tolerance; everything else byte by byte.
    """
    if left.status != right.status:
        return f"the statuses are {left.status} and {right.status}"
    if left.content_type != right.content_type:
        return f"the content types are '{left.content_type}' and '{right.content_type}'"
    if left.body == right.body:
        return ""
    try:
        texts = left.body.decode(), right.body.decode()
    except UnicodeDecodeError:
        return f"{len(left.body)} and {len(right.body)} bytes that are no text are not the same"
    try:
        documents = tuple(json.loads(text) for text in texts)
    except (ValueError, RecursionError):
        documents = tuple(_words(text) for text in texts)
    return _differ(documents[0], documents[1], tolerance, "")


def _words(text: str) -> list[object]:
    return [_number(word) for word in _SEPARATORS.split(text.strip())]


def _number(word: str) -> object:
    try:
        return float(word)
    except ValueError:
        return word


def _differ(left: object, right: object, tolerance: PairSmoke, where: str) -> str:
    if isinstance(left, dict) and isinstance(right, dict) and left.keys() == right.keys():
        found = (_differ(left[key], right[key], tolerance, f"{where}/{key}") for key in left)
        return next(filter(None, found), "")
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        pairs = enumerate(zip(left, right, strict=True))
        found = (_differ(one, other, tolerance, f"{where}/{at}") for at, (one, other) in pairs)
        return next(filter(None, found), "")
    if _same(left, right, tolerance):
        return ""
    return f"at '{where}' they say {_show(left)} and {_show(right)}"


def _same(left: object, right: object, tolerance: PairSmoke) -> bool:
    one, other = _as_number(left), _as_number(right)
    if one is None or other is None:
        return type(left) is type(right) and left == right
    if math.isnan(one) and math.isnan(other):
        return True
    return math.isclose(one, other, rel_tol=tolerance.relative, abs_tol=tolerance.absolute)


def _as_number(value: object) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:  # JSON's integers have no end
            return None
    return None


def _show(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
