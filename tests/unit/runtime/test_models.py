from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import pytest

from twinforge.runtime.multimodel import ModelError, Models

if TYPE_CHECKING:
    from pathlib import Path


def asked(name: str, url: object) -> bytes:
    return json.dumps({"model_name": name, "url": str(url)}).encode()


def test_a_list_of_many_models_comes_in_pages(tmp_path: Path) -> None:
    models = Models(lambda model_dir: model_dir, memory_bytes=0)
    for number in range(150):
        models.load(asked(f"m{number}", tmp_path))
    first = json.loads(models.listed("").body)
    second = json.loads(models.listed(f"next_page_token={first['nextPageToken']}").body)
    names = [model["modelName"] for page in (first, second) for model in page["models"]]
    assert names == [f"m{number}" for number in range(150)]
    assert (len(first["models"]), "nextPageToken" in second) == (100, False)
    for token in ("x", "-1", "9" * 5000):
        with pytest.raises(ModelError) as caught:
            models.listed(f"next_page_token={token}")
        assert caught.value.status == 400


def test_a_model_that_the_memory_has_no_room_for_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(bytes(60))

    def load(model_dir: str) -> object:
        pytest.fail(model_dir)

    models = Models(load, memory_bytes=100, used=lambda: 40)
    with pytest.raises(ModelError, match="not enough memory for the model 'm'") as caught:
        models.load(asked("m", tmp_path))
    assert caught.value.status == 507


def test_a_failed_load_leaves_the_name_free(tmp_path: Path) -> None:
    errors: list[Exception] = [MemoryError()]

    def load(model_dir: str) -> str:
        if errors:
            raise errors.pop()
        return model_dir

    models = Models(load, memory_bytes=0)
    with pytest.raises(ModelError) as caught:
        models.load(asked("m", tmp_path))
    assert caught.value.status == 507
    models.load(asked("m", tmp_path))
    assert models.get("m") == str(tmp_path)


def test_every_change_is_told(tmp_path: Path) -> None:
    told: list[dict[str, str]] = []
    models = Models(lambda _: None, memory_bytes=0, on_change=told.append)
    models.load(asked("m", tmp_path))
    models.unload("m")
    assert told == [{"m": str(tmp_path)}, {}]


def test_the_last_change_is_told_last(tmp_path: Path) -> None:
    told: list[dict[str, str]] = []

    def tell(urls: dict[str, str]) -> None:
        if len(urls) == 1:
            time.sleep(0.2)
        told.append(urls)

    models = Models(lambda _: None, memory_bytes=0, on_change=tell)
    first = threading.Thread(target=lambda: models.load(asked("a", tmp_path)))
    first.start()
    while "a" not in models._loaded:
        time.sleep(0.01)
    models.load(asked("b", tmp_path))
    first.join()
    assert set(told[-1]) == {"a", "b"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        b'{"model_name": "a"}',
        b'{"model_name": 1, "url": ""}',
        asked("a", "x" * 5000),
        asked("a", "nul \0"),
    ],
    ids=lambda body: str(body[:30]),
)
def test_a_request_that_names_no_model_is_refused(body: bytes) -> None:
    with pytest.raises(ModelError) as caught:
        Models(lambda _: None, memory_bytes=0).load(body)
    assert caught.value.status == 400
