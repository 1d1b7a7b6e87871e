from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from twinforge.api.ahead import ahead
from twinforge.api.workspace import Workspace
from twinforge.engine import engine as module
from twinforge.engine.engine import Engine
from twinforge.errors import MissingToolError

if TYPE_CHECKING:
    from pathlib import Path

    from twinforge.engine.engine import Settings
    from twinforge.events import Event


def test_it_begins_before_anybody_asks() -> None:
    begun = threading.Event()
    future = ahead(begun.set)
    assert begun.wait(10)
    assert future.result() is None


def test_who_asks_gets_the_error() -> None:
    future = ahead(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        future.result()


def test_an_engine_is_looked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Settings] = []
    monkeypatch.setattr(module, "find_engine", looked.append)
    workspace = Workspace(tmp_path, {}, tmp_path / "engine", tmp_path / "cache")
    workspace.look_ahead()
    assert not workspace.has_engine
    assert not workspace.has_engine
    assert looked == [workspace.engine_settings]


def test_a_look_s_error_comes_when_the_engine_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_engine(settings: Settings) -> None:
        del settings
        message = "the current docker context can't be read"
        raise MissingToolError(message)

    monkeypatch.setattr(module, "find_engine", find_engine)
    workspace = Workspace(tmp_path, {}, tmp_path / "engine", tmp_path / "cache")
    workspace.look_ahead()
    with pytest.raises(MissingToolError, match="context"):
        _ = workspace.engine


def test_the_engine_that_was_found_is_told_as_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(
        "unix:///sock", ours=False, docker="docker", version="26", buildx="0.13", env={}
    )
    monkeypatch.setattr(module, "find_engine", lambda _: engine)
    told: list[Event] = []
    workspace = Workspace(tmp_path, {}, tmp_path / "engine", tmp_path / "cache", told.append)
    workspace.look_ahead()
    assert workspace.engine is engine
    assert [event.text for event in told] == ["Docker Engine 26 at unix:///sock, buildx 0.13"]
