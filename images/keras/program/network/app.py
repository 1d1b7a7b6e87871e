"""The two answers of a serving container, as a WSGI application: `/ping` and `/invocations`.

Source: "Use your own inference code with hosting services" of SageMaker's developer guide.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from network.cuda import cuda_state
from network.images import PIXELS, DataError, parse_csv, parse_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

__all__ = ["MODEL_FILE", "Model", "application", "load_model"]

MODEL_FILE = "model.keras"
MODEL_FOLDER = Path("/opt/ml/model")
LARGEST_BODY_BYTES = 25 * 1024 * 1024  # the largest that a real-time endpoint hands on
CSV = "text/csv"
JSON = "application/json"


@dataclass(frozen=True)
class Model:
    """The network, and what there is to say of CUDA."""

    network: keras.Model
    cuda: str

    @classmethod
    def load(cls, folder: Path) -> Model:
        """Load the model that `train` wrote, and predict once: the first time takes long.

        Raises:
            FileNotFoundError: There is none.
        """
        path = folder / MODEL_FILE
        if not path.is_file():
            message = f"there is no model: '{path}' does not exist"
            raise FileNotFoundError(message)
        model = cls(keras.models.load_model(path), cuda_state())
        model.predict(np.zeros((1, PIXELS), np.float32))
        return model

    def predict(self, images: NDArray[np.float32]) -> list[int]:
        """Return the digit that each image shows."""
        likelihoods = self.network.predict_on_batch(images.reshape(-1, 8, 8, 1))
        return [int(digit) for digit in np.asarray(likelihoods).argmax(axis=1)]


@dataclass(frozen=True)
class Refusal(Exception):  # noqa: N818 - it is an answer, not an error of ours
    """An answer other than 200, and the sentence that says why."""

    status: HTTPStatus
    reason: str


_loaded: list[Model] = []


def load_model() -> None:
    """Load the model that all requests use; until then `/ping` says 503."""
    _loaded[:] = [Model.load(MODEL_FOLDER)]


def application(
    environ: dict[str, Any], start_response: Callable[[str, list[tuple[str, str]]], object]
) -> Iterable[bytes]:
    """Answer a request."""
    try:
        status, body = HTTPStatus.OK, _answer(environ)
    except Refusal as refusal:
        status, body = refusal.status, json.dumps({"error": refusal.reason}).encode()
    headers = [("Content-Type", JSON), ("Content-Length", str(len(body)))]
    start_response(f"{status.value} {status.phrase}", headers)
    return [body]


def _answer(environ: dict[str, Any]) -> bytes:
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    methods = {"/ping": "GET", "/invocations": "POST"}
    if path not in methods:
        raise Refusal(HTTPStatus.NOT_FOUND, f"'{path}' is neither /ping nor /invocations")
    if method != methods[path]:
        raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, f"{path} takes {methods[path]}")
    if not _loaded:
        raise Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the model is not loaded")
    return b"" if path == "/ping" else _invoke(environ, _loaded[0])


def _invoke(environ: dict[str, Any], model: Model) -> bytes:
    """Answer with the digits; a question in JSON also gets what there is to say of CUDA."""
    given = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    if given not in {CSV, JSON}:
        reason = f"the content type '{given}' is neither {CSV} nor {JSON}"
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, reason)
    body = environ["wsgi.input"].read(LARGEST_BODY_BYTES + 1)
    if len(body) > LARGEST_BODY_BYTES:
        reason = f"a body has at most {LARGEST_BODY_BYTES} bytes"
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason)
    try:
        images = parse_csv(body) if given == CSV else parse_json(body)
    except DataError as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, str(error)) from error
    digits = model.predict(images)
    answer = digits if given == CSV else {"predictions": digits, "cuda": model.cuda}
    return json.dumps(answer).encode()
