"""Media types: which one an answer gets, how a body is read, how a result is written.

Source: RFC 9110, section 12.5.1 (Accept) and 8.3 (Content-Type); RFC 4180 (CSV).
"""

from __future__ import annotations

import csv
import gc
import io
import json
import math
import re
import sys
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from twinforge.runtime.interface import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = [
    "BYTES",
    "CSV",
    "JSON",
    "JSON_LINES",
    "NPY",
    "TEXT",
    "answer_types",
    "choose_type",
    "format_body",
    "format_item",
    "is_readable",
    "main_type",
    "parse_body",
    "readable_types",
]

JSON = "application/json"
JSON_LINES = "application/jsonlines"
CSV = "text/csv"
NPY = "application/x-npy"
BYTES = "application/octet-stream"
TEXT = "text/plain"

_JSON_LINES_TOO = frozenset(
    {"application/x-jsonlines", "application/x-ndjson", "application/jsonl"}
)
_RAW = ("image/", "audio/", "video/")
_LARGE_BYTES = 1024 * 1024
_MARK = "\ufeff"
"""What some editors and spreadsheets put before text in UTF-8; it is no part of the first cell."""

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')

_NUMPY_MAGIC = b"\x93NUMPY"


def readable_types() -> tuple[str, ...]:
    """Return the media types whose bodies are read here; ``image/*`` stands for all images."""
    numpy = (NPY,) if _has_numpy() else ()
    return (JSON, JSON_LINES, CSV, *numpy, TEXT, BYTES, *(f"{kind}*" for kind in _RAW))


def answer_types() -> tuple[str, ...]:
    """Return the media types that results can be written in, the preferred one first."""
    return (JSON, JSON_LINES, CSV, *((NPY,) if _has_numpy() else ()))


@lru_cache(maxsize=256)  # callers send the same few headers over and over
def main_type(content_type: str) -> str:
    """Return a media type without its parameters, in lower case, by its usual name.

    >>> main_type("Text/CSV; charset=utf-8")
    'text/csv'
    """
    name = content_type.partition(";")[0].strip().lower()
    return JSON_LINES if name in _JSON_LINES_TOO else name


@lru_cache(maxsize=256)  # as above
def is_readable(kind: str, allowed: tuple[str, ...]) -> bool:
    """Whether a media type is one of these, where ``image/*`` allows any image."""
    return any(
        one in {kind, "*/*"} or (one.endswith("/*") and kind.startswith(one[:-1]))
        for one in allowed
    )


@lru_cache(maxsize=256)  # as above
def choose_type(accept: str, offered: tuple[str, ...]) -> str:
    """Return the media type of an answer, or an empty string where Accept takes none of them.

    Args:
        accept: The header; an empty one takes anything.
        offered: What there is, the preferred one first.
    """
    wanted = list(_ranges(accept)) or [("*/*", 1.0)]
    best, best_quality = "", 0.0
    for kind in offered:
        quality = _quality(kind, wanted)
        if quality > best_quality:
            best, best_quality = kind, quality
    return best


def parse_body(body: bytes, kind: str, *, charset: str = "utf-8") -> Any:
    """Return what a body says.

    JSON gives its value, JSON Lines a list of values, CSV a list of rows of numbers (text where a
    cell is none, None where it is empty), ``application/x-npy`` an array, ``text/plain`` text, and
    everything else its bytes.

    Raises:
        InvalidInput: The body is not what its content type says.
    """
    if kind == NPY:
        return _parse_npy(body)
    if kind not in (JSON, JSON_LINES, CSV, TEXT):
        return body
    try:
        text = body.decode(charset)
    except (UnicodeError, LookupError) as error:
        message = f"the body is not text in {charset}"
        raise InvalidInput(message) from error
    text = text.removeprefix(_MARK)
    with _collector_paused(len(body) > _LARGE_BYTES):
        if kind == JSON:
            return _parse_json(text, "the body")
        if kind == JSON_LINES:
            lines = enumerate(text.split("\n"), 1)
            rows: Any = [
                _parse_json(line, f"line {number}") for number, line in lines if line.strip()
            ]
        else:
            rows = list(_rows(text)) if kind == CSV else text
    if not rows and kind != TEXT:
        message = "the body holds no rows"
        raise InvalidInput(message)
    return rows


def format_body(result: Any, kind: str) -> bytes:
    """Return a result in a media type.

    Raises:
        ValueError: The result has no form in it.
        TypeError: It holds a value of a type that has none.
    """
    if kind == CSV:
        return _format_csv(result)
    if kind == JSON_LINES:
        values = _plain(result)
        items = values if isinstance(values, (list, tuple)) else [values]
        return b"".join(_dump(item) + b"\n" for item in items)
    if kind == NPY:
        return _format_npy(result)
    if kind == JSON:
        return _dump(result)
    message = f"an answer in '{kind}' needs a format(), or bytes from predict()"
    raise ValueError(message)


def format_item(item: Any) -> bytes:
    """Return one item of a stream: bytes and text as they are, all else as a line of JSON."""
    if isinstance(item, (bytes, bytearray, memoryview)):
        return bytes(item)
    return item.encode() if isinstance(item, str) else _dump(item) + b"\n"


@contextmanager
def _collector_paused(is_paused: bool) -> Iterator[None]:  # noqa: FBT001 - what it is named for
    """Let the collector of cycles rest: rows and values have none, and it would look at them all."""
    if not is_paused or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    for part in _QUOTED.sub("", accept).split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                try:
                    quality = min(1.0, max(0.0, float(value)))
                except ValueError:
                    quality = 0.0
        if name:
            yield (main_type(name), quality)


def _quality(kind: str, wanted: Sequence[tuple[str, float]]) -> float:
    """Return how much a type is wanted: what names it most closely decides."""
    family = f"{kind.partition('/')[0]}/*"
    for name in (kind, family, "*/*"):
        found = [quality for one, quality in wanted if one == name]
        if found:
            return max(found)
    return 0.0


def _parse_json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        message = f"{what} is not JSON: {error}"
        raise InvalidInput(message) from error
    except RecursionError as error:
        message = f"{what} is nested too deeply"
        raise InvalidInput(message) from error


def _rows(text: str) -> Iterator[list[Any]]:
    csv.field_size_limit(sys.maxsize)  # what limits a body limits its cells
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    has_names = "_" in text  # Python would take 12_34 for a number
    try:
        for row in reader:
            if not row:
                continue
            try:
                yield [_cell(cell) if has_names else float(cell) for cell in row]
            except ValueError:
                yield [_cell(cell) for cell in row]
    except csv.Error as error:
        message = f"line {reader.line_num} is not CSV: {error}"
        raise InvalidInput(message) from error


def _cell(text: str) -> float | str | None:
    if not text.strip():
        return None
    try:
        return text if "_" in text else float(text)
    except ValueError:
        return text


def _parse_npy(body: bytes) -> Any:
    import numpy as np  # noqa: PLC0415 - only where the image has it

    if not body.startswith(_NUMPY_MAGIC):
        message = "the body is not an array in NumPy's format"
        raise InvalidInput(message)
    try:
        # What was pickled would run: it is refused.
        return np.load(io.BytesIO(body), allow_pickle=False)
    except Exception as error:  # a header that lies raises whatever Python's tokenizer does, too
        message = f"the body is not an array in NumPy's format: {error}"
        raise InvalidInput(message) from error


def _format_npy(result: Any) -> bytes:
    import numpy as np  # noqa: PLC0415 - only where the image has it

    buffer = io.BytesIO()
    np.save(buffer, np.asarray(result), allow_pickle=False)
    return buffer.getvalue()


def _format_csv(result: Any) -> bytes:
    values = _plain(result)
    rows = values if isinstance(values, (list, tuple)) else [values]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for row in rows:
        if isinstance(row, dict):
            message = "a mapping has no form in CSV"
            raise ValueError(message)  # noqa: TRY004 - the type is fine, the media type is not
        cells = row if isinstance(row, (list, tuple)) else [row]
        if any(isinstance(cell, (list, tuple, dict)) for cell in cells[:1]):
            message = "what has more than two dimensions has no form in CSV"
            raise ValueError(message)
        writer.writerow(cells)
    return buffer.getvalue().encode()


def _dump(value: Any) -> bytes:
    try:
        return _ENCODER.encode(value).encode()
    except ValueError:
        # JSON has no NaN and no infinity: they become null, as in JavaScript. And half of a
        # surrogate pair, which UTF-8 has not, is one of JSON's escapes.
        return json.dumps(_finite(value), allow_nan=False).encode()


def _finite(value: Any) -> Any:
    value = value if isinstance(value, (str, int, float, list, tuple, dict)) else _plain(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value


def _plain(value: Any) -> Any:
    """Return a value in types that JSON and CSV know: arrays and scalars of any library by name."""
    if value is None or isinstance(value, (bool, int, float, str, list, tuple, dict)):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if hasattr(value, "tolist"):  # NumPy, PyTorch, JAX, pandas.Series
        return value.tolist()
    if hasattr(value, "numpy"):  # TensorFlow
        return value.numpy().tolist()
    if hasattr(value, "to_dict"):  # pandas.DataFrame
        return value.to_dict(orient="records")
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    message = f"an answer of the type '{type(value).__name__}' has no form; write a format()"
    raise TypeError(message)


def _has_numpy() -> bool:
    return find_spec("numpy") is not None


# Made once: json.dumps() makes one for every answer.
_ENCODER = json.JSONEncoder(default=_plain, allow_nan=False, ensure_ascii=False)
