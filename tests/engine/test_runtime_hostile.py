"""Predictors that do what none should, in the runtime as a process: no request pays for another's."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.runtime_process import DEADLINE_S, Reply, Server, serving, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.engine

PREDICTOR = """
import asyncio, io, multiprocessing, os, sys, time
MARK = __file__ + ".sick"

class Odd(BaseException):
    pass

def load(model_dir):
    return None

def predict(data, context):
    return eval(data)

def healthy():
    if os.path.exists(MARK):
        fail(eval(open(MARK).read()))
    return True

def fail(error):
    raise error

def stream(error):
    yield "piece"
    raise error

def fork():
    pid = os.fork()
    if pid == 0:
        time.sleep(1000)
        os._exit(0)
    return pid

def terminated():
    child = multiprocessing.get_context("fork").Process(target=time.sleep, args=(1000,))
    child.start()
    child.terminate()
    child.join(30)
    return child.exitcode

def hijack():
    sys.stdout = io.StringIO()
"""
ODD = [
    "KeyboardInterrupt()",
    "GeneratorExit()",
    "asyncio.CancelledError()",
    "Odd()",
    "SystemExit(3)",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    env: dict[str, Any] = {"TWINFORGE_WORKERS": "1", "TWINFORGE_INLINE_MS": "1000"}
    with serving(tmp_path_factory.mktemp("odd"), PREDICTOR, **env) as server:
        yield server


def run(server: Server, code: str) -> Reply:
    return server.invoke(code.encode(), "text/plain")


def value(server: Server, code: str) -> Any:
    reply = run(server, code)
    assert reply.status == 200, reply.body
    return json.loads(reply.body)


@pytest.mark.parametrize("error", [*ODD, "StopIteration()", "StopAsyncIteration()"])
def test_whatever_a_predictor_raises_ends_its_request_alone(server: Server, error: str) -> None:
    pid = value(server, "os.getpid()")
    for _ in range(3):  # in a thread and in the event loop
        reply = run(server, f"fail({error})")
        name = error.partition("(")[0].rpartition(".")[2]
        assert (reply.status, name in json.loads(reply.body)["error"]) == (500, True)
    with pytest.raises(http.client.IncompleteRead):
        run(server, f"stream({error})")
    assert value(server, "os.getpid()") == pid


@pytest.mark.parametrize("error", [*ODD, "StopIteration()"])
def test_whatever_healthy_raises_is_a_no_for_now(server: Server, error: str) -> None:
    mark = server.log.parent / "program/predictor.py.sick"
    mark.write_text(error)
    start_s = time.monotonic()
    assert server.ask("GET", "/ping").status == 503
    assert time.monotonic() - start_s < 1.4  # at once, and not when it took too long
    mark.unlink()
    assert server.ask("GET", "/ping").status == 200


def test_a_predictor_may_run_an_event_loop_of_its_own(server: Server) -> None:
    code = "asyncio.run(asyncio.sleep(0, os.getpid()))"
    assert len({value(server, code) for _ in range(20)}) == 1


def test_a_child_of_a_predictor_ends_when_it_is_told_to_and_no_worker_does(server: Server) -> None:
    pid = value(server, "os.getpid()")
    assert [value(server, "terminated()") for _ in range(3)] == [-signal.SIGTERM] * 3
    assert value(server, "os.getpid()") == pid


def test_a_child_of_a_killed_worker_keeps_no_connection_open(tmp_path: Path) -> None:
    with serving(tmp_path, PREDICTOR, TWINFORGE_WORKERS="1") as server:
        worker = value(server, "os.getpid()")
        mark = tmp_path / "forked"
        ended_s: list[float] = []

        def ask() -> None:
            with pytest.raises((http.client.HTTPException, OSError)):
                run(server, f"[fork(), open({str(mark)!r}, 'w').close(), time.sleep(1000)]")
            ended_s.append(time.monotonic())

        asking = threading.Thread(target=ask)
        asking.start()
        wait_until(mark.exists, "nothing was forked")
        killed_s = time.monotonic()
        os.kill(worker, signal.SIGKILL)
        asking.join(DEADLINE_S)
        assert ended_s
        assert ended_s[0] - killed_s < 5


def test_the_log_is_not_the_predictor_s_to_catch(server: Server) -> None:
    assert run(server, "hijack()").status == 200
    assert server.ask("GET", "/into-the-log").status == 404
    wait_until(lambda: "/into-the-log" in server.log.read_text(), "the line is not in the log")


def test_a_worker_without_an_output_ends_alone(tmp_path: Path) -> None:
    env: dict[str, Any] = {"SAGEMAKER_MODEL_SERVER_TIMEOUT": "1", "TWINFORGE_INLINE_MS": "0"}
    with serving(tmp_path, PREDICTOR, TWINFORGE_WORKERS="2", **env) as server:
        assert run(server, "[sys.stdout.close(), time.sleep(1000)]").status == 504
        start_s = time.monotonic()
        wait_until(lambda: "a worker died" in server.log.read_text(), "it is not replaced")
        assert (
            time.monotonic() - start_s < 10
        )  # without waiting for the others as their parent does
        assert server.log.read_text().count("a worker died") == 1
        assert server.stop() == 0


def test_more_connections_than_descriptors_are_taken_when_there_are_some(tmp_path: Path) -> None:
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)); "
        "from twinforge.runtime.serve import main; sys.exit(main())"
    )
    env: dict[str, Any] = {"TWINFORGE_WORKERS": "1"}
    with serving(tmp_path, PREDICTOR, program=("-c", program), **env) as server:
        taken = [
            socket.create_connection(("127.0.0.1", server.port), DEADLINE_S) for _ in range(100)
        ]
        wait_until(lambda: "Too many open files" in server.log.read_text(), "all were taken")
        for one in taken:
            one.close()
        server.wait_for_ping()
        lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert "the event loop complains" in {line["event"] for line in lines}
