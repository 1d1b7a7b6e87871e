from __future__ import annotations

import threading

import pytest
from docker.errors import DockerException

from twinforge.engine.engine import Engine
from twinforge.errors import MissingToolError
from twinforge.smoke import container
from twinforge.smoke.container import open_containers


def engine(host: str) -> Engine:
    return Engine(
        host,
        ours=False,
        docker="/usr/bin/docker",
        version="26.1",
        buildx="0.13",
        env={"DOCKER_HOST": host},
    )


def open_it(host: str) -> None:
    with open_containers(engine(host), label="digits/cpu", cancelled=threading.Event()):
        pytest.fail("it opened")


@pytest.mark.parametrize("host", ["tcp://build.example.com:2376", "ssh://me@build.example.com"])
def test_an_engine_whose_loopback_is_elsewhere_is_refused_before_anything_runs(host: str) -> None:
    with pytest.raises(MissingToolError) as caught:
        open_it(host)
    assert caught.value.message == (
        f"the engine at '{host}' publishes ports on its own machine's loopback only"
    )
    assert caught.value.hint


@pytest.mark.parametrize("host", ["unix:///run/docker.sock", "tcp://127.0.0.1:2375"])
def test_an_engine_that_does_not_answer_is_a_missing_tool(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**options: object) -> None:
        assert options["environment"] == {"DOCKER_HOST": host}
        raise DockerException

    monkeypatch.setattr(container, "DockerClient", refuse)
    with pytest.raises(MissingToolError, match="the engine does not answer"):
        open_it(host)
