"""Each check fails on an image that breaks just its rule: a folder of ``tests/projects``."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from threading import RLock
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import docker
import pytest

from tests.engine.laying import (
    BROKEN,
    KEEPING,
    PROJECTS,
    base_of,
    is_over,
    lay,
    load_broken,
    recipe_of,
)
from twinforge.compat.instances import find_instance
from twinforge.compat.machines import Machine
from twinforge.events import ignore
from twinforge.model.load import load_project
from twinforge.smoke.choice import Choice
from twinforge.smoke.container import LABEL
from twinforge.smoke.contract import CONTRACT_LIMITS, NOT_RUN, Partner, SmokeReport, required_checks
from twinforge.smoke.device import DeviceAsked
from twinforge.smoke.rules import load_rules
from twinforge.smoke.run import run_smoke

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from docker import DockerClient

    from twinforge.engine.engine import Engine
    from twinforge.events import Event

pytestmark = pytest.mark.engine

AT_ONCE = 4
"""Images that are smoked at a time: most of it is waiting for containers."""

PROJECT = load_project(PROJECTS / "keeping")
RECIPE = PROJECT.recipe("keeping")
CPU_VARIANT, CUDA_VARIANT = (
    # another label than that of a run of these tests beside this one, on the same engine
    replace(one, recipe=f"keeping-{uuid4().hex[:8]}")
    for one in PROJECT.variants
)
CPU_IMAGE, CUDA_IMAGE = "keeping", "keeping-cuda"
ALL = (*KEEPING, *BROKEN)
LOCKED = {"steady-thing": "1.0"}
WHEELS = {"nvidia-cuda-runtime-cu12": "12.9.79"}
MOST_CHARACTERS = 3000
"""Of what one check says: the first lines of a reason, and the last of a log."""

QUICK = replace(CONTRACT_LIMITS, load_s=0.3)


@dataclass(frozen=True)
class Bench:
    """The images that were made, by their folders, and how they are smoked; for several threads."""

    engine: Engine
    client: DockerClient
    folder: Path
    images: dict[str, str]
    run: str = field(default_factory=lambda: uuid4().hex[:8])
    lock: RLock = field(default_factory=RLock)

    def image(self, name: str) -> str:
        with self.lock:
            if name not in self.images:
                tag = f"twinforge-test/{name}:{self.run}"
                lay(self.client, self.image(base_of(name)), name, tag)
                self.images[name] = tag
            return self.images[name]

    def remove(self, name: str) -> None:
        with self.lock:  # what an image has in common with one that is just made stays
            self.client.images.remove(self.images.pop(name), force=True)

    def smoke(self, name: str, *, partner: str | None = None, **other: Any) -> SmokeReport:
        """Smoke the image of a folder.

        Args:
            name: Of the folder.
            partner: That of the CPU image to compare with; empty where that is not built.
            other: What is other than the whole contract: ``smoke``, ``limits``, ``only``,
                ``cancelled``, ``listener``.
        """
        compared = None
        if partner is not None:
            compared = Partner("keeping/cpu", partner and self.image(partner))
        has_cuda = is_over(name, CUDA_IMAGE)
        variant = CUDA_VARIANT if has_cuda else CPU_VARIANT
        serves = [Machine(find_instance(one.instance), one.use) for one in PROJECT.matrix.serves]
        return run_smoke(
            self.image(name),
            replace(RECIPE, smoke=other.get("smoke", RECIPE.smoke)),
            variant,
            LOCKED | (WHEELS if has_cuda else {}),
            root=PROJECTS / "keeping",
            engine=self.engine,
            listener=other.get("listener", ignore),
            log=self.folder / f"{name}-{uuid4().hex}.log",
            limits=other.get("limits", QUICK),
            choice=Choice(other.get("only", ())),
            cancelled=other.get("cancelled"),
            partner=compared,
            device=DeviceAsked(cuda="12.9", wheels=WHEELS, machines=tuple(serves))
            if has_cuda
            else DeviceAsked(),
        )

    def left(self) -> list[object]:
        """Return what is still on the engine of all that was smoked."""
        wanted: list[dict[str, Any]] = [
            {"label": f"{LABEL}={one.id}"} for one in (CPU_VARIANT, CUDA_VARIANT)
        ]
        client = self.client
        return [
            *(one for by in wanted for one in client.containers.list(all=True, filters=by)),
            *(one for by in wanted for one in client.volumes.list(filters=by)),
            *(one for by in wanted for one in client.networks.list(filters=by)),
        ]

    def try_folder(self, name: str) -> SmokeReport:
        """Smoke an image as its folder says: a broken one by the checks of the rule's group."""
        if name in KEEPING:
            return self.smoke(name, partner=CPU_IMAGE if is_over(name, CUDA_IMAGE) else None)
        broken = load_broken(name)
        smoke = recipe_of(name).smoke
        if not broken.check.startswith("train"):
            smoke = replace(smoke, train=None)  # a model is not needed, and takes its time
        try:
            return self.smoke(
                name,
                partner=CPU_IMAGE if broken.check.startswith("pair") else None,
                smoke=smoke,
                limits=replace(QUICK, **broken.limits),
                only=broken.only or in_the_group_of(broken.check),
            )
        finally:
            self.remove(name)


@pytest.fixture(scope="module")
def bench(
    engine: Engine, base_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    # the engine may be busy with others' images of gigabytes
    client = docker.from_env(environment=dict(engine.env), timeout=600)
    made = Bench(engine, client, tmp_path_factory.mktemp("contract"), {"base": base_image})
    yield made
    del made.images["base"]
    for name in reversed(tuple(made.images)):
        made.remove(name)
    client.close()


@pytest.fixture(scope="module")
def reports(
    request: pytest.FixtureRequest, bench: Bench
) -> Iterator[Mapping[str, Future[SmokeReport]]]:
    """What comes of the images that the chosen tests name; they are smoked some at a time."""
    asked = [getattr(one, "callspec", None) for one in request.session.items]
    names = [one.params["name"] for one in asked if one and one.params.get("name") in ALL]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {name: pool.submit(bench.try_folder, name) for name in dict.fromkeys(names)}
        pool.shutdown(cancel_futures=True)


def failed(report: SmokeReport) -> dict[str, str]:
    """Return the checks that ran and failed, with what they say."""
    return {one.id: one.detail for one in report.checks if not one.passed and one.ran}


def in_the_group_of(name: str) -> tuple[str, ...]:
    """Return the checks that have most in common with another."""
    rules = load_rules()
    group = next(one.group for one in rules if one.id == name.partition("[")[0])
    return tuple(f"{one.id}[*" if one.each else one.id for one in rules if one.group == group)


@pytest.mark.parametrize("name", KEEPING)
def test_an_image_that_keeps_the_whole_contract_passes_every_check(
    reports: Mapping[str, Future[SmokeReport]], name: str
) -> None:
    report = reports[name].result()
    assert failed(report) == {}
    assert report.passed
    assert all(one.passed for one in report.checks)
    said = {one.id: one.detail for one in report.checks}
    cuda, partner = ("12.9", Partner("", "")) if is_over(name, CUDA_IMAGE) else ("", None)
    assert tuple(said) == required_checks(RECIPE.smoke, cuda=cuda, partner=partner)
    assert said["train.resumes"].startswith("'going on from round', status 0, factor (1 bytes)")
    assert said["serve.large-body"].startswith("status 200 after ")
    if cuda:
        assert said["cuda.architectures"] == "1 files with code for sm_75 (ml.g4dn.xlarge)"
        assert (
            said["pair.same-answers"] == "1 answers, the same from keeping/cpu with the same model"
        )


@pytest.mark.parametrize("name", BROKEN)
def test_a_check_fails_on_an_image_that_breaks_just_its_rule(
    reports: Mapping[str, Future[SmokeReport]], name: str
) -> None:
    broken = load_broken(name)
    said = failed(reports[name].result())
    assert said.keys() >= {broken.check, *broken.too}, said
    assert said.keys() <= {broken.check, *broken.too, *broken.perhaps}, said
    assert broken.says in said[broken.check]
    assert max(map(len, said.values())) < MOST_CHARACTERS


@pytest.mark.parametrize("name", ["broken-serve.ping"])
def test_nothing_is_left_on_the_engine_whatever_failed(
    reports: Mapping[str, Future[SmokeReport]], bench: Bench, name: str
) -> None:
    assert not reports[name].result().passed
    wait(reports.values())
    assert bench.left() == []


def test_a_stop_does_not_wait_for_answers_that_never_come(bench: Bench) -> None:
    cancelled = threading.Event()
    started = []

    def stop_soon(event: Event) -> None:
        if event.text == "serve.ping":
            threading.Timer(1.0, cancelled.set).start()
            started.append(time.monotonic())

    report = bench.smoke(
        "broken-serve.concurrent_hangs",
        smoke=replace(RECIPE.smoke, train=None),
        only=("serve.concurrent",),
        cancelled=cancelled,
        listener=stop_soon,
    )
    assert time.monotonic() - started[0] < 40  # an answer may take 60 s
    assert failed(report) == {"serve.concurrent": "the smoke was stopped"}
    assert bench.left() == []


def test_a_stop_that_came_before_starts_nothing_and_passes_nothing(bench: Bench) -> None:
    cancelled = threading.Event()
    cancelled.set()
    report = bench.smoke(CPU_IMAGE, cancelled=cancelled)
    assert {one.detail for one in report.checks} == {
        f"{NOT_RUN}: the smoke was stopped; a check that did not run is not a pass"
    }


def test_a_partner_that_is_not_built_is_told_and_keeps_nothing_back(bench: Bench) -> None:
    smoke = replace(RECIPE.smoke, train=None)
    report = bench.smoke(CUDA_IMAGE, partner="", smoke=smoke, only=("pair.*", "serve.inv*"))
    pair = report.checks[-1]
    assert pair.detail == f"{NOT_RUN}: keeping/cpu is not built here"
    assert (pair.passed, pair.is_good) == (False, True)


def test_a_part_of_the_checks_brings_what_it_needs_and_passes_nothing(bench: Bench) -> None:
    report = bench.smoke(CPU_IMAGE, only=("serve.stop",))
    assert [one.id for one in report.checks] == ["programs", "train", "serve.ping", "serve.stop"]
    assert all(one.passed for one in report.checks)
    assert not report.passed
