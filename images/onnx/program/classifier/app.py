"""The two answers of a serving container, as a WSGI application: `/ping` and `/invocations`.

Source: "Use your own inference code with hosting services" of SageMaker's developer guide.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnxruntime

from classifier.device import WORKS, cuda_provider
from classifier.images import DataError, parse_csv, parse_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["MODEL_FILE", "Model", "application", "load_model"]

MODEL_FILE = "model.onnx"
MODEL_FOLDER = Path("/opt/ml/model")
LARGEST_BODY_BYTES = 25 * 1024 * 1024  # the largest that a real-time endpoint hands on
CSV = "text/csv"
JSON = "application/json"


@dataclass(frozen=True)
class Model:
    """A session, and what there is to say of CUDA; threads may share it."""

    session: onnxruntime.InferenceSession
    cuda: str

    @classmethod
    def load(cls, folder: Path) -> Model:
        """Load the model that `train` wrote, on a GPU where there is one.

        Raises:
            FileNotFoundError: There is none.
        """
        path = folder / MODEL_FILE
        if not path.is_file():
            message = f"there is no model: '{path}' does not exist"
            raise FileNotFoundError(message)
        cuda = cuda_provider()
        providers = ["CPUExecutionProvider"]
        if cuda == WORKS:
            providers.insert(0, "CUDAExecutionProvider")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # there is a worker for each CPU already
        return cls(onnxruntime.InferenceSession(str(path), options, providers=providers), cuda)

    def predict(self, images: NDArray[np.float32]) -> list[int]:
        """Return the digit that each image shows."""
        (digits,) = self.session.run(["label"], {"pixels": images})
        return [int(digit) for digit in digits]


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
    answer = digits if given == CSV else {"predictions": digits, "cuda_provider": model.cuda}
    return json.dumps(answer).encode()
