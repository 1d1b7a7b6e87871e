"""`/ping` and `/invocations` as a WSGI application: a picture in, the digit that it shows out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from features import features
from sklearn.neighbors import KNeighborsClassifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["application"]

LARGEST_BODY_BYTES = 25 * 1024 * 1024  # the largest that a real-time endpoint hands on
_saved = np.load("/opt/ml/model/model.npz")
MODEL = KNeighborsClassifier(int(_saved["neighbours"])).fit(_saved["rows"], _saved["labels"])


def application(
    environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]
) -> Iterable[bytes]:
    """Answer a request."""
    status, answer = "404 Not Found", {"error": "only /ping and /invocations are here"}
    if environ["PATH_INFO"] == "/ping":
        status, answer = "200 OK", {}
    elif environ["PATH_INFO"] == "/invocations":
        status, answer = _predict(environ)
    body = json.dumps(answer).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start_response(status, headers)
    return [body]


def _predict(environ: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    if environ["REQUEST_METHOD"] != "POST":
        return "405 Method Not Allowed", {"error": "/invocations takes POST"}
    if environ.get("CONTENT_TYPE", "") not in {"image/png", "image/jpeg"}:
        return "415 Unsupported Media Type", {"error": "pictures are image/png or image/jpeg"}
    body = environ["wsgi.input"].read(LARGEST_BODY_BYTES + 1)
    if len(body) > LARGEST_BODY_BYTES:
        return "413 Content Too Large", {"error": f"{LARGEST_BODY_BYTES} bytes are the most"}
    encoded = np.frombuffer(body, dtype=np.uint8)
    picture = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE) if encoded.size else None
    if picture is None:
        return "400 Bad Request", {"error": "the body is no picture that OpenCV can read"}
    (digit,) = MODEL.predict([features(picture)])
    return "200 OK", {"digit": int(digit), "opencv": cv2.__version__}
