"""Hyperparameters, which are all text, as values of the types that a dataclass says.

SageMaker hands on strings; SDKs write JSON into them, some of it twice: ``5``, ``"5"``, ``[1, 2]``.
"""

from __future__ import annotations

import json
import math
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

__all__ = ["decode", "name_of_type", "typed"]

_SETS = {set: set, frozenset: frozenset}


def decode(text: str) -> Any:
    """Return the value of a hyperparameter: of JSON what it says, else the text.

    >>> decode("128"), decode('"train.py"'), decode("adam"), decode("NaN"), decode("1e999")
    (128, 'train.py', 'adam', 'NaN', '1e999')
    """
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError):
        return text


def typed(text: str, kind: Any) -> Any:  # noqa: PLR0911 - a line for each form
    """Return the value of a type that a text means.

    >>> typed("0.5", float | None), typed("null", int | None), typed("[1, 2]", tuple[int, ...])
    (0.5, None, (1, 2))

    Raises:
        ValueError: It means none.
        TypeError: The type is none that a hyperparameter can have.
    """
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _first(text, get_args(kind))
    value = decode(text)
    if kind is str:
        return value if isinstance(value, str) else text
    if kind is bool:
        return _truth(text)
    if kind is Path:
        return Path(value if isinstance(value, str) else text)
    if origin is Literal or (isinstance(kind, type) and issubclass(kind, Enum)):
        return _one_of(text, value, kind)
    if isinstance(value, str) and kind is not Any:
        value = decode(value)  # a number in quotes, as the SDK writes it
        if kind is float and isinstance(value, str):
            return float(value)  # nan and inf, which JSON has not
    return _fitting(value, kind)


def name_of_type(kind: Any) -> str:
    """Return how a type is written."""
    if isinstance(kind, type) and not get_args(kind):
        return kind.__name__
    return str(kind).replace("typing.", "")


def _first(text: str, kinds: tuple[Any, ...]) -> Any:
    """Return the value of the first type that fits; nothing goes before text, and text comes last."""
    if NoneType in kinds and text in {"null", "None"}:
        return None
    for kind in sorted(kinds, key=lambda one: one is str):
        if kind is not NoneType:
            try:
                return typed(text, kind)
            except ValueError:
                continue
    raise ValueError


def _truth(text: str) -> bool:
    word = text.strip('"').lower()
    if word not in {"true", "false"}:
        raise ValueError
    return word == "true"


def _one_of(text: str, value: Any, kind: Any) -> Any:
    is_enum = get_origin(kind) is not Literal
    for option in kind if is_enum else get_args(kind):
        wanted = option.value if is_enum else option
        if text == str(wanted) or (value == wanted and type(value) is type(wanted)):
            return option
    raise ValueError


def _fitting(value: Any, kind: Any) -> Any:  # noqa: PLR0911 - a line for each form
    """Return a value of JSON as a type has it."""
    origin, inner = get_origin(kind) or kind, get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, UnionType, Literal):
        return typed(json.dumps(value), kind)
    if origin is list or origin in _SETS:
        items = _items(value, (*inner, Any)[0])
        return items if origin is list else _SETS[origin](items)
    if origin is tuple:
        return _tuple(value, inner)
    if origin is dict:
        if not isinstance(value, dict):
            raise ValueError
        _, of_values = inner or (str, Any)
        return {key: _fitting(one, of_values) for key, one in value.items()}
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind not in (bool, float, int, str, NoneType):
        message = f"a hyperparameter can't be of the type '{name_of_type(kind)}'"
        raise TypeError(message)
    if type(value) is not kind:
        raise ValueError  # as above
    return value


def _items(value: Any, kind: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError  # noqa: TRY004 - as above
    return [_fitting(one, kind) for one in value]


def _tuple(value: Any, inner: tuple[Any, ...]) -> tuple[Any, ...]:
    if not inner or inner[1:] == (...,):
        return tuple(_items(value, (*inner, Any)[0]))
    if not isinstance(value, list) or len(value) != len(inner):
        raise ValueError
    return tuple(_fitting(one, kind) for one, kind in zip(value, inner, strict=True))


def _no_constant(name: str) -> Any:
    message = f"{name} is not JSON"
    raise ValueError(message)


def _finite(text: str) -> float:
    """Return a number, which JSON could not hold if it were infinite."""
    value = float(text)
    if math.isinf(value):
        message = f"{text} is too big"
        raise ValueError(message)
    return value
