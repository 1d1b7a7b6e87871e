"""AWS's JSON protocols over loopback, held to botocore's service models in both directions.

A request that AWS would refuse by its form is refused with ``ValidationException``; an answer that
does not follow the model is a mistake of the fake, and breaks the test as a status 500.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Protocol

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, StringShape, StructureShape
from botocore.validate import ParamValidator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from botocore.model import Shape

INVOCATION = re.compile(r"/endpoints/(?P<name>[^/]+)/(?P<is_async>async-)?invocations")
TARGETS = {"SageMaker": "sagemaker", "Logs_20140328": "logs"}


class RefusedError(Exception):
    """What the service answers instead of a result."""

    def __init__(
        self, *, code: str, said: str, status: int = 400, more: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(said)
        self.code = code
        self.status = status
        self.more = dict(more or {})


@dataclass(frozen=True, slots=True)
class Invoked:
    """A container's answer to an invocation."""

    body: bytes
    content_type: str
    variant: str


@dataclass(frozen=True, slots=True)
class Taken:
    """An asynchronous invocation that was taken: its id, and where its outcome will be."""

    id: str
    output: str
    failure: str


class Backend(Protocol):
    """What the wire brings requests to."""

    def handle(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Answer a request of the control plane or of the logs."""
        ...

    def invoke(self, endpoint: str, headers: Mapping[str, str], body: bytes) -> Invoked:
        """Answer an invocation."""
        ...

    def take(self, endpoint: str, headers: Mapping[str, str], source: str) -> Taken:
        """Take an asynchronous invocation of what is at an S3 address."""
        ...


@dataclass
class Wire:
    """A server that speaks for a backend; ``mistakes`` are answers that no service would give."""

    url: str
    mistakes: list[str] = field(default_factory=list)


@cache
def model(service: str) -> ServiceModel:
    loader = Loader(
        extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False
    )
    return ServiceModel(loader.load_service_model(service, "service-2"), service)


def problems(shape: Shape | None, value: Any) -> list[str]:
    """What is wrong with a value by its shape: names, types, bounds, enumerations, patterns."""
    if shape is None:
        return [] if not value else ["nothing is expected"]
    report = ParamValidator().validate(value, shape)
    return [
        *(report.generate_report().splitlines() if report.has_errors() else []),
        *walk(shape, value),
    ]


def walk(shape: Shape, value: Any) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        for name, inner in shape.members.items():
            if name in value:
                yield from walk(inner, value[name])
    elif isinstance(shape, ListShape):
        for item in value:
            yield from walk(shape.member, item)
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            yield from walk(shape.key, key)
            yield from walk(shape.value, item)
    elif isinstance(shape, StringShape) and isinstance(value, str):
        yield from text_problems(shape, value)


def text_problems(shape: StringShape, value: str) -> Iterator[str]:
    if shape.enum and value not in shape.enum:
        yield f"'{value}' is none of {shape.name}"
    if len(value) > int(shape.metadata.get("max", len(value))):
        yield f"'{value}' is too long for {shape.name}"
    pattern = shape.metadata.get("pattern", "")
    is_java = r"\p" in pattern or "&&" in pattern  # of what Python's expressions have not
    if pattern and not is_java and not re.fullmatch(pattern, value, re.DOTALL):
        yield f"'{value}' does not match {shape.name}"


class Server(ThreadingHTTPServer):
    """A server that brings requests to a backend, those that change state one at a time."""

    daemon_threads = True
    block_on_close = False  # boto3 keeps its connections open

    def __init__(self, backend: Backend, wire: Wire) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.backend = backend
        self.wire = wire
        self.lock = threading.Lock()

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # a client that was interrupted
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Knows the control plane's one address and the runtime's."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            if found := INVOCATION.fullmatch(self.path):
                (self._take if found["is_async"] else self._invoke)(found["name"], body)
            else:
                kind = {"Content-Type": "application/x-amz-json-1.1"}
                self._send(200, self._operate(body), kind)
        except RefusedError as error:
            told = {"__type": error.code, "message": str(error), **error.more}
            headers = {"x-amzn-ErrorType": error.code, "Content-Type": "application/json"}
            self._send(error.status, json.dumps(told).encode(), headers)

    def _invoke(self, endpoint: str, body: bytes) -> None:
        answer = self.server.backend.invoke(endpoint, dict(self.headers), body)
        headers = {
            "Content-Type": answer.content_type,
            "x-Amzn-Invoked-Production-Variant": answer.variant,
        }
        self._send(200, answer.body, headers)

    def _take(self, endpoint: str, body: bytes) -> None:
        assert not body
        source = self.headers["X-Amzn-SageMaker-InputLocation"]
        taken = self.server.backend.take(endpoint, dict(self.headers), source)
        headers = {
            "Content-Type": "application/json",
            "X-Amzn-SageMaker-OutputLocation": taken.output,
            "X-Amzn-SageMaker-FailureLocation": taken.failure,
        }
        self._send(202, json.dumps({"InferenceId": taken.id}).encode(), headers)

    def _operate(self, body: bytes) -> bytes:
        prefix, _, operation = self.headers["X-Amz-Target"].partition(".")
        shapes = model(TARGETS[prefix]).operation_model(operation)
        parameters = json.loads(body or b"{}")
        if wrong := problems(shapes.input_shape, parameters):
            said = f"{operation}: {'; '.join(wrong)}"
            raise RefusedError(code="ValidationException", said=said)
        with self.server.lock:
            answer = self.server.backend.handle(operation, parameters)
        if wrong := problems(shapes.output_shape, answer):
            said = f"{operation}: {'; '.join(wrong)}"
            self.server.wire.mistakes.append(said)
            raise RefusedError(code="InternalFailure", said=said, status=500)
        return json.dumps(answer, default=datetime.timestamp).encode()

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its own name
        pass


@contextmanager
def serving(backend: Backend) -> Iterator[Wire]:
    """Serve a backend on a free loopback port."""
    wire = Wire("")
    server = Server(backend, wire)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    wire.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield wire
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
