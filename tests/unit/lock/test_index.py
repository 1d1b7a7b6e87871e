from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from twinforge.errors import LockError
from twinforge.lock import uv
from twinforge.lock.index import IndexFile, SimpleIndex
from twinforge.lock.uv import default_index
from twinforge.process import Completed

if TYPE_CHECKING:
    from collections.abc import Callable

JSON = "application/vnd.pypi.simple.v1+json"
FILES = {
    "files": [
        {"filename": "a-1.whl", "requires-python": ">=3.9", "yanked": False},
        {"filename": "a-2.whl", "requires-python": None, "yanked": "broken"},
        {"filename": "a-3.whl"},
    ]
}


def index(answer: Callable[[httpx.Request], httpx.Response]) -> SimpleIndex:
    url = "https://name:secret@wheels.example.org/simple"
    return SimpleIndex(url, transport=httpx.MockTransport(answer))


def test_the_files_of_a_package_are_read() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=FILES, headers={"Content-Type": f"{JSON}; charset=utf-8"})

    assert index(answer).files("a") == (
        IndexFile("a-1.whl", ">=3.9", is_yanked=False),
        IndexFile("a-2.whl", "", is_yanked=True),
        IndexFile("a-3.whl", "", is_yanked=False),
    )
    assert seen[0].url.path == "/simple/a/"
    assert seen[0].headers["Accept"] == JSON


def test_a_package_that_the_index_lacks_has_no_files() -> None:
    assert index(lambda _: httpx.Response(404)).files("a") == ()


@pytest.mark.parametrize(
    ("response", "told"),
    [
        (httpx.Response(503), "answers 503"),
        (httpx.Response(200, html="<a>"), "text/html"),
        (httpx.Response(200, json={}, headers={"Content-Type": JSON}), "not a list of files"),
        (httpx.Response(200, text="{", headers={"Content-Type": JSON}), "not a list of files"),
    ],
)
def test_another_answer_is_an_error_without_credentials(
    response: httpx.Response, told: str
) -> None:
    with pytest.raises(LockError, match=told) as error:
        index(lambda _: response).files("a")
    assert "secret" not in str(error.value)
    assert "wheels.example.org" in str(error.value)


def test_no_answer_is_an_error() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        message = "refused"
        raise httpx.ConnectError(message, request=request)

    with pytest.raises(LockError, match="does not answer for 'a': ConnectError"):
        index(answer).files("a")


def test_the_default_index_is_the_one_that_uv_says_it_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environments: list[dict[str, str]] = []

    def run(argv: list[str], **options: Any) -> Completed:
        assert "--no-config" not in argv
        environments.append(options["env"])
        return Completed(tuple(argv), 0, "a==1\n    # from https://wheels.example.org/simple\n", "")

    monkeypatch.setattr(uv, "run", run)
    found = default_index({"UV_INDEX_URL": "x", "SECRET": "y"}, "a")
    assert found == "https://wheels.example.org/simple"
    assert environments[0]["UV_INDEX_URL"] == "x"
    assert "SECRET" not in environments[0]


def test_an_index_that_uv_can_not_ask_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uv, "run", lambda *_, **__: Completed((), 2, "", "error: no route"))
    with pytest.raises(LockError, match="uv could not ask the package index: error: no route"):
        default_index({}, "a")
