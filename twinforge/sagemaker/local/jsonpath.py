"""The part of JSONPath that batch transform knows, for its input and output filters. Pure.

What more than one value may match gives a list, and several names at the end of a path an object, as
in the library that the service refers to. An end of a range is not part of it, as in JSONPath; the
guide's prose says that it is, and its table that it works like ``slice()``.

Source: SageMaker developer guide, "Supported JSONPath Operators"; https://github.com/json-path/JsonPath;
what is refused: aws/aws-sdk#184 (characters), aws/sagemaker-python-sdk#1112 (several ranges).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from twinforge.errors import TwinforgeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["JsonPath", "parse_path"]

_ODD = re.compile(r"[^A-Za-z0-9$\[\]*. ,:'-]")
_SEGMENT = re.compile(r"\.?\[(?P<inside>[^\]]*)\]|\.(?P<name>[A-Za-z0-9-]+|\*)")
_NAMES = re.compile(r"'[^',]+'(?: *, *'[^',]+')*")
_PLACES = re.compile(r"-?\d+|(?:-?\d+)?:(?:-?\d+)?")


class _Segment(Protocol):
    @property
    def is_single(self) -> bool:
        """Whether there is one value below each, or none."""
        ...

    def below(self, value: Any, *, is_last: bool) -> Sequence[Any]:
        """Return the values below one.

        Raises:
            LookupError: There is none; the text says what.
        """
        ...


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A path; ``text`` is how it was written."""

    text: str
    segments: tuple[_Segment, ...]

    @property
    def is_everything(self) -> bool:
        """Whether it selects the whole value, as ``$`` does."""
        return not self.segments

    @property
    def has_end(self) -> bool:
        """Whether a range in it names its end."""
        return any(isinstance(one, _Places) and one.has_end for one in self.segments)

    def select(self, value: Any) -> Any:
        """Return what is there.

        Raises:
            TwinforgeError: Nothing is.
        """
        found, is_single = [value], True
        last = len(self.segments) - 1
        try:
            for position, segment in enumerate(self.segments):
                found = [
                    one for above in found for one in segment.below(above, is_last=position == last)
                ]
                is_single = is_single and (
                    segment.is_single or (isinstance(segment, _Names) and position == last)
                )
        except LookupError as error:
            message = f"the filter '{self.text}' finds {error.args[0]}"
            raise TwinforgeError(message) from error
        if not found:
            message = f"the filter '{self.text}' finds nothing"
            raise TwinforgeError(message)
        return found[0] if is_single else found


def parse_path(text: str) -> JsonPath:
    """Parse a filter.

    >>> parse_path("$[0,-1]").select([7, 8, 9])
    [7, 9]
    >>> parse_path("$['id','SageMakerOutput']").select({"id": 1, "x": 2, "SageMakerOutput": 3})
    {'id': 1, 'SageMakerOutput': 3}

    Raises:
        UsageError: The service would refuse it.
    """
    if odd := _ODD.search(text):
        message = f"""the filter "{text}" holds '{odd[0]}'"""
        hint = "SageMaker takes letters, digits and $ [ ] * . , : - ' and spaces in a JSONPath"
        raise UsageError(message, hint=hint)
    if not text.startswith("$"):
        message = f'the filter "{text}" does not begin with $'
        raise UsageError(message, hint="such as $[1:] or $.features")
    segments: list[_Segment] = []
    place = 1
    while place < len(text):
        found = _SEGMENT.match(text, place)
        segment = _segment(found, text) if found else None
        if found is None or segment is None:
            message = f'the filter "{text}" is not understood from "{text[place:]}" on'
            hint = "SageMaker knows .name, *, ['name','other'], [0,2,-1] and [1:5]"
            raise UsageError(message, hint=hint)
        segments.append(segment)
        place = found.end()
    return JsonPath(text, tuple(segments))


def _segment(found: re.Match[str], text: str) -> _Segment | None:
    name, inside = found["name"], (found["inside"] or "").strip()
    if name == "*" or inside == "*":
        return _All()
    if name:
        return _Names((name,))
    if _NAMES.fullmatch(inside):
        return _Names(tuple(one.strip().strip("'") for one in inside.split(",")))
    places = [one.strip() for one in inside.split(",")]
    if not all(_PLACES.fullmatch(one) for one in places):
        return None
    if sum(":" in one for one in places) > 1:
        message = (
            f'invalid JsonPath "{text}": only single range filters of format (eg: [1:5]) are '
            f"supported. Format [{inside}] is not supported"
        )
        raise UsageError(message)
    return _Places(tuple(_place(one) for one in places))


def _place(text: str) -> int | slice:
    if ":" not in text:
        return int(text)
    start, _, end = text.partition(":")
    return slice(int(start) if start else None, int(end) if end else None)


@dataclass(frozen=True, slots=True)
class _Names:
    names: tuple[str, ...]

    @property
    def is_single(self) -> bool:
        return len(self.names) == 1

    def below(self, value: Any, *, is_last: bool) -> Sequence[Any]:
        for name in self.names:
            if not isinstance(value, dict) or name not in value:
                kind = "an object" if isinstance(value, dict) else "no object"
                message = f"no attribute '{name}' in what is {kind}"
                raise LookupError(message)
        found = {name: value[name] for name in self.names}
        return [found] if is_last and not self.is_single else list(found.values())


@dataclass(frozen=True, slots=True)
class _All:
    is_single: bool = False

    def below(self, value: Any, *, is_last: bool) -> Sequence[Any]:
        del is_last
        if isinstance(value, dict):
            return list(value.values())
        return value if isinstance(value, list) else []


@dataclass(frozen=True, slots=True)
class _Places:
    places: tuple[int | slice, ...]

    @property
    def is_single(self) -> bool:
        return len(self.places) == 1 and isinstance(self.places[0], int)

    @property
    def has_end(self) -> bool:
        return any(isinstance(one, slice) and one.stop is not None for one in self.places)

    def below(self, value: Any, *, is_last: bool) -> Sequence[Any]:
        del is_last
        if not isinstance(value, list):
            message = "no list to take an index of"
            raise LookupError(message)  # noqa: TRY004 - of data, not of a program
        found: list[Any] = []
        for place in self.places:
            if isinstance(place, slice):
                found += value[place]
            elif -len(value) <= place < len(value):
                found.append(value[place])
            else:
                message = f"no index {place} in {len(value)} elements"
                raise LookupError(message)
        return found
