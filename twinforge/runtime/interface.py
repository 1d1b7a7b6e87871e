"""What a predictor and the runtime say to each other: types, and what a predictor may raise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Answer",
    "Context",
    "Format",
    "InvalidInput",
    "Load",
    "Parse",
    "Predict",
    "UnsupportedInput",
]


class InvalidInput(ValueError):  # noqa: N818 - it speaks of the request, which is no error of ours
    """The request can't be answered as it is: 400, with this text as the reason."""


class UnsupportedInput(ValueError):  # noqa: N818 - as above
    """The request's content type is none that the predictor reads: 415, with this text."""


@dataclass(frozen=True)
class Answer:
    """An answer whose bytes and content type the predictor decides alone; text is sent as UTF-8.

    Raises:
        TypeError: The body is neither text nor bytes, or the content type is no text.
    """

    body: bytes
    content_type: str = "application/octet-stream"

    def __post_init__(self) -> None:
        """See that it can be sent, while who made it can be told."""
        body: object = self.body  # whatever the annotation says
        if isinstance(body, str):
            object.__setattr__(self, "body", body.encode())
        elif isinstance(body, (bytearray, memoryview)):
            object.__setattr__(self, "body", bytes(body))
        elif not isinstance(body, bytes):
            message = f"the body of an Answer is {type(body).__name__}, not bytes or str"
            raise TypeError(message)
        if not isinstance(self.content_type, str):
            message = f"the content type of an Answer is {self.content_type!r}, not text"
            raise TypeError(message)


@dataclass
class Context:
    """What is known of one request, besides its data.

    Attributes:
        model: What ``load`` returned; of several models, the one that the request names.
        content_type: Of the request, lower-case and without parameters: ``text/csv``.
        accept: The media type of the answer, chosen by the Accept header.
        custom_attributes: ``X-Amzn-SageMaker-Custom-Attributes``: those of the request, until the
            predictor sets others; what stands here is sent back.
        headers: All headers of the request, names in lower case.
        model_name: In a container of several models, the name of this one; else empty.
    """

    model: Any
    content_type: str
    accept: str
    custom_attributes: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    model_name: str = ""


class Load(Protocol):
    """``load(model_dir)``: called once in each process, before the port opens."""

    def __call__(self, model_dir: str) -> Any:
        """Return the model; every request finds it in its context."""


class Predict(Protocol):
    """``predict(data, context)``: called for each request, one at a time unless threads are set."""

    def __call__(self, data: Any, context: Context) -> Any:
        """Return the answer: a value, an :class:`Answer`, or an iterator that is streamed."""


class Parse(Protocol):
    """``parse(body, context)``: instead of the runtime's own reading of a body."""

    def __call__(self, body: bytes, context: Context) -> Any:
        """Return what ``predict`` gets; raise ``InvalidInput`` or ``UnsupportedInput``."""


class Format(Protocol):
    """``format(result, context)``: instead of the runtime's own writing of an answer."""

    def __call__(self, result: Any, context: Context) -> bytes | str | Answer:
        """Return the answer's body in the media type ``context.accept``."""
