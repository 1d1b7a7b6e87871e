"""The answers of a serving process.

Source: "Use your own inference code with hosting services" and "Contract for custom containers for
multi-model endpoints" of SageMaker's developer guide.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from twinforge.runtime import media
from twinforge.runtime.http import Reply, Request, names_in, only, refusal, too_large
from twinforge.runtime.interface import Context, InvalidInput, UnsupportedInput
from twinforge.runtime.logs import log, log_exception
from twinforge.runtime.multimodel import ModelError, is_out_of_memory
from twinforge.runtime.predictor import Stream, contained
from twinforge.runtime.running import GivenUp, Runner

if TYPE_CHECKING:
    from twinforge.runtime.multimodel import Models
    from twinforge.runtime.predictor import Predictor
    from twinforge.runtime.routes import Answering
    from twinforge.runtime.settings import Settings
    from twinforge.runtime.watch import Watch

__all__ = ["Application"]

_ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"
_LONGEST_ATTRIBUTES = 1024
_HEALTHY_S = 1.5
"""SageMaker gives a ping 2 s."""

_CLOSED = 499
"""What the log says of a request whose sender has gone; nobody is sent it."""

_END = object()


class Application:
    """Routes of one process.

    Args:
        predictor: The user's.
        settings: How to serve.
        watch: Where it is written down how long predictions take.
        model: What ``load`` returned, where models do not come by requests.
        models: The models that requests load, where they do.
    """

    def __init__(
        self,
        predictor: Predictor,
        settings: Settings,
        watch: Watch,
        *,
        model: Any = None,
        models: Models | None = None,
    ) -> None:
        self._predictor = predictor
        self._settings = settings
        self._model = model
        self._models = models
        self._runner = Runner(
            settings.threads, inline_s=settings.inline_s, queue=settings.queue, watch=watch
        )
        # Of its own, so that a ping does not wait behind predictions.
        self._health = ThreadPoolExecutor(1, thread_name_prefix="healthy")
        self._asked: asyncio.Future[bool] | None = None
        self.limit_bytes = settings.max_body_bytes

    def admit(self, request: Request) -> Reply | None:
        """Refuse what the headers decide; a request to the predictor gets its context."""
        try:
            self._admit(request)
        except Reply as reply:
            return reply
        except ModelError as error:
            return refusal(error.status, str(error))
        length = request.headers.get("content-length", "")
        if self.limit_bytes and length.isdecimal() and int(length) > self.limit_bytes:
            return too_large(self.limit_bytes)
        return None

    def answer(self, request: Request) -> Answering:
        """Answer a request that was admitted."""
        if request.context is not None:
            return self._invoke(request)
        if request.path == "/ping":
            return Reply(HTTPStatus.OK) if self._predictor.healthy is None else self._ping()
        if request.path == "/execution-parameters":
            return Reply(HTTPStatus.OK, json.dumps(self._settings.execution_parameters()).encode())
        assert self._models is not None  # noqa: S101 - nothing else was admitted
        try:
            return self._of_models(self._models, request)
        except ModelError as error:
            return refusal(error.status, str(error))

    async def next_piece(self, stream: Stream) -> bytes | None:
        """Return the next piece of a stream, None at its end."""
        piece = await self._runner.later(contained, next, stream.rest, _END, sender=stream.sender)
        return None if piece is _END else media.format_item(piece)

    def abandon(self, stream: Stream) -> None:
        """Let the user's generator clean up."""
        close = getattr(stream.rest, "close", None)
        if close is not None:
            asyncio.ensure_future(self._close(close, stream.sender))  # noqa: RUF006 - it may get lost

    def gives_up(self) -> bool:
        """Whether a prediction took too long, and the process must end; asked once a second."""
        return self._runner.give_up()

    def finish(self, request: Request, status: int) -> None:
        """Give the place back, and log what is to be."""
        if request.context is not None:
            self._runner.leave()
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self._log(request, status, "error")
        elif status >= HTTPStatus.BAD_REQUEST and request.path != "/ping":
            self._log(request, status, "warning")
        elif self._settings.access_log:
            self._log(request, status, "info")

    def _admit(self, request: Request) -> None:
        path, method = request.path, request.method
        if path == "/invocations":
            only(method, "POST", path)
            if self._models is not None:
                raise refusal(HTTPStatus.NOT_FOUND, "models are invoked at /models/NAME/invoke")
            self._prepare(request, self._model, "")
        elif path in {"/ping", "/execution-parameters"}:
            only(method, "GET", path)
        elif self._models is not None and path == "/models":
            only(method, "GET, POST", path)
        elif self._models is not None and path.startswith("/models/"):
            name, *rest = names_in(path)
            if not rest:
                only(method, "GET, DELETE", path)
            elif rest == ["invoke"]:
                only(method, "POST", path)
                self._prepare(request, self._models.get(name), name)
            else:
                raise refusal(HTTPStatus.NOT_FOUND, f"there is nothing at '{path}'")
        else:
            raise refusal(HTTPStatus.NOT_FOUND, f"there is nothing at '{path}'")

    def _prepare(self, request: Request, model: Any, name: str) -> None:
        """Give a request its context and its place."""
        context = self._context(request, model, name)
        if not self._runner.enter():
            message = f"{self._settings.queue} requests are waiting already"
            raise refusal(HTTPStatus.SERVICE_UNAVAILABLE, message, ("retry-after", "1"))
        request.context = context

    def _context(self, request: Request, model: Any, name: str) -> Context:
        headers = request.headers
        kind = media.main_type(headers.get("content-type", ""))
        allowed = self._predictor.content_types
        if not media.is_readable(kind, allowed):
            shown = (
                f"the content type '{kind}' is" if kind else "there is no content type, which is"
            )
            message = f"{shown} not one of {', '.join(allowed)}"
            raise refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message)
        accept = headers.get("accept", "")
        offered = self._predictor.answer_types
        chosen = media.choose_type(accept, offered)
        if not chosen:
            message = f"answers are {', '.join(offered)}, and '{accept}' takes none of them"
            raise refusal(HTTPStatus.NOT_ACCEPTABLE, message)
        attributes = headers.get(_ATTRIBUTES, "")
        if attributes and not _is_attributes(attributes):
            message = (
                f"custom attributes are at most {_LONGEST_ATTRIBUTES} visible ASCII characters"
            )
            raise refusal(HTTPStatus.BAD_REQUEST, message)
        return Context(model, kind, chosen, attributes, headers, name)

    def _invoke(self, request: Request) -> Answering:
        size = len(request.body)
        if not size:
            return refusal(HTTPStatus.BAD_REQUEST, "the body is empty")
        if self._runner.is_quick(size):
            sender = request.sender
            return self._runner.now(self._predict, request, request.context, sender=sender)
        return self._invoke_later(request, size)

    async def _invoke_later(self, request: Request, size: int) -> Reply | Stream:
        try:
            return await self._runner.later(
                self._predict, request, request.context, sender=request.sender, size_bytes=size
            )
        except GivenUp as error:
            return _given_up(error, "prediction")

    async def _close(self, close: Any, sender: int) -> None:
        with contextlib.suppress(GivenUp):
            await self._runner.later(_quietly, close, sender=sender)

    def _predict(self, request: Request, context: Context) -> Reply | Stream:
        """Answer by the user's code; also in a thread."""
        if request.is_left:
            return Reply(_CLOSED)  # nobody reads it
        try:
            answer = self._predictor.answer(request.body, request.charset, context)
        except InvalidInput as error:
            return refusal(HTTPStatus.BAD_REQUEST, str(error))
        except UnsupportedInput as error:
            return refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, str(error))
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises
            log_exception("the prediction failed", error, model=context.model_name)
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            if self._models is not None and is_out_of_memory(error):
                status = HTTPStatus.INSUFFICIENT_STORAGE
            return refusal(status, f"the prediction failed: {type(error).__name__}")
        if isinstance(answer, Stream):
            return replace(answer, headers=_attributes(context), sender=request.sender)
        return Reply(HTTPStatus.OK, answer.body, answer.content_type, _attributes(context))

    async def _ping(self) -> Reply:
        asked = self._asked
        if asked is None or asked.done():  # else the last one has not been answered yet
            loop = asyncio.get_running_loop()
            assert self._predictor.healthy is not None  # noqa: S101 - else nobody asks
            asked = self._asked = loop.run_in_executor(
                self._health, contained, self._predictor.healthy
            )
        await asyncio.wait({asked}, timeout=_HEALTHY_S)
        if not asked.done():
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE, f"healthy() took over {_HEALTHY_S} s")
        try:
            is_healthy = asked.result()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not healthy
            log_exception("healthy() failed", error)
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE, f"healthy(): {type(error).__name__}")
        if is_healthy:
            return Reply(HTTPStatus.OK)
        return refusal(HTTPStatus.SERVICE_UNAVAILABLE, "healthy() says no")

    def _of_models(self, models: Models, request: Request) -> Answering:
        names = names_in(request.path)
        if not names:
            if request.method == "GET":
                return models.listed(request.query)
            return self._load(models, request.body)
        return (models.described if request.method == "GET" else models.unload)(names[0])

    async def _load(self, models: Models, body: bytes) -> Reply:
        try:
            # Whoever asks may go: the model is for others, too.
            return await self._runner.later(models.load, body, sender=0)
        except ModelError as error:
            return refusal(error.status, str(error))
        except GivenUp as error:
            return _given_up(error, "load")

    def _log(self, request: Request, status: int, level: str) -> None:
        headers = request.headers
        log(
            level,
            "request",
            method=request.method,
            path=request.path,
            status=int(status),
            ms=round((time.monotonic() - request.start_s) * 1000, 3),
            bytes_in=request.size_bytes,
            content_type=media.main_type(headers.get("content-type", "")),
            inference_id=headers.get("x-amzn-sagemaker-inference-id", ""),
        )


def _given_up(error: GivenUp, what: str) -> Reply:
    if error.took_s:
        message = (
            f"the {what} had not ended after {error.took_s:.0f} s, and its process is replaced"
        )
        return refusal(HTTPStatus.GATEWAY_TIMEOUT, message)
    message = "the process ends, since another prediction took too long"
    return refusal(HTTPStatus.SERVICE_UNAVAILABLE, message, ("retry-after", "1"))


def _attributes(context: Context) -> tuple[tuple[str, str], ...]:
    text = str(context.custom_attributes or "")  # whatever a predictor has put there
    if not text:
        return ()
    if not _is_attributes(text):
        log("warning", "custom attributes of the predictor are not visible ASCII and were left out")
        return ()
    return ((_ATTRIBUTES, text),)


def _is_attributes(text: str) -> bool:
    return len(text) <= _LONGEST_ATTRIBUTES and text.isascii() and text.isprintable()


def _quietly(close: Any) -> None:
    try:
        contained(close)
    except Exception as error:  # noqa: BLE001 - of the user's code
        log_exception("a stream could not be closed", error)
