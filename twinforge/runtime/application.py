"""The answers of a serving process, as an ASGI application.

Source: "Use your own inference code with hosting services" and "Contract for custom containers for
multi-model endpoints" of SageMaker's developer guide.
"""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from twinforge.runtime import media
from twinforge.runtime.http import Reply, Request, refusal, send_reply, start_reply
from twinforge.runtime.interface import Context, InvalidInput, UnsupportedInput
from twinforge.runtime.logs import log, log_exception
from twinforge.runtime.multimodel import ModelError, is_out_of_memory
from twinforge.runtime.predictor import Stream, refuse_type
from twinforge.runtime.running import SMALL_BYTES, BusyError, Runner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twinforge.runtime.http import Receive, Send
    from twinforge.runtime.multimodel import Models
    from twinforge.runtime.predictor import Predictor
    from twinforge.runtime.settings import Settings

__all__ = ["Application"]

_ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"
_LONGEST_ATTRIBUTES = 1024
_HEALTHY_S = 1.5
"""SageMaker gives a ping 2 s."""

_NOTHING = object()


class Application:
    """Routes of one process.

    Args:
        predictor: The user's.
        settings: How to serve.
        model: What ``load`` returned; not given where models come by requests.
        models: The models that requests load, where they do.
    """

    def __init__(
        self,
        predictor: Predictor,
        settings: Settings,
        *,
        model: Any = _NOTHING,
        models: Models | None = None,
    ) -> None:
        self._predictor = predictor
        self._settings = settings
        self._model = model
        self._models = models
        self._runner = Runner(settings.threads, inline_s=settings.inline_s, queue=settings.queue)
        # Of its own, so that a ping does not wait behind predictions.
        self._health = ThreadPoolExecutor(1, thread_name_prefix="healthy")
        self._asked: asyncio.Future[bool] | None = None

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer a request; the server is told to send nothing else here."""
        start_s = time.perf_counter()
        request = Request.of(scope, receive)
        try:
            status = await self._answer(request, send)
        except Reply as reply:
            await send_reply(send, reply)
            status = reply.status
            if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                self._log(request, status, start_s, "error")
                return
        if status >= HTTPStatus.BAD_REQUEST and request.path != "/ping":
            self._log(request, status, start_s, "warning")
        elif self._settings.access_log:
            self._log(request, status, start_s, "info")

    async def _answer(self, request: Request, send: Send) -> int:
        path, method = request.path, request.method
        if path == "/invocations":
            _only(method, "POST", path)
            if self._models is not None:
                raise refusal(HTTPStatus.NOT_FOUND, "models are invoked at /models/NAME/invoke")
            return await self._invoke(request, send, self._model, "")
        if path == "/ping":
            _only(method, "GET", path)
            raise await self._ping()
        if path == "/execution-parameters":
            _only(method, "GET", path)
            body = json.dumps(self._settings.execution_parameters()).encode()
            raise Reply(HTTPStatus.OK, body)
        if self._models is not None and (path == "/models" or path.startswith("/models/")):
            return await self._of_models(self._models, request, send)
        raise refusal(HTTPStatus.NOT_FOUND, f"there is nothing at '{path}'")

    async def _ping(self) -> Reply:
        if self._predictor.healthy is None:
            return Reply(HTTPStatus.OK)
        asked = self._asked
        if asked is None or asked.done():  # else the last one has not been answered yet
            loop = asyncio.get_running_loop()
            asked = self._asked = loop.run_in_executor(self._health, self._predictor.healthy)
        await asyncio.wait({asked}, timeout=_HEALTHY_S)
        if not asked.done():
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE, f"healthy() took over {_HEALTHY_S} s")
        try:
            is_healthy = asked.result()
        except Exception as error:  # noqa: BLE001 - whatever it is, the container is not healthy
            log_exception("healthy() failed", error)
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE, f"healthy(): {type(error).__name__}")
        if is_healthy:
            return Reply(HTTPStatus.OK)
        return refusal(HTTPStatus.SERVICE_UNAVAILABLE, "healthy() says no")

    async def _of_models(self, models: Models, request: Request, send: Send) -> int:
        parts = request.path.split("/")[2:]
        try:
            if not parts:
                if request.method == "GET":
                    raise models.listed(request.query)
                _only(request.method, "GET, POST", request.path)
                body = await request.body(self._settings.max_body_bytes)
                raise await self._runner.run(models.load, body, is_small=False)
            if len(parts) == 1:
                if request.method == "GET":
                    raise models.described(parts[0])
                _only(request.method, "GET, DELETE", request.path)
                raise models.unload(parts[0])
            if parts[1:] == ["invoke"]:
                _only(request.method, "POST", request.path)
                return await self._invoke(request, send, models.get(parts[0]), parts[0])
        except ModelError as error:
            raise refusal(error.status, str(error)) from error
        raise refusal(HTTPStatus.NOT_FOUND, f"there is nothing at '{request.path}'")

    async def _invoke(self, request: Request, send: Send, model: Any, name: str) -> int:
        context = self._context(request, model, name)
        try:
            self._runner.enter()
        except BusyError:
            message = f"{self._settings.queue} requests are waiting already"
            retry = ("retry-after", "1")
            raise refusal(HTTPStatus.SERVICE_UNAVAILABLE, message, retry) from None
        try:
            body = await request.body(self._settings.max_body_bytes)
            if not body:
                raise refusal(HTTPStatus.BAD_REQUEST, "the body is empty")
            answer = await self._predicted(body, _charset(request), context)
            headers = _attributes(context)
            if isinstance(answer, Stream):
                await start_reply(send, HTTPStatus.OK, answer.content_type, headers)
                await self._send_stream(send, answer)
            else:
                reply = Reply(HTTPStatus.OK, answer.body, answer.content_type, headers)
                await send_reply(send, reply)
        finally:
            self._runner.leave()
        return HTTPStatus.OK

    def _context(self, request: Request, model: Any, name: str) -> Context:
        headers = request.headers
        kind = media.main_type(headers.get("content-type", ""))
        try:
            refuse_type(kind, self._predictor.content_types)
        except UnsupportedInput as error:
            raise refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, str(error)) from error
        accept = headers.get("accept", "")
        offered = self._predictor.answer_types
        chosen = media.choose_type(accept, offered)
        if not chosen:
            message = f"answers are {', '.join(offered)}, and '{accept}' takes none of them"
            raise refusal(HTTPStatus.NOT_ACCEPTABLE, message)
        attributes = headers.get(_ATTRIBUTES, "")
        if not _is_attributes(attributes):
            message = (
                f"custom attributes are at most {_LONGEST_ATTRIBUTES} visible ASCII characters"
            )
            raise refusal(HTTPStatus.BAD_REQUEST, message)
        return Context(model, kind, chosen, attributes, headers, name)

    async def _predicted(self, body: bytes, charset: str, context: Context) -> Any:
        answer = self._predictor.answer
        try:
            is_small = len(body) <= SMALL_BYTES
            return await self._runner.run(answer, body, charset, context, is_small=is_small)
        except InvalidInput as error:
            raise refusal(HTTPStatus.BAD_REQUEST, str(error)) from error
        except UnsupportedInput as error:
            raise refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, str(error)) from error
        except Exception as error:
            log_exception("the prediction failed", error, model=context.model_name)
            message = f"the prediction failed: {type(error).__name__}"
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            if self._models is not None and is_out_of_memory(error):
                status = HTTPStatus.INSUFFICIENT_STORAGE
            raise refusal(status, message) from error

    async def _send_stream(self, send: Send, stream: Stream) -> None:
        """Send the pieces; a failure in the middle ends the connection, so that it is seen."""
        piece = stream.first
        try:
            while piece is not _NOTHING:
                if piece:
                    body = {"type": "http.response.body", "body": piece, "more_body": True}
                    await send(body)
                piece = await self._runner.run(_next_piece, stream)
        except Exception as error:
            log_exception("the stream broke", error)
            raise
        await send({"type": "http.response.body", "body": b""})

    def _log(self, request: Request, status: int, start_s: float, level: str) -> None:
        log(
            level,
            "request",
            method=request.method,
            path=request.path,
            status=int(status),
            ms=round((time.perf_counter() - start_s) * 1000, 3),
            bytes_in=request.received_bytes,
            content_type=media.main_type(request.headers.get("content-type", "")),
            inference_id=request.headers.get("x-amzn-sagemaker-inference-id", ""),
        )


def _next_piece(stream: Stream) -> Any:
    piece = next(stream.rest, _NOTHING)
    return piece if piece is _NOTHING else media.format_item(piece)


def _only(method: str, allowed: str, path: str) -> None:
    if method not in allowed.split(", "):
        message = f"'{path}' takes {allowed}"
        raise refusal(HTTPStatus.METHOD_NOT_ALLOWED, message, ("allow", allowed))


def _charset(request: Request) -> str:
    for parameter in request.headers.get("content-type", "").split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"') or "utf-8"
    return "utf-8"


def _attributes(context: Context) -> tuple[tuple[str, str], ...]:
    text = context.custom_attributes
    if not text:
        return ()
    if not _is_attributes(text):
        log("warning", "custom attributes of the predictor are not visible ASCII and were left out")
        return ()
    return ((_ATTRIBUTES, text),)


def _is_attributes(text: str) -> bool:
    return len(text) <= _LONGEST_ATTRIBUTES and all(" " <= letter <= "~" for letter in text)
