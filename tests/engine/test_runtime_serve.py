"""``serve`` of the runtime, as a process that is spoken to over a socket."""

from __future__ import annotations

import http.client
import io
import json
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.engine.runtime_process import DEADLINE_S, Server, serving, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.engine

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
MARK = "a-word-of-the-payload"

MANY = """
import os
import time
from twinforge.runtime import Answer, InvalidInput

def load(model_dir):
    return {"pid": os.getpid()}

def predict(data, context):
    if context.custom_attributes == "what":
        return {"kind": type(data).__name__, "type": context.content_type}
    if context.custom_attributes == "set":
        context.custom_attributes = "mine"
        return 1
    if context.custom_attributes == "number":
        context.custom_attributes = 5
        return Answer("text", "text/plain")
    if context.custom_attributes == "image":
        return Answer(b"GIF89a", "image/gif")
    if context.custom_attributes == "stream":
        return ({"piece": number} for number in range(3))
    if context.custom_attributes == "stream-breaks":
        return broken(3)
    if context.custom_attributes == "stream-never":
        return broken(0)
    if context.custom_attributes == "raise":
        raise KeyError("a bug")
    if context.custom_attributes == "exit":
        raise SystemExit(3)
    if context.custom_attributes == "stream-exits":
        return (piece if piece else exit(3) for piece in (b"piece", b""))
    if context.custom_attributes == "raise-data":
        raise ValueError(data)
    if context.custom_attributes == "refuse-data":
        raise InvalidInput(data)
    if context.custom_attributes == "refuse":
        raise InvalidInput("seven is too many")
    if context.custom_attributes == "sleep":
        time.sleep(1.5)
    return data

def broken(count):
    for number in range(count):
        yield b"piece"
    raise RuntimeError("broke")
"""

PID = """
import os, time

def load(model_dir):
    return None

def predict(data, context):
    time.sleep(0.005)
    return os.getpid()
"""


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("many")
    with serving(folder, MANY, TWINFORGE_MAX_PAYLOAD_MB="1") as server:
        yield server


def attributes(text: str) -> dict[str, str]:
    return {ATTRIBUTES.replace("-", "_"): text}


def npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content_type", "body", "answer"),
    [
        ("application/json", b'{"a": [1, 2.5, null]}', {"a": [1, 2.5, None]}),
        ("application/json; charset=utf-8", '"é"'.encode(), "é"),
        ("application/jsonlines", b'{"a": 1}\n\n[2]\n', [{"a": 1}, [2]]),
        ("application/x-ndjson", b"1\n2", [1, 2]),
        ("text/csv", b'1,2.5,"a, b"\n3,,x\n', [[1.0, 2.5, "a, b"], [3.0, None, "x"]]),
        ("text/csv; charset=latin-1", "é,1\n".encode("latin-1"), [["é", 1.0]]),
        ("application/x-npy", npy([[1, 2]]), [[1, 2]]),
        ("text/plain", b"text", "text"),
    ],
)
def test_a_body_is_what_its_content_type_says(
    many: Server, content_type: str, body: bytes, answer: object
) -> None:
    reply = many.invoke(body, content_type)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert json.loads(reply.body) == answer


@pytest.mark.parametrize("content_type", ["image/png", "application/octet-stream", "audio/wav"])
def test_images_and_raw_bytes_are_bytes(many: Server, content_type: str) -> None:
    reply = many.invoke(b"\x00\xff", content_type, **attributes("what"))
    assert json.loads(reply.body) == {"kind": "bytes", "type": content_type}


@pytest.mark.parametrize(
    ("accept", "content_type", "answer"),
    [
        ("text/csv", "text/csv", b"1.0,2.0\n3.0,4.0\n"),
        ("application/jsonlines", "application/jsonlines", b"[1.0, 2.0]\n[3.0, 4.0]\n"),
        ("application/x-npy", "application/x-npy", npy([[1.0, 2.0], [3.0, 4.0]])),
        ("image/png, text/*;q=0.5", "text/csv", b"1.0,2.0\n3.0,4.0\n"),
        ("*/*", "application/json", b"[[1.0, 2.0], [3.0, 4.0]]"),
    ],
)
def test_the_accept_header_decides_what_an_answer_is(
    many: Server, accept: str, content_type: str, answer: bytes
) -> None:
    reply = many.invoke(b"1,2\n3,4\n", accept=accept)
    assert (reply.status, reply.headers["content-type"]) == (200, content_type)
    assert reply.body == answer


@pytest.mark.parametrize(
    ("body", "headers", "status", "reason"),
    [
        (b"x", {"content_type": "application/xml"}, 415, "the content type 'application/xml' is"),
        (b"x", {"content_type": ""}, 415, "there is no content type"),
        (b"1", {"accept": "image/png"}, 406, "'image/png' takes none of them"),
        (b"", {}, 400, "the body is empty"),
        (b"{", {"content_type": "application/json"}, 400, "the body is not JSON"),
        (b'1\n{"', {"content_type": "application/jsonlines"}, 400, "line 2 is not JSON"),
        (b"\xff", {"content_type": "application/json"}, 400, "the body is not text in utf-8"),
        (b'"1', {}, 400, "line 1 is not CSV"),
        (b"no", {"content_type": "application/x-npy"}, 400, "not an array in NumPy's format"),
        (b"1", attributes("refuse"), 400, "seven is too many"),
        (b"1", attributes("x" * 1025), 400, "at most 1024 visible ASCII characters"),
        (b"1" * (1024 * 1024 + 1), {}, 413, "longer than 1048576 bytes"),
        (b"1", attributes("raise"), 500, "the prediction failed: KeyError"),
        (b"1", attributes("stream-never"), 500, "the prediction failed: RuntimeError"),
    ],
)
def test_a_refusal_is_json_that_says_why(
    many: Server, body: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    reply = many.invoke(body, **headers)
    assert (reply.status, reply.headers["content-type"]) == (status, "application/json")
    document = json.loads(reply.body)
    assert document["status"] == status
    assert reason in document["error"]


@pytest.mark.parametrize(("what", "status"), [("raise-data", 500), ("refuse-data", 400)])
def test_half_a_surrogate_pair_in_an_error_keeps_no_answer_back(
    many: Server, what: str, status: int
) -> None:
    reply = many.invoke(b'"\\ud800 or \xc3\xa4"', "application/json", **attributes(what))
    assert reply.status == status
    if status == 400:
        assert json.loads(reply.body)["error"] == "\ud800 or ä"


def test_an_exit_of_the_predictor_ends_its_request_and_no_worker(many: Server) -> None:
    reply = many.invoke(b"1", **attributes("exit"))
    assert (reply.status, json.loads(reply.body)["error"]) == (
        500,
        "the prediction failed: SystemExit",
    )
    with pytest.raises(http.client.IncompleteRead):
        many.invoke(b"1", **attributes("stream-exits"))
    assert "a worker died" not in many.log.read_text()


def test_a_body_without_a_length_has_the_same_limit(many: Server) -> None:
    pieces = (b"1" * 65536 for _ in range(17))
    reply = many.ask("POST", "/invocations", pieces, content_type="text/csv")
    assert reply.status == 413


def test_other_paths_and_methods_are_refused(many: Server) -> None:
    assert many.ask("GET", "/nothing").status == 404
    assert many.ask("GET", "/models").status == 404
    assert many.ask("POST", "/ping", b"").status == 405
    reply = many.ask("GET", "/invocations")
    assert (reply.status, reply.headers["allow"]) == (405, "POST")


def test_custom_attributes_come_back_unless_the_predictor_sets_others(many: Server) -> None:
    assert many.invoke(b"1", **attributes("a b")).headers[ATTRIBUTES.lower()] == "a b"
    assert many.invoke(b"1", **attributes("set")).headers[ATTRIBUTES.lower()] == "mine"
    assert ATTRIBUTES.lower() not in many.invoke(b"1").headers


def test_an_answer_of_text_and_attributes_of_a_number_are_sent(many: Server) -> None:
    reply = many.invoke(b"1", **attributes("number"))
    assert (reply.status, reply.body) == (200, b"text")
    assert reply.headers[ATTRIBUTES.lower()] == "5"


def test_an_answer_can_bring_its_own_content_type(many: Server) -> None:
    reply = many.invoke(b"1", **attributes("image"))
    assert (reply.headers["content-type"], reply.body) == ("image/gif", b"GIF89a")


def test_a_generator_is_streamed_in_chunks(many: Server) -> None:
    reply = many.invoke(b"1", **attributes("stream"))
    assert reply.headers["transfer-encoding"] == "chunked"
    assert reply.headers["content-type"] == "application/jsonlines"
    assert [json.loads(line)["piece"] for line in reply.body.splitlines()] == [0, 1, 2]


def test_a_stream_that_breaks_does_not_end_like_a_whole_one(many: Server) -> None:
    with pytest.raises(http.client.IncompleteRead) as caught:
        many.invoke(b"1", **attributes("stream-breaks"))
    assert caught.value.partial in {b"piece" * count for count in range(4)}


def test_batch_transform_is_told_how_to_cut_its_input(many: Server) -> None:
    reply = many.ask("GET", "/execution-parameters")
    assert json.loads(reply.body) == {
        "MaxConcurrentTransforms": 2,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": 1,
    }


def test_64_connections_at_once_are_all_answered_while_pings_are(many: Server) -> None:
    answers: list[int] = []

    def ask() -> None:
        answers.append(many.invoke(b"1").status)

    threads = [threading.Thread(target=ask) for _ in range(64)]
    slow = threading.Thread(target=lambda: many.invoke(b"1", **attributes("sleep")))
    for thread in (slow, *threads):
        thread.start()
    pings = [many.ask("GET", "/ping").status for _ in range(10)]
    for thread in (slow, *threads):
        thread.join(DEADLINE_S)
    assert (answers, pings) == ([200] * 64, [200] * 10)


def test_no_log_holds_what_a_request_or_an_answer_says(tmp_path: Path) -> None:
    with serving(tmp_path, MANY, TWINFORGE_ACCESS_LOG="true") as server:
        assert server.invoke(f"{MARK},1".encode()).status == 200
        assert server.invoke(f'{{"{MARK}": '.encode(), "application/json").status == 400
        assert server.invoke(MARK.encode(), "application/x-npy").status == 400
        assert server.stop() == 0
        lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    requests = [line for line in lines if line["event"] == "request" and line["path"] != "/ping"]
    assert [line["status"] for line in requests] == [200, 400, 400]
    assert MARK not in server.log.read_text()


def test_the_port_opens_when_the_model_is_loaded(tmp_path: Path) -> None:
    predictor = """
import pathlib, time

def load(model_dir):
    pathlib.Path(model_dir, "loading").touch()
    while not pathlib.Path(model_dir, "go").exists():
        time.sleep(0.01)

def predict(data, context):
    return data
"""
    with serving(tmp_path, predictor, ready=False) as server:
        wait_until((tmp_path / "model/loading").exists, "the model is not loaded")
        assert not server.is_listening()
        (tmp_path / "model/go").touch()
        server.wait_for_ping()


def test_ping_asks_the_predictor_whether_it_is_healthy(tmp_path: Path) -> None:
    predictor = """
import pathlib
MARK = pathlib.Path(__file__).with_name("sick")
def load(model_dir): return None
def predict(data, context): return data
def healthy():
    if MARK.exists() and MARK.read_text() == "raise":
        raise OSError("no")
    return not MARK.exists()
"""
    with serving(tmp_path, predictor) as server:
        mark = tmp_path / "program/sick"
        mark.touch()
        assert json.loads(server.ask("GET", "/ping").body)["error"] == "healthy() says no"
        mark.write_text("raise")
        reply = server.ask("GET", "/ping")
        assert (reply.status, json.loads(reply.body)["error"]) == (503, "healthy(): OSError")
        mark.unlink()
        assert server.ask("GET", "/ping").status == 200


def test_sigterm_finishes_what_is_in_flight_and_ends_with_0(tmp_path: Path) -> None:
    predictor = """
import pathlib, time
def load(model_dir): return pathlib.Path(model_dir)
def predict(data, context):
    (context.model / "begun").touch()
    time.sleep(1.0)
    return "done"
"""
    answers = []
    with serving(tmp_path, predictor) as server:
        asking = threading.Thread(target=lambda: answers.append(server.invoke(b"1")))
        asking.start()
        wait_until((tmp_path / "model/begun").exists, "no request came")
        assert server.stop() == 0
        asking.join(DEADLINE_S)
        assert not server.is_listening()
    assert [(answer.status, json.loads(answer.body)) for answer in answers] == [(200, "done")]


def test_a_killed_worker_is_replaced_and_loses_no_request_but_its_own(tmp_path: Path) -> None:
    asking, kills, seen, lost = 4, 3, set[int](), []
    is_over = threading.Event()

    def ask(server: Server) -> None:
        while not is_over.is_set():
            try:
                reply = server.invoke(b"1")
                assert reply.status == 200
                seen.add(int(reply.body))
            except (OSError, http.client.HTTPException) as error:
                lost.append(error)

    with serving(tmp_path, PID) as server:
        threads = [threading.Thread(target=ask, args=(server,)) for _ in range(asking)]
        for thread in threads:
            thread.start()
        try:
            for kill in range(kills):
                seen.clear()
                wait_until(lambda: len(seen) == 2, "two workers answer")
                victim = seen.copy().pop()
                seen.clear()
                os.kill(victim, signal.SIGKILL)
                # an answer that the victim gave before may be counted only now
                wait_until(lambda: len(seen - {victim}) == 2, f"kill {kill}")  # noqa: B023
        finally:
            is_over.set()
            for thread in threads:
                thread.join(DEADLINE_S)
        assert server.stop() == 0
    assert len(lost) <= asking * kills
    assert server.log.read_text().count("a worker died and is replaced") == kills


@pytest.mark.parametrize(
    ("predictor", "last_line"),
    [
        (
            "def load(model_dir): raise OSError('no such model')\ndef predict(data, context): ...",
            "serve: the model can't be loaded: OSError: no such model",
        ),
        ("def predict(data, context): ...", "defines no function 'load'"),
        ("import no_such_framework", "ModuleNotFoundError: No module named 'no_such_framework'"),
        (
            "import os\ndef load(model_dir): os.kill(os.getpid(), 9)\ndef predict(data, context): ...",
            "its process was killed by SIGKILL, perhaps because memory ran out",
        ),
        (
            "def load(model_dir): raise OSError('half \\ud800')\ndef predict(data, context): ...",
            "OSError: half \\ud800",
        ),
        (
            (
                "class Odd(Exception):\n  def __str__(self): return 1 / 0\n"
                "def load(model_dir): raise Odd\ndef predict(data, context): ..."
            ),
            "Odd: its text can't be had: ZeroDivisionError",
        ),
        (
            "def load(model_dir): raise OSError('x' * 9999)\ndef predict(data, context): ...",
            f"can't be loaded: OSError: {'x' * 1015}",
        ),
        ("def load(model_dir): ...\nasync def predict(data, context): ...", "nobody awaits it"),
    ],
)
def test_a_model_that_can_t_be_loaded_ends_the_container_with_a_clear_last_line(
    tmp_path: Path, predictor: str, last_line: str
) -> None:
    with serving(tmp_path, predictor, ready=False) as server:
        assert server.child.wait(DEADLINE_S) == 1
        assert server.log.read_text().splitlines()[-1].endswith(last_line)


def test_a_setting_that_can_t_be_is_named(tmp_path: Path) -> None:
    with serving(tmp_path, PID, ready=False, TWINFORGE_WORKERS="many") as server:
        assert server.child.wait(DEADLINE_S) == 1
        assert server.log.read_text() == (
            "serve: TWINFORGE_WORKERS is 'many', not a whole number of at least 1\n"
        )


def test_a_full_queue_says_so(tmp_path: Path) -> None:
    predictor = "import time\ndef load(m): ...\ndef predict(data, context): time.sleep(0.5)"
    with serving(tmp_path, predictor, TWINFORGE_QUEUE="1", TWINFORGE_WORKERS="1") as server:
        statuses: list[int] = []
        threads = [
            threading.Thread(target=lambda: statuses.append(server.invoke(b"1").status))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE_S)
    assert set(statuses) == {200, 503}


MODELS = """
import os
from pathlib import Path
def load(model_dir):
    text = Path(model_dir, "name").read_text()
    if text == "big": raise MemoryError
    if text == "broken": raise ValueError("broken")
    return text
def predict(data, context):
    if context.custom_attributes == "oom": raise MemoryError
    if context.custom_attributes == "pid": return os.getpid()
    return [context.model_name, context.model]
"""


def test_models_are_loaded_listed_invoked_and_unloaded_by_requests(tmp_path: Path) -> None:
    for name in ("one", "big", "broken"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "name").write_text(name)

    def load(server: Server, name: str, folder: str) -> int:
        body = json.dumps({"model_name": name, "url": str(tmp_path / folder)}).encode()
        return server.ask("POST", "/models", body, content_type="application/json").status

    with serving(tmp_path, MODELS, SAGEMAKER_MULTI_MODEL="1", TWINFORGE_WORKERS="") as server:
        assert json.loads(server.ask("GET", "/models").body) == {"models": []}
        assert [load(server, *one) for one in (("m", "one"), ("m", "one"))] == [200, 409]
        assert load(server, "b", "big") == 507
        assert load(server, "b", "broken") == 500
        assert load(server, "b", "nowhere") == 400
        assert server.ask("POST", "/models", b"{}").status == 400
        shown = {"modelName": "m", "modelUrl": str(tmp_path / "one")}
        assert json.loads(server.ask("GET", "/models").body) == {"models": [shown]}
        assert json.loads(server.ask("GET", "/models/m").body) == shown
        assert server.ask("GET", "/models/b").status == 404
        assert server.invoke(b"1").status == 404

        def invoke(name: str, **headers: str) -> tuple[int, Any]:
            path = f"/models/{name}/invoke"
            reply = server.ask("POST", path, b"1", content_type="text/csv", **headers)
            return reply.status, json.loads(reply.body)

        assert invoke("m") == (200, ["m", "one"])
        assert invoke("b")[0] == 404
        assert load(server, "ä b", "one") == 200
        assert invoke("%C3%A4%20b") == (200, ["ä b", "one"])
        assert server.ask("DELETE", "/models/%C3%A4%20b").status == 200
        assert invoke("m", **attributes("oom"))[0] == 507
        # What a process had loaded is there again in the one that replaces it.
        _, pid = invoke("m", **attributes("pid"))
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
        wait_until(lambda: invoke("m", **attributes("pid"))[1] != pid, "it is replaced")
        assert invoke("m") == (200, ["m", "one"])
        assert [server.ask("DELETE", "/models/m").status for _ in range(2)] == [200, 404]
        assert invoke("m")[0] == 404
