"""The models of a multi-model container, loaded and unloaded by requests.

Source: "Contract for custom containers for multi-model endpoints" of SageMaker's developer guide.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from twinforge.runtime.http import Reply
from twinforge.runtime.logs import log, log_exception
from twinforge.runtime.machine import used_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from twinforge.runtime.interface import Load

__all__ = ["ModelError", "Models", "is_out_of_memory"]

_PAGE = 100
_LONGEST_TOKEN = 9
_FULL = 0.95
"""The share of the container's memory above which no model is loaded any more."""


class ModelError(Exception):
    """A model can't be had; ``status`` says what the answer is."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class _Loaded:
    model: Any
    url: str


class Models:
    """Loaded models by name.

    Args:
        load: The predictor's.
        memory_bytes: How much the container may use; 0 if unknown.
        used: Says how much it uses now.
        on_change: Called with the urls of all models by name, when one came or went.
    """

    def __init__(
        self,
        load: Load,
        *,
        memory_bytes: int,
        used: Callable[[], int] = used_bytes,
        on_change: Callable[[dict[str, str]], None] = lambda _: None,
    ) -> None:
        self._load = load
        self._memory_bytes = memory_bytes
        self._used = used
        self._on_change = on_change
        self._loaded: dict[str, _Loaded] = {}
        self._loading: set[str] = set()
        self._lock = threading.Lock()

    def load(self, body: bytes) -> Reply:
        """Load the model that a request's body names.

        Raises:
            ModelError: It is there already (409), there is no memory for it (507), the body is not
                as it should be (400), or the user's code fails (500).
        """
        name, url = _asked(body)
        with self._lock:
            if name in self._loaded or name in self._loading:
                message = f"the model '{name}' is loaded already"
                raise ModelError(HTTPStatus.CONFLICT, message)
            self._loading.add(name)
        try:
            model = self._load_one(name, url)
        finally:
            with self._lock:
                self._loading.discard(name)
        with self._lock:
            self._loaded[name] = _Loaded(model, url)
        self._tell()
        log("info", "model loaded", model=name)
        return _json({"modelName": name, "modelUrl": url})

    def unload(self, name: str) -> Reply:
        """Forget a model; its memory is free when no request uses it any more.

        Raises:
            ModelError: There is none of this name (404).
        """
        with self._lock:
            found = self._found(name)
            del self._loaded[name]
        self._tell()
        log("info", "model unloaded", model=name)
        return _json({"modelName": name, "modelUrl": found.url})

    def get(self, name: str) -> Any:
        """Return a model.

        Raises:
            ModelError: There is none of this name (404).
        """
        return self._found(name).model

    def described(self, name: str) -> Reply:
        """Answer what is known of a model.

        Raises:
            ModelError: There is none of this name (404).
        """
        return _json({"modelName": name, "modelUrl": self._found(name).url})

    def listed(self, query: str) -> Reply:
        """Answer a page of the list of models.

        Raises:
            ModelError: The token is none of ours (400).
        """
        token = parse_qs(query).get("next_page_token", ["0"])[0]
        if not token.isdecimal() or len(token) > _LONGEST_TOKEN:
            message = f"'{token}' is no token of a page"
            raise ModelError(HTTPStatus.BAD_REQUEST, message)
        start = int(token)
        with self._lock:
            names = list(self._loaded)
            page = names[start : start + _PAGE]
            models = [{"modelName": one, "modelUrl": self._loaded[one].url} for one in page]
        document: dict[str, object] = {"models": models}
        if start + _PAGE < len(names):
            document["nextPageToken"] = str(start + _PAGE)
        return _json(document)

    def _found(self, name: str) -> _Loaded:
        found = self._loaded.get(name)
        if found is None:
            message = f"the model '{name}' is not loaded"
            raise ModelError(HTTPStatus.NOT_FOUND, message)
        return found

    def _load_one(self, name: str, url: str) -> Any:
        try:
            if not Path(url).is_dir():
                message = f"the folder '{url}' of the model '{name}' does not exist"
                raise ModelError(HTTPStatus.BAD_REQUEST, message)
            files = (path for path in Path(url).rglob("*") if path.is_file())
            size_bytes = sum(path.stat().st_size for path in files)
        except OSError as error:
            message = f"the folder of the model '{name}' can't be read: {error.strerror}"
            raise ModelError(HTTPStatus.BAD_REQUEST, message) from error
        needed = self._used() + size_bytes
        if self._memory_bytes and needed > _FULL * self._memory_bytes:
            message = f"there is not enough memory for the model '{name}'"
            raise ModelError(HTTPStatus.INSUFFICIENT_STORAGE, message)
        try:
            return self._load(url)
        except BaseException as error:  # whatever the user's code raises
            log_exception("the model can't be loaded", error, model=name)
            if is_out_of_memory(error):
                message = f"there is not enough memory for the model '{name}'"
                raise ModelError(HTTPStatus.INSUFFICIENT_STORAGE, message) from error
            message = f"the model '{name}' can't be loaded: {type(error).__name__}"
            raise ModelError(HTTPStatus.INTERNAL_SERVER_ERROR, message) from error

    def _tell(self) -> None:
        with self._lock:  # or an older state could be told last
            self._on_change({name: loaded.url for name, loaded in self._loaded.items()})


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory, or a GPU's, is used up; frameworks name theirs so."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return isinstance(error, MemoryError) or bool(
        names & {"OutOfMemoryError", "ResourceExhaustedError", "XlaRuntimeError"}
    )


def _asked(body: bytes) -> tuple[str, str]:
    try:
        document = json.loads(body)
        name, url = document["model_name"], document["url"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        message = 'the body is not {"model_name": ..., "url": ...}'
        raise ModelError(HTTPStatus.BAD_REQUEST, message) from error
    if not isinstance(name, str) or not isinstance(url, str) or not name or "/" in name:
        message = "a model's name and url are text, and the name holds no slash"
        raise ModelError(HTTPStatus.BAD_REQUEST, message)
    return name, url


def _json(document: dict[str, object]) -> Reply:
    return Reply(HTTPStatus.OK, json.dumps(document).encode())
