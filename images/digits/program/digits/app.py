"""The two answers of a serving container, as a WSGI application: `/ping` and `/invocations`.

Source: "Use your own inference code with hosting services" of SageMaker's developer guide.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digits.images import DataError, parse_csv, parse_json
from digits.model import Model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import BinaryIO

__all__ = ["application", "load_model"]

MODEL_FOLDER = Path("/opt/ml/model")
LARGEST_BODY_BYTES = 25 * 1024 * 1024  # the largest that a real-time endpoint hands on
CSV = "text/csv"
JSON = "application/json"
PARSERS = {CSV: parse_csv, JSON: parse_json}

_loaded: list[Model] = []


@dataclass(frozen=True)
class Refusal(Exception):  # noqa: N818 - it is an answer, not an error of ours
    """An answer other than 200, and the sentence that says why."""

    status: HTTPStatus
    reason: str
    headers: tuple[tuple[str, str], ...] = ()


def load_model() -> None:
    """Load the model that all requests use; until then `/ping` says 503."""
    _loaded[:] = [Model.load(MODEL_FOLDER)]


def application(
    environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]
) -> Iterable[bytes]:
    """Answer a request."""
    headers: tuple[tuple[str, str], ...] = ()
    try:
        status, kind, body = _answer(environ)
    except Refusal as refusal:
        status, kind, headers = refusal.status, JSON, refusal.headers
        body = json.dumps({"error": refusal.reason}).encode()
    length = ("Content-Length", str(len(body)))
    start_response(f"{status.value} {status.phrase}", [("Content-Type", kind), length, *headers])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def _answer(environ: dict[str, Any]) -> tuple[HTTPStatus, str, bytes]:
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    methods = {"/ping": "GET", "/invocations": "POST"}
    if path not in methods:
        raise Refusal(HTTPStatus.NOT_FOUND, f"'{path}' is neither /ping nor /invocations")
    if method != methods[path]:
        allowed = methods[path]
        raise Refusal(
            HTTPStatus.METHOD_NOT_ALLOWED, f"{path} takes {allowed}", (("Allow", allowed),)
        )
    if not _loaded:
        raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the model is not loaded")
    if path == "/ping":
        return HTTPStatus.OK, JSON, b""
    return _invoke(environ, _loaded[0])


def _invoke(environ: dict[str, Any], model: Model) -> tuple[HTTPStatus, str, bytes]:
    given = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if given not in PARSERS:
        raise Refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"the content type '{given}' is not one of {', '.join(PARSERS)}",
        )
    wanted = _negotiate(environ.get("HTTP_ACCEPT", ""))
    body = _read_body(environ["wsgi.input"])
    try:
        images = PARSERS[given](io.BytesIO(body))
    except DataError as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, str(error)) from error
    digits = model.predict(images)
    if wanted == CSV:
        return HTTPStatus.OK, CSV, "".join(f"{digit}\n" for digit in digits).encode()
    return HTTPStatus.OK, JSON, json.dumps(digits).encode()


def _read_body(stream: BinaryIO) -> bytes:
    body = stream.read(LARGEST_BODY_BYTES + 1)
    if len(body) <= LARGEST_BODY_BYTES:
        return body
    while stream.read(1024 * 1024):  # what stays unread would end the connection
        pass
    raise Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has at most {LARGEST_BODY_BYTES} bytes"
    )


def _negotiate(accept: str) -> str:
    """Return the content type of the answer that an Accept header prefers; ours is JSON."""
    ranges = []
    for position, part in enumerate(accept.split(",")):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
        if quality > 0:
            ranges.append((-quality, position, kind or "*/*"))
    for _, _, kind in sorted(ranges):
        if kind in ("*/*", "application/*", JSON):
            return JSON
        if kind in ("text/*", CSV):
            return CSV
    raise Refusal(
        HTTPStatus.NOT_ACCEPTABLE, f"answers are {JSON} or {CSV}, and '{accept}' takes neither"
    )
