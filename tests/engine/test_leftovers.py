"""What the smokes of one machine leave to each other, and what they never ask for."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import docker
import pytest
from docker.errors import NotFound

from twinforge.errors import SmokeError
from twinforge.smoke.container import open_containers
from twinforge.smoke.leftovers import OWNER, own_label

if TYPE_CHECKING:
    from collections.abc import Iterator

    from docker import DockerClient

    from twinforge.engine.engine import Engine

pytestmark = pytest.mark.engine

LABELLED = "leftovers"


@pytest.fixture
def client(engine: Engine) -> Iterator[DockerClient]:
    found = docker.from_env(environment=dict(engine.env))
    yield found
    found.close()


def test_a_stop_that_came_before_reads_no_image(engine: Engine, base_image: str) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with (
        open_containers(engine, label=LABELLED, cancelled=cancelled) as containers,
        pytest.raises(SmokeError, match="the smoke was stopped"),
        containers.files(base_image) as files,
    ):
        files.read()


def test_what_a_killed_run_left_goes_with_the_next_and_nothing_of_others(
    engine: Engine, client: DockerClient, base_image: str
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
        container = client.containers.create(base_image, ["train"], labels=labels)
        volume = client.volumes.create(labels=labels)
        network = client.networks.create(f"shapes-{name}-{os.getpid()}", labels=labels)
        made[name] = (container, volume, network)
    with open_containers(engine, label=LABELLED, cancelled=threading.Event()):
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
        open_containers(engine, label=LABELLED, cancelled=threading.Event()) as containers,
        pytest.raises(SmokeError, match=f"the engine has the image '{gone}' no longer"),
        containers.start(gone, ["serve"]),
    ):
        pytest.fail("it started")
