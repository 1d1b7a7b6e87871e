"""A user's predictor, and one request through it: parse, predict, format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from twinforge.runtime import media
from twinforge.runtime.interface import Answer, UnsupportedInput
from twinforge.runtime.sources import SourceError, function_of, load_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from twinforge.runtime.interface import Context, Format, Load, Parse, Predict

__all__ = ["Predictor", "Stream", "contained", "load_predictor"]

T = TypeVar("T")

_WHAT = "predictor"


@dataclass(frozen=True)
class Stream:
    """An answer that comes in pieces, the first of which is there already.

    Attributes:
        first: The first piece.
        rest: Gives the others.
        content_type: Of all.
        headers: More of the answer's.
        sender: The inode of the socket of who reads it.
    """

    first: bytes
    rest: Iterator[Any]
    content_type: str
    headers: tuple[tuple[str, str], ...] = ()
    sender: int = 0


@dataclass(frozen=True)
class Predictor:
    """What a user's file defines.

    Attributes:
        load: Makes a model of a folder.
        predict: Answers.
        parse: Reads bodies in the runtime's place, or None.
        format: Writes answers in the runtime's place, or None.
        healthy: Says whether ``/ping`` may say 200, or None.
        content_types: What is read; all types where the user parses and names none.
        answer_types: What is written, the preferred one first.
    """

    load: Load
    predict: Predict
    parse: Parse | None
    format: Format | None
    healthy: Callable[[], bool] | None
    content_types: tuple[str, ...]
    answer_types: tuple[str, ...]

    def answer(self, body: bytes, charset: str, context: Context) -> Answer | Stream:
        """Return the answer to one request.

        Raises:
            InvalidInput: The body is not what it should be.
            UnsupportedInput: The predictor does not read this content type.
            Exception: Whatever the user's code raises.
        """
        if self.parse is not None:
            data = self.parse(body, context)
        else:
            packed = context.headers.get("content-encoding", "identity").strip().lower()
            if packed not in ("", "identity"):
                message = f"the body is packed as '{packed}', and needs a parse() that unpacks it"
                raise UnsupportedInput(message)
            data = media.parse_body(body, context.content_type, charset=charset)
        result = self.predict(data, context)
        if isinstance(result, Iterator):
            return _stream(result, context)
        return self._formatted(result, context)

    def _formatted(self, result: Any, context: Context) -> Answer:
        if isinstance(result, Answer):
            return result
        if self.format is not None:
            result = self.format(result, context)
            if isinstance(result, Answer):
                return result
            if isinstance(result, str):
                return Answer(result.encode(), context.accept)
            if isinstance(result, (bytes, bytearray, memoryview)):
                return Answer(bytes(result), context.accept)
            message = f"format() returned {type(result).__name__}, not bytes, str or an Answer"
            raise TypeError(message)
        if isinstance(result, (bytes, bytearray, memoryview)):
            is_named = context.accept not in media.answer_types()
            return Answer(bytes(result), context.accept if is_named else media.BYTES)
        return Answer(media.format_body(result, context.accept), context.accept)


def contained(function: Callable[..., T], *arguments: object) -> T:
    """Call the user's code; what would end a thread, a task or the process ends nothing but this."""
    try:
        return function(*arguments)
    except Exception as error:
        if not isinstance(error, StopIteration):  # which no future can hold
            raise
        cause: BaseException = error
    except BaseException as error:  # noqa: BLE001 - SystemExit, CancelledError, one of the user's
        cause = error
    message = f"the predictor raised {type(cause).__name__}"
    raise RuntimeError(message) from cause


def load_predictor(path: str) -> Predictor:
    """Import a predictor's file, which imports its framework.

    Raises:
        SourceError: It is not there, or lacks ``load`` or ``predict``.
        Exception: Whatever the user's code raises.
    """
    module = load_source(path, _WHAT)
    parse = function_of(module, "parse", _WHAT, is_optional=True)
    return Predictor(
        load=function_of(module, "load", _WHAT),
        predict=function_of(module, "predict", _WHAT),
        parse=parse,
        format=function_of(module, "format", _WHAT, is_optional=True),
        healthy=function_of(module, "healthy", _WHAT, is_optional=True),
        content_types=_types(
            module, "CONTENT_TYPES", ("*/*",) if parse else media.readable_types()
        ),
        answer_types=_types(module, "ANSWER_TYPES", media.answer_types()),
    )


def _types(module: ModuleType, name: str, default: tuple[str, ...]) -> tuple[str, ...]:
    given = getattr(module, name, None)
    if given is None:
        return default
    if isinstance(given, str) or not given or not all(isinstance(one, str) for one in given):
        message = f"{name} of the predictor '{module.__file__}' is not a list of media types"
        raise SourceError(message)
    return tuple(media.main_type(one) for one in given)


def _stream(result: Iterator[Any], context: Context) -> Stream:
    """Take the first piece, so that what fails at once is still an answer with a status."""
    first = next(result, b"")
    if not isinstance(first, (bytes, bytearray, memoryview, str)):
        kind = media.JSON_LINES
    elif context.accept not in media.answer_types():
        kind = context.accept
    else:
        kind = media.TEXT if isinstance(first, str) else media.BYTES
    return Stream(media.format_item(first), result, kind)
