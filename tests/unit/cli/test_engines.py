from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from twinforge.cli import engines
from twinforge.engine.engine import Engine, Settings, Status
from twinforge.errors import MissingToolError

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Run
    from twinforge.events import Listener

HOST = "unix:///engine.sock"


def status_of(*, reachable: bool, chosen_by: str = "") -> Status:
    return Status(
        reachable=reachable,
        host=HOST,
        chosen_by=chosen_by,
        refusal="" if reachable else "connection refused",
        version="26.1" if reachable else "",
        buildx="0.13",
        docker="/usr/bin/docker",
        ours=False,
        pid=0,
        data_dir="",
        storage_driver="",
        log=None,
    )


@pytest.mark.parametrize(
    ("ours", "shown"), [(True, [f"to use it yourself: export DOCKER_HOST={HOST}"]), (False, [])]
)
def test_the_engine_that_is_used_is_named(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    ours: bool,  # noqa: FBT001 - a column of the table
    shown: list[str],
) -> None:
    def ensure(settings: Settings, listener: Listener) -> Engine:
        assert callable(listener)
        assert settings.state_dir == Path("/data")
        return Engine(HOST, ours=ours, docker="docker", version="26.1", buildx="0.13", env={})

    monkeypatch.setattr(engines, "ensure_engine", ensure)
    monkeypatch.setenv("TWINFORGE_ENGINE_DIR", "/data")
    ran = run("engine", "ensure")
    assert ran.status == 0
    assert ran.out.splitlines() == [f"engine 26.1, buildx 0.13, at {HOST}", *shown]


def test_what_can_not_be_set_up_ends_with_7(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def ensure(*_: object) -> Engine:
        message = "no engine answers and none can be installed here"
        raise MissingToolError(message, hint="install Docker")

    monkeypatch.setattr(engines, "ensure_engine", ensure)
    ran = run("engine", "ensure")
    assert ran.status == 7
    assert ran.err.endswith("none can be installed here\nhint: install Docker\n")


def test_a_status_shows_what_is_known_and_nothing_empty(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "engine_status", lambda _: status_of(reachable=True))
    ran = run("engine", "status")
    assert ran.status == 0
    assert ran.out.splitlines()[:3] == [
        "reachable:      True",
        f"host:           {HOST}",
        "version:        26.1",
    ]
    assert "data_dir" not in ran.out


def test_a_status_is_json_for_a_machine_also_when_nothing_answers(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "engine_status", lambda _: status_of(reachable=False))
    ran = run("engine", "status", "--json")
    assert ran.status == 7
    shown = json.loads(ran.out)
    assert (shown["reachable"], shown["host"], shown["log"]) == (False, HOST, None)
    assert ran.err == f"error: no engine answers at {HOST}\nhint: run `twinforge engine ensure`\n"


def test_where_an_engine_is_chosen_the_hint_is_not_the_verb_that_refuses_to_replace_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = status_of(reachable=False, chosen_by="DOCKER_HOST")
    monkeypatch.setattr(engines, "engine_status", lambda _: dead)
    assert run("engine", "status").err == (
        f"error: no engine answers at {HOST}, which DOCKER_HOST names\n"
        "hint: start that engine, or choose none and run `twinforge engine ensure`\n"
    )


@pytest.mark.parametrize(
    ("stopped", "said"), [(True, "stopped\n"), (False, "no engine of ours runs\n")]
)
def test_a_stop_says_whether_there_was_one(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    stopped: bool,  # noqa: FBT001 - a column of the table
    said: str,
) -> None:
    monkeypatch.setattr(engines, "stop_engine", lambda *_: stopped)
    ran = run("engine", "stop")
    assert (ran.status, ran.out) == (0, said)
