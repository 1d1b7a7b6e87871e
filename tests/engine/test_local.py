"""Jobs, endpoints and transforms in a real engine, of one image that does what it is told."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import httpx
import pytest
from docker.models.containers import ContainerCollection

from tests.fakes.desk import FakeStorage
from twinforge import process
from twinforge.engine import door
from twinforge.errors import AwsRefusedError, DeployError, TwinforgeError, UsageError
from twinforge.sagemaker.aws import Account
from twinforge.sagemaker.local import results
from twinforge.sagemaker.local import transform as transforms
from twinforge.sagemaker.local.batch import Transform, transform_env
from twinforge.sagemaker.local.desk import LABEL
from twinforge.sagemaker.local.docker_desk import LONGEST_LINE, open_desk
from twinforge.sagemaker.local.endpoint import Serving, serving
from twinforge.sagemaker.local.invoke import invoke, post
from twinforge.sagemaker.local.job import LocalJob
from twinforge.sagemaker.local.limits import Limits
from twinforge.sagemaker.local.means import LocalMeans
from twinforge.sagemaker.local.results import Places
from twinforge.sagemaker.local.running import find_endpoint, list_running, stop_running
from twinforge.sagemaker.local.train import run_job
from twinforge.sagemaker.local.transform import run_transform
from twinforge.sagemaker.patience import Patience
from twinforge.sagemaker.place import Place
from twinforge.sagemaker.storage import S3

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twinforge.engine.engine import Engine
    from twinforge.events import Event
    from twinforge.sagemaker.local.results import LocalTrained
    from twinforge.sagemaker.local.running import Entry

pytestmark = pytest.mark.engine

RUN = secrets.token_hex(3)
"""In all names, so that runs which share an engine do not meet."""
IMAGE = f"twinforge-test/local:{RUN}"
NAME, OTHER, JOB = f"numbers-{RUN}", f"other-{RUN}", f"numbers-{RUN}-1"
# What it does stands in the hyperparameters, as Python; what it finds, in the model.
TRAIN = """#!/usr/bin/env python3
import glob, json, os, pathlib, signal, socket, sys, time

root = pathlib.Path("/opt/ml")
settings = json.loads((root / "input/config/hyperparameters.json").read_text())

def found():
    files = sorted(p for p in root.rglob("*") if p.is_file())
    return {
        "files": {str(p.relative_to(root)): p.read_text() for p in files},
        "folders": sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_dir()),
        "env": dict(os.environ),
        "host": socket.gethostname(),
        "cpus": open("/sys/fs/cgroup/cpu/cpu.cfs_quota_us").read().strip()
            if os.path.exists("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
            else open("/sys/fs/cgroup/cpu.max").read().split()[0],
        "shm": os.statvfs("/dev/shm").f_blocks * os.statvfs("/dev/shm").f_frsize,
    }

exec(settings["do"])
"""
SERVE = """#!/usr/bin/env python3
import http.server, json, os, pathlib, signal, socket, sys, time

model = pathlib.Path("/opt/ml/model")
exec(os.environ.get("DO", ""))

class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body=b"", kind="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/execution-parameters" and os.environ.get("SAGEMAKER_BATCH"):
            self.answer(200, b'{"MaxConcurrentTransforms": 2, "BatchStrategy": "SINGLE_RECORD"}')
        else:
            self.answer(200 if self.path == "/ping" else 404)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if body == b"bad":
            self.answer(400, b"not a number")
        elif body.startswith(b"do "):
            seen = {"body": body}
            exec(body[3:].decode(), globals(), seen)
            self.answer(200, json.dumps(seen["said"]).encode())
        else:
            self.answer(200, body.strip()[::-1], "text/csv")

signal.signal(signal.SIGTERM, lambda *_: (print("bye", flush=True), sys.exit(0)))
print("serving", flush=True)
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""
DOCKERFILE = """FROM base
ENV PATH=/program:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
COPY --chmod=755 train serve /program/
RUN mkdir -p /opt/ml/model && touch /opt/ml/model/baked
"""
REACH = """
said = "reached"
try:
    socket.create_connection(("192.0.2.1", 80), 2)
except OSError as error:
    said = str(error)
"""
ISOLATED = "Network is unreachable"
LIMITS = Limits(1, 256 << 20, gpus=False, notes=())


@pytest.fixture(scope="module")
def image(
    engine: Engine, base_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("image")
    for name, text in (("train", TRAIN), ("serve", SERVE), ("Dockerfile", DOCKERFILE)):
        (folder / name).write_text(text)
    process.run(
        [
            *(engine.docker, "buildx", "build", "--provenance=false", "--load"),
            *("--build-context", f"base=docker-image://{base_image}"),
            *("--tag", IMAGE, str(folder)),
        ],
        env=engine.env,
    )
    client = docker.DockerClient.from_env(environment=dict(engine.env))
    yield str(client.images.get(IMAGE).id)
    client.images.remove(IMAGE)
    client.close()


@dataclass
class Desk:
    """A real engine, and what a test wants of it."""

    means: LocalMeans
    image: str
    folder: Path
    events: list[Event] = field(default_factory=list)

    def train(self, do: str, **fields: Any) -> LocalTrained:
        checkpoints = str(fields.pop("checkpoints", ""))
        job = LocalJob(
            name=fields.pop("name", JOB),
            recipe=NAME,
            variant="cpu",
            image_id=self.image,
            instance="ml.m5.large",
            hyperparameters={"do": do},
            **fields,
        )
        places = Places(str(self.folder / "out"), self.folder / "train.log", checkpoints)
        return run_job(self.means, job, LIMITS, places)

    def serving(self, **fields: Any) -> Serving:
        model = self.folder / "model"
        if not model.exists():
            (model / "deep").mkdir(parents=True)
            (model / "deep/weights").write_text("w")
        asked = Serving(
            kind="endpoint",
            name=NAME,
            recipe=NAME,
            variant="cpu",
            image_id=self.image,
            instance="ml.m5.large",
            model=str(model),
            max_bytes=10**6,
            startup_s=20.0,
        )
        return replace(asked, **fields)


@pytest.fixture
def desk(engine: Engine, image: str, tmp_path: Path) -> Iterator[Desk]:
    """A desk on which nothing of these tests lies before and after."""
    events: list[Event] = []
    with open_desk(engine) as opened:
        means = LocalMeans("test", opened, FakeStorage(), Patience(poll_s=0.05), events.append)
        yield Desk(means, image, tmp_path, events)
    assert left_over(engine) == []


def left_over(engine: Engine) -> list[str]:
    client = docker.DockerClient.from_env(environment=dict(engine.env))
    mine: dict[str, Any] = {"label": f"{LABEL}.recipe={NAME}"}
    try:
        found = [one.name for one in client.containers.list(all=True, filters=mine)]
        doors: dict[str, Any] = {"label": f"{LABEL}.door=twinforge-endpoint-{NAME}"}
        found += [one.name for one in client.containers.list(all=True, filters=doors)]
        found += [one.name for one in client.volumes.list(filters=mine)]
        found += [one.name for one in client.networks.list(filters=mine)]
    finally:
        client.close()
    return [str(name) for name in found]


def ours(desk: Desk) -> list[Entry]:
    """What runs of this run of the tests."""
    return [one for one in list_running(desk.means.desk) if one.recipe == NAME]


def members(archive: str) -> dict[str, bytes]:
    with tarfile.open(archive, "r:gz") as tar:
        return {one.name: file.read() for one in tar if (file := tar.extractfile(one))}


def said_by(url: str, do: str) -> Any:
    return json.loads(invoke(url, f"do {do}".encode(), content_type="text/x-python").body)


def test_a_job_finds_what_the_service_gives_it_and_leaves_archives_of_the_caller(
    desk: Desk,
) -> None:
    data = desk.folder / "data"
    (data / "deep").mkdir(parents=True)
    (data / "deep/rows.csv").write_text("1,2\n")
    do = (
        '(root / "model/found.json").write_text(json.dumps(found()));'
        '(root / "output/data/seen.txt").write_text("x"); print("learned")'
    )
    done = desk.train(do, channels={"training": str(data)}, env={"MODE": "fast"})
    assert (done.status, done.exit_status) == ("Completed", 0), done
    found = json.loads(members(done.model)["found.json"])
    assert set(found["files"]) == {
        "input/config/hyperparameters.json",
        "input/config/inputdataconfig.json",
        "input/config/resourceconfig.json",
        "input/data/training/deep/rows.csv",
    }
    assert found["files"]["input/data/training/deep/rows.csv"] == "1,2\n"
    assert {"model", "checkpoints", "output/data", "input/data"} <= set(found["folders"])
    assert found["host"] == "algo-1"
    assert found["env"]["MODE"] == "fast"
    assert found["env"]["TRAINING_JOB_NAME"] == JOB
    assert found["env"]["TRAINING_JOB_ARN"].endswith(f":training-job/{JOB}")
    assert found["cpus"] == "100000"  # of each 100 ms, which is one CPU
    assert found["shm"] == LIMITS.memory_bytes // 2
    assert members(done.output) == {"seen.txt": b"x"}
    assert (desk.folder / "train.log").read_text() == "learned\n"
    for path in (done.model, done.output, done.log):
        assert Path(path).stat().st_uid == os.getuid()


def test_a_job_that_fails_says_why_in_the_words_of_the_service(desk: Desk) -> None:
    do = '(root / "output/failure").write_text("no label"); print("loading"); sys.exit(3)'
    done = desk.train(do)
    assert done.reason == "AlgorithmError: no label, exit code: 3"
    assert (done.status, done.model, done.last_lines) == ("Failed", "", ("loading",))


def test_a_line_without_an_end_is_handed_on_in_pieces(desk: Desk) -> None:
    do = """
for number in range(40):
    sys.stdout.write("x" * 5000)
    sys.stdout.flush()
    time.sleep(0.01)
print()
"""
    assert desk.train(do).status == "Completed"
    lines = (desk.folder / "train.log").read_text().splitlines()
    assert sum(map(len, lines)) == 200_000
    assert len(lines) > 1
    assert max(map(len, lines)) < 2 * LONGEST_LINE


def test_what_can_not_be_read_to_its_end_is_removed_all_the_same(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(chunks: Iterator[bytes], target: Path) -> None:
        next(chunks)
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr(results, "pack", fails)
    started = time.monotonic()
    with pytest.raises(OSError, match="No space left"):
        desk.train('(root / "model/big").write_bytes(os.urandom(50 << 20))')
    assert time.monotonic() - started < 60


def test_a_job_without_network_reaches_nothing_and_still_has_its_interface(desk: Desk) -> None:
    do = (
        f"exec({REACH!r}); faces = [name for _, name in socket.if_nameindex()];"
        '(root / "model/said.json").write_text(json.dumps([said, faces]))'
    )
    done = desk.train(do, is_isolated=True)
    said, faces = json.loads(members(done.model)["said.json"])
    assert ISOLATED in said
    assert "eth0" in faces


def test_a_job_that_takes_too_long_saves_its_model_and_begins_again_with_its_checkpoints(
    desk: Desk,
) -> None:
    do = """
known = sorted(os.listdir(root / "checkpoints"))
(root / "checkpoints" / f"{len(known) + 1}.pt").write_text("x")
(root / "model/known.json").write_text(json.dumps(known))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))
while not known: time.sleep(0.05)
"""
    kept = desk.folder / "kept"
    done = desk.train(do, max_runtime_s=1, checkpoints=kept)
    assert (done.status, done.phase, done.exit_status) == ("Stopped", "MaxRuntimeExceeded", 5)
    assert json.loads(members(done.model)["known.json"]) == []
    again = desk.train(do, name=f"{JOB}2", checkpoints=kept)
    assert again.status == "Completed"
    assert json.loads(members(again.model)["known.json"]) == ["1.pt"]
    assert sorted(path.name for path in kept.iterdir()) == ["1.pt", "2.pt"]
    assert {path.stat().st_uid for path in kept.iterdir()} == {os.getuid()}


def test_a_job_that_is_stopped_from_elsewhere_keeps_its_model(desk: Desk) -> None:
    do = """
(root / "model/half").write_text("x")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("ready", flush=True)
time.sleep(600)
"""

    def stop() -> None:
        while not any("ready" in event.text for event in desk.events):
            time.sleep(0.05)
        (entry,) = ours(desk)
        assert (entry.kind, entry.status) == ("training", "InProgress")
        stop_running(desk.means, [JOB], dry_run=False)

    stopper = threading.Thread(target=stop)
    stopper.start()
    done = desk.train(do)
    stopper.join()
    assert (done.status, done.phase) == ("Stopped", "Stopped")
    assert members(done.model) == {"half": b"x"}


def test_a_job_with_too_little_memory_is_ended_and_that_is_said(desk: Desk) -> None:
    done = desk.train('print("big", flush=True); x = bytearray(1 << 30); print(len(x))')
    assert done.reason == "AlgorithmError: , exit code: 137"
    assert done.notes == ("the container needed more memory than its instance type has",)


def test_an_endpoint_serves_its_model_read_only_and_within_limits(desk: Desk) -> None:
    with serving(desk.means, desk.serving(), LIMITS, keep=False) as hosted:
        found = find_endpoint(desk.means.desk, NAME)
        assert (found.url, found.variant) == (hosted.url, "cpu")
        assert [one.id for one in desk.means.desk.find("endpoint", NAME)] == [hosted.box]
        assert desk.means.desk.find("training", NAME) == ()
        (entry,) = ours(desk)
        assert entry.status == "InService"
        assert invoke(hosted.url, b"123", content_type="text/csv").body == b"321"
        with pytest.raises(AwsRefusedError, match=r"client error \(400\).*not a number"):
            invoke(hosted.url, b"bad", content_type="text/csv")
        files = "said = sorted(str(p.relative_to(model)) for p in model.rglob('*'))"
        assert said_by(hosted.url, files) == ["deep", "deep/weights"]
        write = 'exec(\'try: open(model / "x", "w")\\nexcept OSError as e: said = str(e)\')'
        assert "Read-only file system" in said_by(hosted.url, write)
        with (
            pytest.raises(UsageError, match=f"has the endpoint {NAME} already"),
            serving(desk.means, desk.serving(), LIMITS, keep=False),
        ):
            pass
        other = desk.serving(name=OTHER, is_isolated=True)
        with serving(desk.means, other, LIMITS, keep=False) as second:
            assert second.url != hosted.url
            assert ISOLATED in said_by(second.url, f"exec({REACH!r})")
        assert invoke(hosted.url, b"123", content_type="text/csv").body == b"321"


def test_an_interrupt_while_the_engine_makes_a_container_leaves_none(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(self: ContainerCollection, *given: Any, **named: Any) -> Any:
        monkeypatch.undo()
        made = self.create(*given, **named)
        signal.raise_signal(signal.SIGINT)  # before anybody knows of it
        return made

    monkeypatch.setattr(ContainerCollection, "create", create)
    with (
        pytest.raises(KeyboardInterrupt),
        serving(desk.means, desk.serving(is_isolated=True), LIMITS, keep=True),
    ):
        pass


def test_an_isolated_endpoint_is_reached_by_a_door_where_the_engine_is_elsewhere(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "is_reached", lambda _: False)
    asked = desk.serving(is_isolated=True)
    with serving(desk.means, asked, LIMITS, keep=True) as hosted:
        assert hosted.url.startswith("http://127.0.0.1:")
        assert ISOLATED in said_by(hosted.url, f"exec({REACH!r})")
        with ThreadPoolExecutor(8) as pool:
            bodies = [f"{number}" * 200_000 for number in range(10, 26)]
            answers = pool.map(
                lambda body: invoke(hosted.url, body.encode(), content_type="text/csv"), bodies
            )
            assert [answer.body.decode() for answer in answers] == [one[::-1] for one in bodies]
    (entry,) = ours(desk)
    assert (entry.status, entry.url) == ("InService", hosted.url)
    stop_running(desk.means, [NAME], dry_run=False)
    assert ours(desk) == []


def test_a_door_needs_a_python_in_the_image(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "is_reached", lambda _: False)
    monkeypatch.setattr(door, "_FIND_PYTHON", "exit 127")
    with (
        pytest.raises(TwinforgeError, match="it has no Python") as caught,
        serving(desk.means, desk.serving(is_isolated=True), LIMITS, keep=True),
    ):
        pass
    assert "without network isolation" in caught.value.hint


def test_an_endpoint_that_is_left_running_is_stopped_from_elsewhere(desk: Desk) -> None:
    with serving(desk.means, desk.serving(), LIMITS, keep=True) as hosted:
        pass
    assert httpx.get(f"{hosted.url}/ping", trust_env=False).status_code == 200
    (stopped,) = stop_running(desk.means, [NAME], dry_run=False)
    assert stopped.url == hosted.url
    with pytest.raises(DeployError, match="nothing listens"):
        invoke(hosted.url, b"1", content_type="text/csv")


def test_a_port_that_is_asked_for_is_the_one(desk: Desk) -> None:
    with serving(desk.means, desk.serving(), LIMITS, keep=False) as hosted:
        port = int(hosted.url.rpartition(":")[2])
    with serving(desk.means, desk.serving(port=port), LIMITS, keep=False) as hosted:
        assert hosted.url == f"http://127.0.0.1:{port}"
        with (
            pytest.raises(UsageError, match=rf"port {port} of 127\.0\.0\.1 is taken"),
            serving(desk.means, desk.serving(name=OTHER, port=port), LIMITS, keep=False),
        ):
            pass


@pytest.mark.parametrize(
    ("do", "startup_s", "said"),
    [
        ("sys.exit(4)", 60.0, "'serve' ended with status 4 before /ping said 200"),
        ("time.sleep(60)", 5.0, "/ping did not say 200 within 5 s"),
    ],
    ids=["ends", "hangs"],
)
def test_an_endpoint_that_does_not_answer_is_told_as_the_service_tells_it(
    desk: Desk, do: str, startup_s: float, said: str
) -> None:
    do = f"print('no licence', flush=True); {do}"
    asked = desk.serving(env={"DO": do}, startup_s=startup_s)
    with (
        pytest.raises(DeployError) as caught,
        serving(desk.means, asked, LIMITS, keep=True),
    ):
        pass
    assert "did not pass the ping health check" in caught.value.message
    assert said in caught.value.message
    assert caught.value.message.endswith("  | no licence")


def test_a_server_that_listens_for_itself_alone_is_told_where_to_listen(desk: Desk) -> None:
    do = "http.server.HTTPServer(('127.0.0.1', 8080), None).serve_forever()"
    asked = desk.serving(env={"DO": do}, startup_s=3.0)
    with (
        pytest.raises(DeployError, match="did not pass the ping health check") as caught,
        serving(desk.means, asked, LIMITS, keep=True),
    ):
        pass
    assert "listen at port 8080 of all addresses" in caught.value.hint


def test_a_program_that_is_not_there_is_told_as_the_service_tells_it(
    desk: Desk, base_image: str
) -> None:
    desk.image = base_image
    done = desk.train("")
    assert done.status == "Failed"
    assert done.reason.startswith("ClientError: Artifact upload failed:API error (400): ")
    assert '"train": executable file not found in $PATH' in done.reason
    with (
        pytest.raises(DeployError, match=r"^CannotStartContainerError\..*") as caught,
        serving(desk.means, desk.serving(), LIMITS, keep=True),
    ):
        pass
    assert '"serve": executable file not found in $PATH' in caught.value.message


def test_a_transform_asks_as_the_container_wants_to_be_asked(desk: Desk) -> None:
    rows = desk.folder / "rows"
    (rows / "deep").mkdir(parents=True)
    (rows / "good.csv").write_text("12\n34\n")
    (rows / "deep/bad.csv").write_bytes(b"bad")
    asked = Transform(
        source=str(rows),
        output=str(desk.folder / "answers"),
        content_type="text/csv",
        split="Line",
        assembly="Line",
    )
    served = desk.serving(kind="transform", env=transform_env(asked))
    done = run_transform(desk.means, served, asked, LIMITS)
    assert done.reason == "ClientError: See job logs for more information"
    assert done.messages[0] == (
        "MaxConcurrentTransforms=2, MaxPayloadInMB=6, BatchStrategy=SINGLE_RECORD"
    )
    assert "deep/bad.csv: not a number" in done.messages
    assert done.outputs == (str(desk.folder / "answers/good.csv.out"),)
    assert (desk.folder / "answers/good.csv.out").read_text() == "21\n43\n"


def test_a_transform_sends_a_part_of_its_records_and_joins_the_answers(desk: Desk) -> None:
    (desk.folder / "rows.csv").write_text("a,12\nb,34\n")
    asked = Transform(
        source=str(desk.folder / "rows.csv"),
        output=str(desk.folder / "answers"),
        content_type="text/csv",
        accept="text/csv",
        split="Line",
        assembly="Line",
        input_filter="$[1]",
        join="Input",
        output_filter="$[-1,0]",
    )
    served = desk.serving(kind="transform", env=transform_env(asked))
    run_transform(desk.means, served, asked, LIMITS).refuse_unless_complete()
    assert (desk.folder / "answers/rows.csv.out").read_text() == "21,a\n43,b\n"


def test_ctrl_c_ends_a_transform_whose_container_does_not_answer(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = desk.folder / "rows"
    rows.write_text("do time.sleep(600)\n" * 5)
    wanted = Transform(
        source=str(rows), output=str(desk.folder / "out"), content_type="text/csv", split="Line"
    )
    served = desk.serving(kind="transform", env=transform_env(wanted))
    asked: list[str] = []

    def send(url: str, *given: Any, **named: Any) -> Any:
        asked.append(url)
        if len(asked) == 2:  # as the container wants them at once
            threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
        return post(url, *given, **named)

    monkeypatch.setattr(transforms, "post", send)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_transform(desk.means, served, wanted, LIMITS)
    assert time.monotonic() - started < 60
    assert len(asked) < 2 * (1 + wanted.retries) + 1


def test_a_transform_whose_container_ends_says_how(desk: Desk) -> None:
    rows = desk.folder / "rows"
    rows.write_text("do os._exit(3)")
    wanted = Transform(
        source=str(rows), output=str(desk.folder / "out"), content_type="text/csv", retries=0
    )
    served = desk.serving(kind="transform", env=transform_env(wanted))
    done = run_transform(desk.means, served, wanted, LIMITS)
    assert done.reason == "AlgorithmError: See job logs for more information"
    assert done.messages[-1] == "the container ended with status 3"


def test_an_answer_that_comes_bit_by_bit_has_no_more_time_than_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                for _ in range(1000):
                    connection.sendall(b"x")
                    time.sleep(0.1)

        threading.Thread(target=drip, daemon=True).start()
        started = time.monotonic()
        with pytest.raises(httpx.ReadTimeout, match="not complete in time"):
            post(f"http://127.0.0.1:{server.getsockname()[1]}", b"", {}, timeout_s=1.0)
        assert time.monotonic() - started < 10


def test_checkpoints_can_be_in_s3(desk: Desk, s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_url)
    storage = S3(Account(region="eu-west-1"))
    desk.means = replace(desk.means, storage=storage)
    place = Place("models", "checkpoints/numbers/")
    old = desk.folder / "old.pt"
    old.write_text("old")
    storage.upload(old, place.below("old.pt"), lambda _: None)
    do = """
(root / "checkpoints/new.pt").write_text((root / "checkpoints/old.pt").read_text() + "er")
(root / "checkpoints/old.pt").unlink()
"""
    assert desk.train(do, checkpoints=place).status == "Completed"
    assert storage.sizes(place) == {"checkpoints/numbers/new.pt": 5}
