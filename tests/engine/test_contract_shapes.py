"""Images of shapes that the contract's own broken ones do not have, and what is said of them."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import docker
import pytest
from docker.errors import NotFound

from tests.engine.keeping import DOCKERFILE, SERVE, TRAIN, Change, commit
from twinforge import process
from twinforge.errors import SmokeError
from twinforge.events import ignore
from twinforge.model.matrix import Accelerator, Base, Bootstrap
from twinforge.model.place import Place
from twinforge.model.recipe import Invocation, Recipe, Smoke, SystemPackages, TrainSmoke
from twinforge.model.variant import Variant
from twinforge.smoke.choice import Choice
from twinforge.smoke.container import LABEL, open_containers
from twinforge.smoke.contract import CONTRACT_LIMITS, NOT_RUN
from twinforge.smoke.leftovers import OWNER, own_label
from twinforge.smoke.run import run_smoke

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from docker import DockerClient

    from twinforge.engine.engine import Engine
    from twinforge.events import Event, Listener
    from twinforge.smoke.contract import Check, Limits

pytestmark = pytest.mark.engine

PLACE = Place("recipes/shapes.yaml", 1, 1)
VARIANT = Variant(
    "shapes",
    "1.0.0",
    (("accelerator", "cpu"),),
    Accelerator("cpu", "", "", (), PLACE),
    Base("debian-12", "debian-12", "", Bootstrap("bookworm", "", ()), PLACE),
    "3.11",
)
TRAINING = TrainSmoke({"training": "training"}, {"rounds": "2"})
ASKING = Invocation("text/csv", "asked.csv", 200, "", {"/0": 3.0}, "", 0.0)
SMOKE = Smoke(None, (ASKING,), 20)
QUICK = replace(CONTRACT_LIMITS, load_s=0.3)
SAYS_WHY = '(root / "output/failure").write_text(reason)'
LEAVES = '(root / "model/factor").write_text("2")'
HANDLES = "signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))"
ANSWERS = "if not body:"


@dataclass(frozen=True)
class Bench:
    engine: Engine
    client: DockerClient
    good: str
    folder: Path
    made: list[str] = field(default_factory=list)

    def checks(
        self,
        change: Change,
        *only: str,
        smoke: Smoke = SMOKE,
        limits: Limits = QUICK,
        cancelled: threading.Event | None = None,
        listener: Listener = ignore,
    ) -> dict[str, Check]:
        self.made.append(commit(self.client, self.good, change))
        nothing = SystemPackages((), ())
        recipe = Recipe(
            "shapes", "1.0.0", "", (), (), {}, nothing, (), "program", {}, "", smoke, PLACE
        )
        report = run_smoke(
            self.made[-1],
            recipe,
            VARIANT,
            {"steady-thing": "1.0"},
            root=self.folder,
            engine=self.engine,
            listener=listener,
            log=self.folder / "smoke.log",
            limits=limits,
            choice=Choice(only),
            cancelled=cancelled,
        )
        return {one.id: one for one in report.checks}

    def failed(self, change: Change, *only: str, **options: Any) -> dict[str, str]:
        """Return the first line of what each check says that did not pass."""
        found = self.checks(change, *only, **options)
        return {
            name: one.detail.partition("\n")[0] for name, one in found.items() if not one.passed
        }

    def left(self) -> list[object]:
        wanted: dict[str, str | list[str] | bool] = {"label": f"{LABEL}={VARIANT.id}"}
        return [
            *self.client.containers.list(all=True, filters=wanted),
            *self.client.volumes.list(filters=wanted),
            *self.client.networks.list(filters=wanted),
        ]


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
    folder = tmp_path_factory.mktemp("shapes")
    for name, text in (("train", TRAIN), ("serve", SERVE), ("Dockerfile", DOCKERFILE)):
        (folder / name).write_text(text)
    name = f"twinforge-test/shapes:{folder.parent.name}"
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


@pytest.fixture
def bench(engine: Engine, client: DockerClient, good: str, tmp_path: Path) -> Iterator[Bench]:
    (tmp_path / "training").mkdir()
    (tmp_path / "training/numbers.csv").write_text("1\n")
    (tmp_path / "asked.csv").write_text("1.5\n-2\n")
    made = Bench(engine, client, good, tmp_path)
    yield made
    for image in made.made:
        client.images.remove(image, force=True)


def test_what_an_image_says_of_itself_is_looked_at_behind_links_and_variables(
    bench: Bench,
) -> None:
    change = Change(
        files={
            "/data/model/old.bin": ("weights", 0o644),
            "/opt/more/numpy-9.dist-info/METADATA": (
                "Metadata-Version: 2.1\nName: numpy\nVersion: 9\n",
                0o644,
            ),
            "/opt/more/broken-1.dist-info/RECORD": ("", 0o644),
        },
        lines=[
            "RUN ln -s /data /opt/ml",
            "ENV PYTHONPATH=/opt/more",
            "STOPSIGNAL SIGQUIT",
            "USER 00:0",
            'CMD ["/bin/bash"]',
        ],
    )
    assert bench.failed(change, "image.*", "installed", "serve.stop") == {
        "image.opt-ml-empty": "the image has '/opt/ml/model/old.bin', which mounts hide",
        "installed": "in /opt/more lies a package without a name; numpy 9 is not in the lock",
        "serve.stop": (
            "the image sets STOPSIGNAL to SIGQUIT, so that 'serve' gets that from `docker stop`, "
            "and no SIGTERM"
        ),
    }


@pytest.mark.parametrize(
    ("instead", "told"),
    [
        ('(root / "output/failure").symlink_to("/nowhere")', "a link"),
        ('(root / "output/failure").mkdir()', "a folder"),
    ],
)
def test_a_failure_file_that_is_none_is_told_and_crashes_nothing(
    bench: Bench, instead: str, told: str
) -> None:
    change = Change(train={SAYS_WHY: instead})
    smoke = replace(SMOKE, train=TRAINING)
    assert bench.failed(change, "train.fails-properly", smoke=smoke) == {
        "train.fails-properly": f"/opt/ml/output/failure is {told}, and no file"
    }


def test_of_a_long_failure_no_more_is_shown_than_the_platform_shows(bench: Bench) -> None:
    change = Change(train={SAYS_WHY: '(root / "output/failure").write_text("x" * 5_000_000)'})
    checks = bench.checks(
        change,
        "train.fails-properly",
        "train.unknown-hyperparameter",
        smoke=replace(SMOKE, train=TRAINING),
    )
    assert checks["train.fails-properly"].detail == f"status 1: {'x' * 200}"
    assert len(checks["train.unknown-hyperparameter"].detail) < 1300


def test_a_run_that_hears_no_sigterm_fails_although_it_ends_soon(bench: Bench) -> None:
    training = replace(TRAINING, hyperparameters={"rounds": "130"})
    change = Change(train={HANDLES: "pass"})
    failed = bench.failed(change, "train.stop", smoke=replace(SMOKE, train=training))
    assert list(failed) == ["train.stop"]
    assert failed["train.stop"].startswith("SIGTERM does nothing: the first process has no handler")


def test_what_is_installed_beside_the_packages_is_seen_without_a_process(bench: Bench) -> None:
    installs = (
        'place = pathlib.Path("/srv/own/numpy-2.0.dist-info")\n'
        "place.mkdir(parents=True)\n"
        '(place / "METADATA").write_text("x")\n'
    )
    failed = bench.failed(
        Change(train={LEAVES: installs + LEAVES}),
        "train.no-installer",
        smoke=replace(SMOKE, train=TRAINING),
    )
    assert failed == {
        "train.no-installer": (
            "while 'train' ran, it changed the installed packages: /srv/own/numpy-2.0.dist-info "
            "and 1 more"
        )
    }


def test_where_serve_ends_in_between_one_check_says_so_and_no_other_is_passed(
    bench: Bench,
) -> None:
    change = Change(serve={ANSWERS: f"os._exit(3)\n        {ANSWERS}"})
    failed = bench.failed(
        change, "serve.inv*", "serve.keep-alive", "serve.concurrent", "serve.stop"
    )
    first, *others = failed.items()
    assert first[0] == "serve.invocations[0]"
    assert first[1].startswith("'serve' ended with status 3: no answer: ")
    assert dict(others) == dict.fromkeys(
        ["serve.keep-alive", "serve.concurrent", "serve.stop"],
        f"{NOT_RUN}: 'serve' ended with status 3 before",
    )


def test_a_stop_does_not_wait_for_answers_that_never_come(bench: Bench) -> None:
    hangs = f"time.sleep(600)\n        {ANSWERS}"
    cancelled = threading.Event()
    started = []

    def stop_soon(event: Event) -> None:
        if event.text == "serve.ping":
            threading.Timer(1.0, cancelled.set).start()
            started.append(time.monotonic())

    failed = bench.failed(
        Change(serve={ANSWERS: hangs}), "serve.concurrent", cancelled=cancelled, listener=stop_soon
    )
    assert time.monotonic() - started[0] < 40  # an answer may take 60 s
    assert failed == {"serve.concurrent": "the smoke was stopped"}
    assert bench.left() == []


def test_a_stop_that_came_before_starts_nothing_and_passes_nothing(bench: Bench) -> None:
    cancelled = threading.Event()
    cancelled.set()
    checks = bench.checks(Change(), cancelled=cancelled)
    assert {one.detail for one in checks.values()} == {
        f"{NOT_RUN}: the smoke was stopped; a check that did not run is not a pass"
    }
    with (
        open_containers(bench.engine, label=VARIANT.id, cancelled=cancelled) as containers,
        pytest.raises(SmokeError, match="the smoke was stopped"),
        containers.files(bench.client.images.get(bench.good).id or "") as files,
    ):
        files.read()
    assert bench.left() == []


def test_what_a_killed_run_left_goes_with_the_next_and_nothing_of_others(
    bench: Bench,
) -> None:
    where, _, _ = own_label().partition("/")
    dead = 2**22 + 1  # no process has a number beyond the kernel's most
    owners = {
        "left": f"{where}/{dead}/1",
        "reused": f"{where}/{os.getpid()}/1",
        "own": own_label(),
        "other": f"other-{where}/{dead}/1",
        "none": "",
    }
    made: dict[str, tuple[Any, ...]] = {}
    for name, owner in owners.items():
        labels = {OWNER: owner}
        container = bench.client.containers.create(bench.good, ["train"], labels=labels)
        volume = bench.client.volumes.create(labels=labels)
        network = bench.client.networks.create(f"shapes-{name}-{os.getpid()}", labels=labels)
        made[name] = (container, volume, network)
    with open_containers(bench.engine, label=VARIANT.id, cancelled=threading.Event()):
        pass
    still: dict[str, list[bool]] = {}
    for name, things in made.items():
        for thing in things:
            try:
                thing.reload()
                still.setdefault(name, []).append(True)
                thing.remove()
            except NotFound:
                still.setdefault(name, []).append(False)
    assert still == {
        "left": [False] * 3,
        "reused": [False] * 3,
        "own": [True] * 3,
        "other": [True] * 3,
        "none": [True] * 3,
    }


def test_an_image_that_went_away_is_not_looked_for_in_a_registry(engine: Engine) -> None:
    gone = f"sha256:{'0' * 64}"
    with (
        open_containers(engine, label=VARIANT.id, cancelled=threading.Event()) as containers,
        pytest.raises(SmokeError, match=f"the engine has the image '{gone}' no longer"),
        containers.start(gone, ["serve"]),
    ):
        pytest.fail("it started")
