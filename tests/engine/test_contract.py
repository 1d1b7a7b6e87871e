"""Each check fails on an image that breaks just its rule."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import docker
import pytest

from tests.engine.keeping import DOCKERFILE, SERVE, TRAIN, Change, commit
from twinforge import process
from twinforge.events import ignore
from twinforge.model.matrix import Accelerator, Base, Bootstrap
from twinforge.model.place import Place
from twinforge.model.recipe import (
    CommandSmoke,
    Invocation,
    Recipe,
    Smoke,
    StopSmoke,
    SystemPackages,
    TrainSmoke,
)
from twinforge.model.variant import Variant
from twinforge.smoke.choice import Choice
from twinforge.smoke.container import LABEL
from twinforge.smoke.contract import (
    CONTRACT_LIMITS,
    NOT_RUN,
    Limits,
    Partner,
    SmokeReport,
    required_checks,
)
from twinforge.smoke.rules import load_rules
from twinforge.smoke.run import run_smoke

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docker import DockerClient

    from twinforge.engine.engine import Engine

pytestmark = pytest.mark.engine

PLACE = Place("recipes/doubles.yaml", 1, 1)
VARIANT = Variant(
    "doubles",
    "1.0.0",
    (("accelerator", "cu129"),),
    Accelerator("cu129", "12.9", "", (), PLACE),
    Base("debian-12", "debian-12", "", Bootstrap("bookworm", "", ()), PLACE),
    "3.11",
)
SMOKE = Smoke(
    TrainSmoke(
        {"training": "training"},
        {"rounds": "5"},
        StopSmoke({"rounds": "20000"}, "round 3"),
        "going on from round",
    ),
    (Invocation("text/csv", "asked.csv", 200, "", {"/0": 3.0, "/1": -4}, "", 0.0),),
    20,
    user="nobody",
    read_only_root=True,
    commands=(CommandSmoke("python", ("python3", "--version"), 0, r"^Python 3\."),),
)
QUICK = replace(CONTRACT_LIMITS, load_s=0.3)
GROUPS = {"image", "train", "train-failures", "train-stop", "serve", "restricted", "pair"}

NO_WAY_OUT = 'open("/proc/net/route").read().count("\\t00000000\\t") or fail("no way out")\nkept ='
PIP = {"/usr/local/bin/pip": ("#!/bin/sh\nsleep 1\n", 0o755)}
SHELL = """#!/bin/sh
/program/server &
child=$!
trap 'kill -TERM $child' TERM
wait $child
wait $child
"""
# For some seconds, it accepts a connection each second, and lets one wait.
RELUCTANT = """    def get_request(self):
        late = bool(posts) and time.monotonic() < self.end
        self.socket.listen(0 if late else 128)
        if late:
            time.sleep(1.2)
        return super().get_request()

    end = time.monotonic() + 1e9

def stop("""
UNDER_LOAD = """    def get_request(self):
        busy = len(running) > 4
        self.socket.listen(1 if busy else 128)
        if busy:
            time.sleep(0.05)
        return super().get_request()

def stop("""


@dataclass(frozen=True)
class Broken:
    """What breaks a rule; ``too`` must fail with it, ``perhaps`` may."""

    change: Change
    says: str
    too: tuple[str, ...] = ()
    smoke: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    perhaps: tuple[str, ...] = ()


BROKEN = {
    "image.no-entrypoint": Broken(
        Change(lines=['ENTRYPOINT ["/usr/bin/env"]']),
        'the image sets ENTRYPOINT to ["/usr/bin/env"]',
        only=("image.*", "programs", "installed"),
    ),
    "image.user": Broken(Change(lines=["USER nobody"]), 'the image sets USER to "nobody"'),
    "image.opt-ml-empty": Broken(
        Change(files={"/opt/ml/model/old.bin": ("weights", 0o644)}),
        "the image has '/opt/ml/model/old.bin', which mounts hide",
    ),
    "programs": Broken(
        Change(files={"/program/serve": (SERVE, 0o644)}), "no executable 'serve' on the PATH"
    ),
    "installed": Broken(
        Change(
            files={
                "/opt/venv/lib/python3.11/site-packages/extra-2.0.dist-info/METADATA": (
                    "Metadata-Version: 2.1\nName: extra\nVersion: 2.0\n",
                    0o644,
                )
            }
        ),
        "extra 2.0 is not in the lock",
    ),
    "image.commands[python]": Broken(
        Change(files={"/program/python3": ("#!/bin/sh\nexit 3\n", 0o755)}),
        "`python3 --version` ended with status 3, not 0",
        only=("image.*",),
    ),
    "train": Broken(
        Change(train={'(root / "model/factor").write_text("2")': "pass"}),
        "'train' ended with status 0 and left no file in /opt/ml/model",
    ),
    "train.no-network": Broken(
        Change(train={"kept =": NO_WAY_OUT}),
        "'train' succeeds with a network, and fails without one",
        too=("train",),
    ),
    "train.no-installer": Broken(
        Change(train={"kept =": 'subprocess.run(["pip", "install", "numpy"])\nkept ='}, files=PIP),
        "while 'train' ran, it started `/bin/sh /usr/local/bin/pip install numpy`",
    ),
    "train.fails-properly": Broken(
        Change(train={"if unknown:": "if unknown and missing:\n    sys.exit(1)\nif unknown:"}),
        "'train' ended with status 1 and did not write /opt/ml/output/failure",
    ),
    "train.unknown-hyperparameter": Broken(
        Change(train={"if unknown:": "if unknown and missing:"}),
        "'train' with an unknown hyperparameter ended with status 0",
    ),
    "train.missing-channel": Broken(
        Change(train={"if missing:": "if False:"}),
        "'train' without its channels ended with status 0",
    ),
    "train.stop": Broken(
        Change(train={"lambda *_: stopped.append(1)": "signal.SIG_IGN"}),
        "after SIGTERM, 'train' did not end within 1 s",
        limits={"train_stop_s": 1.0},
    ),
    "train.checkpoints": Broken(
        Change(train={"kept.write_text(str(number + 1))": "pass"}),
        "'train', stopped in its middle, left no file in /opt/ml/checkpoints",
    ),
    "train.resumes": Broken(
        Change(train={"if kept.is_file() else 0": "if False else 0"}),
        "the log does not say 'going on from round': it began anew",
    ),
    "serve.ping": Broken(
        Change(serve={'{"/ping": 200,': '{"/ping": 503,'}),
        "/ping did not say 200 within 2 s; the last was: status 503",
        smoke={"startup_s": 2},
    ),
    "serve.no-network": Broken(
        Change(serve={"posts = []": 'posts = []\nhas_way_out or sys.exit("no way out")'}),
        "'serve' starts with a network, and does not without one",
        too=("serve.ping",),
    ),
    "model.read-only": Broken(
        Change(serve={"posts = []": 'posts = []\nopen("/opt/ml/model/cache", "w")'}),
        "'serve' starts with /opt/ml/model writable, and does not with it read-only",
        too=("serve.ping",),
    ),
    "serve.invocations[0]": Broken(
        Change(serve={"[factor * number": "[(factor if len(posts) > 1 else 7) * number"}),
        "'/0' is 10.5, not 3.0",
    ),
    "serve.connect": Broken(
        Change(
            serve={
                "def stop(": RELUCTANT,
                "posts.append(1)": "posts.append(1)\n        "
                "server.end = min(server.end, time.monotonic() + 8)",
            }
        ),
        "ms, allowed are 250",
        only=("serve.connect", "serve.stop", "serve.survives", "serve.inv*"),
    ),
    "serve.pid-1": Broken(
        Change(files={"/program/server": (SERVE, 0o755), "/program/serve": (SHELL, 0o755)}),
        "the first process is `/bin/sh /program/serve`, around `python3 /program/server`: use exec",
    ),
    "serve.unknown-headers": Broken(
        Change(
            serve={
                "if not body:": 'if self.headers["X-Request-Id"]:\n            return 400, b"?"\n'
                "        if not body:"
            }
        ),
        "the status is 400, not 200: ?",
    ),
    "serve.keep-alive": Broken(
        Change(serve={'"HTTP/1.1"': '"HTTP/1.0"'}),
        "the connection was closed after the first answer",
    ),
    "serve.wrong-content-type": Broken(
        Change(serve={"return 415,": "return 400,"}),
        "POST /invocations was answered with 400, not 415",
    ),
    "serve.empty-body": Broken(
        Change(serve={'return 400, b"nothing"': 'return 200, b"[]"'}),
        "POST /invocations was answered with 200, not 4xx",
    ),
    "serve.malformed-body": Broken(
        Change(serve={'return 400, b"no numbers"': 'return 500, b"ValueError"'}),
        "POST /invocations was answered with 500, not 4xx",
    ),
    "serve.unknown-path": Broken(
        Change(serve={"known.get(self.path, 404)": "known.get(self.path, 200)"}),
        "GET /twinforge/nothing-is-here was answered with 200, not 404",
    ),
    "serve.wrong-method": Broken(
        Change(serve={'"/invocations": 405': '"/invocations": 200'}),
        "GET /invocations was answered with 200, not 405",
    ),
    "serve.large-body": Broken(
        Change(
            serve={
                "if not body:": 'if len(body) > 6_000_000:\n            return 500, b"?"\n'
                "        if not body:"
            }
        ),
        "a body of 26,214,400 bytes was answered with 500",
    ),
    "serve.concurrent": Broken(
        Change(
            serve={
                "if not body:": "time.sleep(0.05)\n        if len(running) > 16:\n"
                '            return 500, b"too many"\n        if not body:'
            }
        ),
        "the status is 500, not 200: too many",
    ),
    "serve.ping-under-load": Broken(
        Change(
            serve={
                "if not body:": "time.sleep(0.05)\n        if not body:",
                '{"/ping": 200,': '{"/ping": 500 if len(running) > 16 else 200,',
            }
        ),
        "pings under load failed: status 500",
        limits={"load_s": 1.5},
    ),
    "serve.connect-under-load": Broken(
        Change(
            serve={
                "if not body:": "time.sleep(0.05)\n        if not body:",
                "def stop(": UNDER_LOAD,
            }
        ),
        "connections took longer than 250 ms, the slowest after ",
        # What can't connect for long enough gets no answer either.
        perhaps=("serve.concurrent", "serve.ping-under-load"),
    ),
    "serve.survives": Broken(
        Change(
            serve={
                "if not body:": "if len(body) > 6_000_000:\n            posts.clear()\n"
                "        if not body:",
                '{"/ping": 200,': '{"/ping": 200 if posts or not factor else 500,',
                "posts = []": "posts = [1]",
            }
        ),
        "/ping says 500 after the requests",
        only=("serve.large-body", "serve.inv*", "serve.survives"),
    ),
    "serve.no-installer": Broken(
        Change(
            serve={"posts = []": 'posts = []\nsubprocess.Popen(["pip", "install", "numpy"])'},
            files=PIP,
        ),
        "while 'serve' ran, it started `/bin/sh /usr/local/bin/pip install numpy`",
    ),
    "serve.stop": Broken(
        Change(serve={"(signal.SIGTERM, stop)": "(signal.SIGTERM, signal.SIG_IGN)"}),
        "after SIGTERM, 'serve' did not end within 1 s",
        smoke={"stop_s": 1},
    ),
    "serve.bind-port": Broken(
        Change(serve={'int(os.environ.get("SAGEMAKER_BIND_TO_PORT", 8080))': "8080"}),
        "/ping did not say 200 within 2 s",
        smoke={"startup_s": 2},
    ),
    "serve.user": Broken(
        Change(serve={"posts = []": 'posts = []\nos.getuid() and sys.exit("not root")'}),
        "'serve' ended with status 1 before /ping said 200",
    ),
    "serve.read-only-root": Broken(
        Change(serve={"posts = []": 'posts = []\nopen("/var/state", "w")'}),
        "'serve' ended with status 1 before /ping said 200",
        only=("serve.read-only-root",),
    ),
    "train.read-only-root": Broken(
        Change(train={"kept =": 'open("/var/state", "w")\nkept ='}), "'train' ended with status 1"
    ),
}


@pytest.fixture(scope="module")
def client(engine: Engine) -> Iterator[DockerClient]:
    found = docker.from_env(environment=dict(engine.env))
    yield found
    found.close()


@pytest.fixture(scope="module")
def good(
    engine: Engine,
    base_image: str,
    client: DockerClient,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """An image that keeps the whole contract; all others are made from it without a build."""
    folder = tmp_path_factory.mktemp("good")
    for name, text in (("train", TRAIN), ("serve", SERVE), ("Dockerfile", DOCKERFILE)):
        (folder / name).write_text(text)
    name = f"twinforge-test/contract:{folder.parent.name}"
    process.run(
        [
            *(engine.docker, "buildx", "build", "--provenance=false", "--load"),
            *("--build-context", f"base=docker-image://{base_image}"),
            *("--tag", name, str(folder)),
        ],
        env=engine.env,
    )
    yield name
    client.images.remove(name, force=True)


@dataclass(frozen=True)
class Bench:
    engine: Engine
    client: DockerClient
    good: str
    folder: Path
    made: list[str] = field(default_factory=list)

    def image(self, change: Change) -> str:
        self.made.append(commit(self.client, self.good, change))
        return self.made[-1]

    def smoke(
        self,
        image: str,
        smoke: Smoke = SMOKE,
        *,
        limits: Limits = QUICK,
        only: tuple[str, ...] = (),
        partner: Partner | None = None,
    ) -> SmokeReport:
        nothing = SystemPackages((), ())
        recipe = Recipe(
            "doubles", "1.0.0", "", (), (), {}, nothing, (), "program", {}, "", smoke, PLACE
        )
        return run_smoke(
            image,
            recipe,
            VARIANT,
            {"steady-thing": "1.0"},
            root=self.folder,
            engine=self.engine,
            listener=ignore,
            log=self.folder / "smoke.log",
            limits=limits,
            choice=Choice(only),
            partner=partner,
        )


@pytest.fixture
def bench(engine: Engine, client: DockerClient, good: str, tmp_path: Path) -> Iterator[Bench]:
    (tmp_path / "training").mkdir()
    (tmp_path / "training/numbers.csv").write_text("1\n")
    (tmp_path / "asked.csv").write_text("1.5\n-2\n")
    made = Bench(engine, client, good, tmp_path)
    yield made
    for image in made.made:
        client.images.remove(image, force=True)


def failed(report: SmokeReport) -> dict[str, str]:
    """Return the checks that ran and failed, with what they say."""
    return {one.id: one.detail for one in report.checks if not one.passed and one.ran}


def in_the_group_of(name: str) -> tuple[str, ...]:
    """Return the checks that have most in common with another."""
    group = next(one.group for one in load_rules() if one.id == name.partition("[")[0])
    return tuple(f"{one.id}*" for one in load_rules() if one.group == group and one.id != "pair.*")


def test_an_image_that_keeps_the_whole_contract_passes_every_check(bench: Bench) -> None:
    partner = Partner("doubles/cpu", bench.image(Change()))
    report = bench.smoke(bench.good, partner=partner)
    assert failed(report) == {}
    assert report.passed
    required = required_checks(SMOKE, cuda="12.9", partner=partner)
    assert tuple(one.id for one in report.checks) == required
    assert all(one.passed for one in report.checks)
    said = {one.id: one.detail for one in report.checks}
    assert said["train.resumes"].startswith("'going on from round', status 0, factor (1 bytes)")
    assert said["serve.large-body"].startswith("status 200 after ")
    assert said["pair.same-answers"] == "1 answers, the same from doubles/cpu with the same model"


@pytest.mark.parametrize("name", BROKEN)
def test_a_check_fails_on_an_image_that_breaks_just_its_rule(bench: Bench, name: str) -> None:
    broken = BROKEN[name]
    needs_training = name.startswith("train")
    smoke = SMOKE if needs_training else replace(SMOKE, train=None)
    report = bench.smoke(
        bench.image(broken.change),
        replace(smoke, **broken.smoke),
        limits=replace(QUICK, **broken.limits),
        only=broken.only or in_the_group_of(name),
    )
    said = failed(report)
    assert said.keys() >= {name, *broken.too}, said
    assert said.keys() <= {name, *broken.too, *broken.perhaps}, said
    assert broken.says in said[name]


def test_a_cuda_image_that_answers_otherwise_than_the_cpu_image_fails(bench: Bench) -> None:
    change = Change(serve={"[factor * number": "[1.0001 * factor * number"})
    partner = Partner("doubles/cpu", bench.image(change))
    report = bench.smoke(bench.good, only=("pair.*",), partner=partner)
    assert failed(report) == {
        "pair.same-answers": failed(report)["pair.same-answers"],
    }
    assert failed(report)["pair.same-answers"].startswith(
        "serve.invocations[0], this image and doubles/cpu: at '/0' they say 3.0 and 3.0003"
    )


def test_a_partner_that_is_not_built_is_told_and_keeps_nothing_back(bench: Bench) -> None:
    report = bench.smoke(
        bench.good, only=("pair.*", "serve.inv*"), partner=Partner("doubles/cpu", "")
    )
    pair = report.checks[-1]
    assert pair.detail == f"{NOT_RUN}: doubles/cpu is not built here"
    assert (pair.passed, pair.is_good) == (False, True)


def test_every_rule_is_broken_by_an_image() -> None:
    rules = {one.id for one in load_rules() if one.group in GROUPS}
    broken = {name.partition("[")[0] for name in BROKEN}
    assert rules - broken == {"pair.same-answers"}
    assert {one.group for one in load_rules()} >= GROUPS


def test_a_part_of_the_checks_brings_what_it_needs_and_passes_nothing(bench: Bench) -> None:
    report = bench.smoke(bench.good, only=("serve.stop",))
    assert [one.id for one in report.checks] == ["programs", "train", "serve.ping", "serve.stop"]
    assert all(one.passed for one in report.checks)
    assert not report.passed


def test_nothing_is_left_on_the_engine_whatever_failed(bench: Bench) -> None:
    bench.smoke(bench.image(BROKEN["serve.ping"].change), replace(SMOKE, startup_s=2))
    wanted: dict[str, str | list[str] | bool] = {"label": f"{LABEL}={VARIANT.id}"}
    assert bench.client.containers.list(all=True, filters=wanted) == []
    assert bench.client.volumes.list(filters=wanted) == []
    assert bench.client.networks.list(filters=wanted) == []
