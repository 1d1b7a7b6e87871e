from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import docker
import pytest

from twinforge import process
from twinforge.engine.images import Images
from twinforge.errors import SmokeError
from twinforge.events import Event, State, ignore
from twinforge.model.matrix import Accelerator, Base, Bootstrap
from twinforge.model.place import Place
from twinforge.model.recipe import Invocation, Recipe, Smoke, SystemPackages, TrainSmoke
from twinforge.model.variant import Variant
from twinforge.smoke.container import LABEL
from twinforge.smoke.contract import CONTRACT_LIMITS, NOT_RUN, Limits, SmokeReport, required_checks
from twinforge.smoke.run import run_smoke

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from twinforge.engine.engine import Engine

pytestmark = pytest.mark.engine

# It learns which label each number has; the standard library is all that it needs.
TRAIN = """#!/usr/bin/env python3
import csv, json, pathlib, sys

root = pathlib.Path("/opt/ml")
try:
    settings = json.loads((root / "input/config/hyperparameters.json").read_text())
    channels = json.loads((root / "input/config/inputdataconfig.json").read_text())
    hosts = json.loads((root / "input/config/resourceconfig.json").read_text())
    assert hosts["hosts"] == [hosts["current_host"]] == ["algo-1"], hosts
    for name, value in settings.items():
        assert name == "scale" and isinstance(value, str), f"unknown hyperparameter {name}"
    assert channels["training"]["TrainingInputMode"] == "File", channels
    with open(root / "input/data/training/numbers.csv", newline="") as file:
        learned = {number: int(label) for number, label in csv.reader(file)}
    print("learned", len(learned))
    (root / "model/learned.json").write_text(json.dumps(learned))
except Exception as error:
    (root / "output/failure").write_text(f"{type(error).__name__}: {error}"[:1024])
    print("failed:", error)
    sys.exit(1)
"""

SERVE = """#!/usr/bin/env python3
import http.server, json, os, signal, sys

with open("/opt/ml/model/learned.json") as file:
    learned = json.load(file)

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", kind="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/invocations":
            self.answer(405)
            return
        self.answer(200 if self.path == "/ping" else 404)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != "/invocations":
            self.answer(404)
            return
        if self.headers["Content-Type"] != "text/csv":
            self.answer(415, b'{"error": "only CSV"}')
            return
        try:
            labels = [learned[number] for number in body.decode().split()]
        except (UnicodeDecodeError, KeyError):
            labels = []
        if not labels:
            self.answer(400, b'{"error": "no numbers"}')
            return
        self.answer(200, json.dumps(labels).encode())

    def log_message(self, *_):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", 8080))
Server(("", port), Handler).serve_forever()
"""

DOCKERFILE = """FROM base
RUN python3 -m venv --without-pip /opt/venv \\
    && mkdir "$(echo /opt/venv/lib/python3*/site-packages)/Steady_Thing-1.0.dist-info" \\
    && printf 'Metadata-Version: 2.1\\nName: Steady_Thing\\nVersion: 1.0\\n' \\
       > "$(echo /opt/venv/lib/python3*/site-packages/Steady_Thing-1.0.dist-info)/METADATA"
ENV PATH=/program:/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
COPY --chmod=755 train serve /program/
RUN mv /program/serve /opt/server && ln -s /opt/server /program/serve
"""

LOCKED = {"steady-thing": "1.0"}
PLACE = Place("recipes/numbers.yaml", 1, 1)
VARIANT = Variant(
    "numbers",
    "1.0.0",
    (("accelerator", "cpu"),),
    Accelerator("cpu", "", "", (), PLACE),
    Base("debian-12", "debian-12", "", Bootstrap("bookworm", "", ()), PLACE),
    "3.11",
)
TRAINING = TrainSmoke({"training": "smoke/training"}, {"scale": "2"})
ASKING = Invocation("text/csv", "smoke/asked.csv", 200, "", {"/0": 1}, "smoke/labels.json", 0.9)
REFUSED = Invocation("text/plain", "smoke/asked.csv", 415, "", {"/error": "only CSV"}, "", 0.0)
EVERYTHING = Smoke(TRAINING, (ASKING, REFUSED), 20)
QUICK = replace(CONTRACT_LIMITS, load_s=0.3)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "smoke/training").mkdir(parents=True)
    numbers = [(number, number % 2) for number in range(1, 11)]
    lines = "".join(f"{number},{label}\n" for number, label in numbers)
    (root / "smoke/training/numbers.csv").write_text(lines)
    (root / "smoke/asked.csv").write_text("1\n2\n3\n4\n")
    (root / "smoke/labels.json").write_text("[1, 0, 1, 0]")
    return root


@dataclass(frozen=True)
class Forge:
    """Builds the image of a test and smokes it; the image goes with the test."""

    engine: Engine
    base_image: str
    project: Path
    folder: Path
    name: str

    def build(self, *, train: str = TRAIN, serve: str = SERVE, lines: str = "") -> str:
        for name, text in (("train", train), ("serve", serve)):
            (self.folder / name).write_text(text)
        (self.folder / "Dockerfile").write_text(DOCKERFILE + lines)
        process.run(
            [
                *(self.engine.docker, "buildx", "build", "--provenance=false", "--load"),
                *("--build-context", f"base=docker-image://{self.base_image}"),
                *("--tag", self.name, str(self.folder)),
            ],
            env=self.engine.env,
        )
        return self.name

    def smoke(  # noqa: PLR0913 - what is smoked, and every option
        self,
        image: str,
        smoke: Smoke = EVERYTHING,
        *,
        locked: Mapping[str, str] | None = None,
        limits: Limits = QUICK,
        events: list[Event] | None = None,
        cancelled: threading.Event | None = None,
    ) -> SmokeReport:
        program, nothing = "images/numbers/program", SystemPackages((), ())
        recipe = Recipe(
            "numbers", "1.0.0", "", (), (), {}, nothing, (), program, {}, "", smoke, PLACE
        )
        return run_smoke(
            image,
            recipe,
            VARIANT,
            LOCKED if locked is None else locked,
            root=self.project,
            engine=self.engine,
            listener=ignore if events is None else events.append,
            log=self.log,
            limits=limits,
            cancelled=cancelled,
        )

    @property
    def log(self) -> Path:
        return self.folder / "logs" / "smoke.log"


@pytest.fixture
def forge(engine: Engine, base_image: str, project: Path, tmp_path: Path) -> Iterator[Forge]:
    name = f"twinforge-test/smoke:{tmp_path.name.lower()}"
    folder = tmp_path / "image"
    folder.mkdir()
    yield Forge(engine, base_image, project, folder, name)
    with Images(engine) as images:
        images.remove(name)


def failed(report: SmokeReport) -> dict[str, str]:
    """Return the checks that ran and failed, with what they say."""
    return {
        check.id: check.detail
        for check in report.checks
        if not check.passed and not check.detail.startswith(NOT_RUN)
    }


def not_run(report: SmokeReport) -> set[str]:
    return {check.id for check in report.checks if check.detail.startswith(NOT_RUN)}


def left_over(engine: Engine) -> list[str]:
    client = docker.from_env(environment=dict(engine.env))
    try:
        wanted: dict[str, str | list[str] | bool] = {"label": f"{LABEL}={VARIANT.id}"}
        containers = client.containers.list(all=True, filters=wanted)
        volumes = client.volumes.list(filters=wanted)
        return [str(thing) for thing in (*containers, *volumes)]
    finally:
        client.close()


def test_an_image_that_keeps_the_contract_passes_every_check(forge: Forge) -> None:
    events: list[Event] = []
    report = forge.smoke(forge.build(), events=events)
    assert failed(report) == {}
    assert report.passed
    assert tuple(check.id for check in report.checks) == required_checks(EVERYTHING)
    assert report.image_id.startswith("sha256:")
    assert report.variant == "numbers/cpu"
    assert 0 < report.ping_s < 20
    said = {check.id: check.detail for check in report.checks}
    assert said["programs"] == "/program/train and /program/serve"
    assert said["serve.invocations[0]"] == "status 200, /0 is 1, 4 of 4 right (1.000)"
    assert {event.state for event in events} == {State.PROGRESS}
    assert [event.done for event in events] == list(range(1, len(report.checks) + 1))
    assert "learned 10" in forge.log.read_text()


def test_nothing_is_left_on_the_engine(forge: Forge) -> None:
    forge.smoke(forge.build(serve=SERVE.replace("200 if", "500 if")), _quick(EVERYTHING))
    assert left_over(forge.engine) == []


def test_two_images_can_be_smoked_at_once(forge: Forge) -> None:
    image = forge.build()
    reports: list[SmokeReport] = []
    other = replace(forge, folder=forge.folder / "other")
    threads = [
        threading.Thread(target=lambda one=one: reports.append(one.smoke(image)))
        for one in (forge, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [report.passed for report in reports] == [True, True]


def test_a_failed_check_shows_the_end_of_the_containers_log(forge: Forge) -> None:
    # Both on one pipe: between two, the engine promises no order.
    first = "import sys; print('on the way', file=sys.stderr)\nimport nothing_like_it\nimport csv"
    train = TRAIN.replace("import csv", first)
    report = forge.smoke(forge.build(train=train))
    detail = failed(report)["train"]
    assert detail.startswith("'train' ended with status 1\n  | on the way\n")
    assert "No module named 'nothing_like_it'" in detail
    assert "on the way" in forge.log.read_text()


def test_serve_that_is_not_executable_fails_before_it_is_started(forge: Forge) -> None:
    report = forge.smoke(forge.build(lines="RUN chmod 644 /opt/server\n"))
    assert list(failed(report)) == ["programs"]
    assert "no executable 'serve' on the PATH /program:" in failed(report)["programs"]
    image = {"image.no-entrypoint", "image.user", "image.opt-ml-empty", "programs", "installed"}
    binaries = {"binaries.complete", "cuda.none", "cuda.no-driver"}
    assert not_run(report) == set(required_checks(EVERYTHING)) - image - binaries


def test_training_without_a_model_fails_and_serving_does_not_run(forge: Forge) -> None:
    train = TRAIN.replace('(root / "model/learned.json").write_text', "str")
    report = forge.smoke(forge.build(train=train))
    assert list(failed(report)) == ["train"]
    assert failed(report)["train"].startswith(
        "'train' ended with status 0 and left no file in /opt/ml/model\n"
    )
    assert "serve.ping" in not_run(report)
    assert not report.passed


def test_a_link_in_the_model_fails_the_training(forge: Forge) -> None:
    train = TRAIN.replace(
        "except Exception",
        '    (root / "model/latest").symlink_to("learned.json")\nexcept Exception',
    )
    report = forge.smoke(forge.build(train=train))
    assert "'latest' in /opt/ml/model is a link" in failed(report)["train"]


def test_training_that_does_not_end_is_ended(forge: Forge) -> None:
    train = TRAIN.replace('print("learned"', 'import time; time.sleep(600); print("learned"')
    limits = replace(QUICK, train_s=2.0)
    report = forge.smoke(forge.build(train=train), limits=limits)
    assert failed(report)["train"].startswith("'train' did not end within 2 s")


def test_a_ping_that_is_slow_does_not_count(forge: Forge) -> None:
    serve = SERVE.replace("self.answer(200 if", "import time; time.sleep(1); self.answer(200 if")
    limits = replace(QUICK, ping_s=0.2)
    report = forge.smoke(forge.build(serve=serve), _quick(EVERYTHING), limits=limits)
    assert "the last was: no answer within 0.2 s" in failed(report)["serve.ping"]


def test_a_server_that_ends_at_once_is_not_waited_for(forge: Forge) -> None:
    serve = SERVE.replace("import http", "raise SystemExit('no licence')\nimport http")
    report = forge.smoke(forge.build(serve=serve), replace(EVERYTHING, startup_s=600))
    detail = failed(report)["serve.ping"]
    assert detail.startswith("'serve' ended with status 1 before /ping said 200\n")
    assert "no licence" in detail


def test_a_wrong_answer_and_too_low_an_accuracy_fail_just_these_checks(forge: Forge) -> None:
    serve = SERVE.replace("[learned[number] for", "[1 for")
    wrong = replace(ASKING, json={"/1": 0}, labels="")
    smoke = replace(EVERYTHING, invocations=(wrong, ASKING, REFUSED))
    report = forge.smoke(forge.build(serve=serve), smoke)
    said = {name: detail.partition("\n")[0] for name, detail in failed(report).items()}
    assert said["serve.invocations[0]"] == "'/1' is 1, not 0"
    assert said["serve.invocations[1]"] == "2 of 4 answers are right (0.500), asked for is 0.9"
    assert said.keys() - {"serve.invocations[0]", "serve.invocations[1]"} == {
        "serve.unknown-headers",
        "serve.concurrent",
    }
    assert not_run(report) == set()


def test_an_image_without_declared_checks_does_not_pass(forge: Forge) -> None:
    report = forge.smoke(forge.build(), Smoke(None, (), 20))
    assert failed(report) == {}
    assert not_run(report) >= {"train", "serve.ping"}
    assert not report.passed


def test_a_smoke_that_is_cancelled_ends_and_does_not_pass(forge: Forge) -> None:
    train = TRAIN.replace('print("learned"', 'import time; time.sleep(600); print("learned"')
    image = forge.build(train=train)
    cancelled = threading.Event()
    timer = threading.Timer(8.0, cancelled.set)  # long after its start on a busy machine
    timer.start()
    report = forge.smoke(image, cancelled=cancelled)
    timer.join()
    assert failed(report)["train"].startswith("the smoke was stopped")
    assert not report.passed
    assert left_over(forge.engine) == []


def test_an_image_that_is_not_there_is_an_error_and_is_not_pulled(forge: Forge) -> None:
    with pytest.raises(SmokeError, match="the engine has no image 'twinforge-test/absent:1'"):
        forge.smoke("twinforge-test/absent:1")


def _quick(smoke: Smoke) -> Smoke:
    return replace(smoke, startup_s=3)
