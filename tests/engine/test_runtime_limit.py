"""Predictions that take too long, in the runtime as a process: who is answered, who is replaced."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.runtime_process import DEADLINE_S, Reply, Server, serving, wait_until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.engine

PREDICTOR = """
import ctypes, os, time

def load(model_dir):
    return None

def predict(data, context):
    what, *numbers = data
    if what == "hang":
        time.sleep(1000)
    if what == "hang-in-c":  # a PyDLL keeps the interpreter's lock
        ctypes.PyDLL(None).sleep(1000)
    if what == "sleep":
        time.sleep(*numbers)
    if what == "pieces":
        return pieces(*numbers)
    return os.getpid()

def pieces(count, pause_s, then_s):
    for number in range(count):
        yield {"piece": number}
        time.sleep(pause_s)
    time.sleep(then_s)
"""
IN_THREADS: dict[str, Any] = {"TWINFORGE_WORKERS": "1", "TWINFORGE_INLINE_MS": "0"}
LOST = (http.client.HTTPException, OSError)


def ask(server: Server, *data: Any) -> Reply:
    return server.invoke(json.dumps(data).encode(), "application/json")


def pid(server: Server) -> int:
    return int(ask(server, "pid").body)


def events(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log.read_text().splitlines()]


def limited(folder: Path, limit_s: int = 1, **env: str) -> Any:
    own: dict[str, Any] = {"SAGEMAKER_MODEL_SERVER_TIMEOUT": str(limit_s), **IN_THREADS, **env}
    return serving(folder, PREDICTOR, **own)


def test_a_prediction_that_hangs_is_answered_and_its_worker_replaced(tmp_path: Path) -> None:
    with limited(tmp_path) as server:
        first = pid(server)
        reply = ask(server, "hang")
        assert (reply.status, reply.headers["connection"]) == (504, "close")
        assert "the prediction had not ended after" in json.loads(reply.body)["error"]
        assert pid(server) != first
        server.wait_for_ping()
        assert server.stop() == 0
        said = {line["event"]: line for line in events(server)}
    late = said["a prediction takes too long, and its worker is replaced"]
    assert (late["limit_s"], late["sender"], late["late"]) == (1, "waits", first)
    assert late["hint"].startswith("SAGEMAKER_MODEL_SERVER_TIMEOUT sets how many seconds")
    died = said["a worker died and is replaced"]
    assert (died["why"], died["pause_s"]) == ("a prediction took too long", 0)
    where = said["where the prediction is that takes too long"]["traceback"]
    assert "time.sleep(1000)" in where


def test_one_that_keeps_the_interpreter_s_lock_is_killed(tmp_path: Path) -> None:
    with limited(tmp_path) as server:
        first = pid(server)
        with pytest.raises(LOST):
            ask(server, "hang-in-c")
        assert pid(server) != first
        assert "killed by SIGKILL" in server.log.read_text()


def test_one_that_hangs_in_the_event_loop_is_killed(tmp_path: Path) -> None:
    with limited(tmp_path, TWINFORGE_INLINE_MS="100") as server:
        first = [pid(server) for _ in range(20)][-1]  # so quick that no thread is used
        with pytest.raises(LOST):
            ask(server, "hang")
        assert pid(server) != first
        assert "killed by SIGKILL" in server.log.read_text()


def test_what_waits_behind_it_is_told_to_come_again(tmp_path: Path) -> None:
    replies = []
    with limited(tmp_path, limit_s=2) as server:
        hanging = threading.Thread(target=lambda: replies.append(ask(server, "hang")))
        hanging.start()
        time.sleep(0.5)
        reply = ask(server, "pid")
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert "another prediction took too long" in json.loads(reply.body)["error"]
        hanging.join(DEADLINE_S)
    assert [reply.status for reply in replies] == [504]


def test_what_runs_beside_it_is_answered(tmp_path: Path) -> None:
    replies = []
    with limited(tmp_path, limit_s=3, TWINFORGE_THREADS="2") as server:
        hanging = threading.Thread(target=lambda: replies.append(ask(server, "hang")))
        hanging.start()
        time.sleep(2)
        assert ask(server, "sleep", 2.9).status == 200
        hanging.join(DEADLINE_S)
        assert server.stop() == 0
    assert [reply.status for reply in replies] == [504]


def test_a_stream_may_go_on_as_long_as_its_pieces_come(tmp_path: Path) -> None:
    with limited(tmp_path) as server:
        first = pid(server)
        reply = ask(server, "pieces", 12, 0.4, 0)
        assert len(reply.body.splitlines()) == 12
        with pytest.raises(http.client.IncompleteRead) as caught:
            ask(server, "pieces", 2, 0.1, 1000)
        assert json.loads(caught.value.partial.splitlines()[-1]) == {"piece": 1}
        assert pid(server) != first


def test_a_prediction_whose_sender_has_gone_ends_sooner(tmp_path: Path) -> None:
    program = (
        "import sys; from twinforge.runtime import settings; settings._REALTIME_S = 2; "
        "from twinforge.runtime.serve import main; sys.exit(main())"
    )
    with serving(tmp_path, PREDICTOR, program=("-c", program), **IN_THREADS) as server:
        first = pid(server)
        assert ask(server, "sleep", 5).status == 200  # its sender waits
        assert pid(server) == first
        for what in ("hang", "hang-in-c"):
            first = pid(server)
            body = json.dumps([what]).encode()
            head = "POST /invocations HTTP/1.1\r\ncontent-type: application/json\r\n"
            sender = socket.create_connection(("127.0.0.1", server.port), DEADLINE_S)
            sender.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
            time.sleep(0.5)
            sender.close()
            wait_until(lambda: pid_or_none(server) not in {None, first}, what)  # noqa: B023
        assert [line["sender"] for line in events(server) if "sender" in line] == ["has gone"] * 2


def pid_or_none(server: Server) -> int | None:
    try:
        reply = ask(server, "pid")
    except LOST:
        return None
    return int(reply.body) if reply.status == 200 else None


def test_a_model_s_load_has_the_same_limit(tmp_path: Path) -> None:
    predictor = """
import time
def load(model_dir): time.sleep(1000)
def predict(data, context): ...
"""
    env: dict[str, Any] = {"SAGEMAKER_MULTI_MODEL": "true", "TWINFORGE_WORKERS": ""}
    with serving(tmp_path, predictor, SAGEMAKER_MODEL_SERVER_TIMEOUT="1", **env) as server:
        body = json.dumps({"model_name": "m", "url": str(tmp_path)}).encode()
        for _ in range(2):  # the name is free again
            reply = server.ask("POST", "/models", body)
            assert (reply.status, json.loads(reply.body)["status"]) == (504, 504)
            server.wait_for_ping()
