"""Pushes and promotions that end in the middle of a large layer, and what the next one sends."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.engine.resume_child import LAYER_BYTES, run
from tests.faulty_registry import FaultyRegistry, faulty_registry
from tests.registry_server import RegistryServer, running_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twinforge.registry.items import Pushed

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
HELD = 6 << 20
"""Where the registry stops reading: the process ends when it can send no more."""

ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    with running_registry(tmp_path_factory.mktemp("registry"), behind_proxy=True) as found:
        yield found


@pytest.fixture
def proxy(server: RegistryServer) -> Iterator[FaultyRegistry]:
    with faulty_registry(server) as found:
        yield found


@pytest.fixture
def order(proxy: FaultyRegistry, tmp_path: Path) -> dict[str, str]:
    return {
        "host": proxy.host,
        "repository": f"ml/{tmp_path.name.replace('_', '-').lower()}",
        "username": proxy.upstream.username,
        "password": proxy.upstream.password,
        "folder": str(tmp_path),
    }


@contextmanager
def held(proxy: FaultyRegistry, order: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A push that waits in the middle of its layer; afterwards the registry reads on, to its end."""
    proxy.hold_at = HELD
    with subprocess.Popen(
        [sys.executable, "-m", "tests.engine.resume_child"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as child:
        assert child.stdin is not None
        child.stdin.write(json.dumps(order))
        child.stdin.close()
        assert proxy.reached.wait(60)
        proxy.read.clear()  # the configuration, which is small, has been read
        yield child
        proxy.hold_at = -1
        proxy.released.set()
        child.wait(30)
    assert proxy.read.wait(30)


def layer_parts(proxy: FaultyRegistry) -> list[int]:
    """Return how many bytes of the layer each request brought; the configuration is left out."""
    return [count for count in proxy.patched if count > 1000]


def begun(order: dict[str, str]) -> list[Path]:
    return list(Path(order["folder"]).glob("uploads/*/upload.json"))


def check_arrived(server: RegistryServer, order: dict[str, str], pushed: Pushed) -> int:
    """Check that the registry has just this image, and return the size of its layer."""
    root = server.storage / "docker/registry/v2"
    link = root / "repositories" / order["repository"] / "_manifests/tags/latest-cpu/current/link"
    assert link.read_text() == str(pushed.digest)

    def read(digest: str) -> bytes:
        name = digest.removeprefix("sha256:")
        data = (root / "blobs/sha256" / name[:2] / name / "data").read_bytes()
        assert hashlib.sha256(data).hexdigest() == name
        return data

    (layer,) = json.loads(read(str(pushed.digest)))["layers"]
    assert len(read(layer["digest"])) == layer["size"] > LAYER_BYTES
    size: int = layer["size"]
    return size


def test_a_push_that_is_told_to_stop_is_gone_on_with_in_the_middle_of_a_layer(
    server: RegistryServer, proxy: FaultyRegistry, order: dict[str, str]
) -> None:
    """Docker's own registry keeps nothing of a request that is cut, and all of one that has ended."""
    with held(proxy, order) as child:
        child.send_signal(signal.SIGTERM)
        assert child.stdout is not None
        assert child.stdout.readline() == "stopping\n"
    assert child.returncode == 130
    (sent,) = layer_parts(proxy)
    assert HELD < sent < LAYER_BYTES
    (state,) = begun(order)
    assert state.parents[1].stat().st_mode & 0o077 == 0
    pushed = run(order)
    size = check_arrived(server, order, pushed)
    assert layer_parts(proxy) == [sent, size - sent]
    assert size - sent <= pushed.bytes_sent < size - sent + 1000
    assert begun(order) == []


def test_a_promotion_that_is_told_to_stop_is_gone_on_with_in_the_middle_of_a_layer(
    server: RegistryServer, proxy: FaultyRegistry, order: dict[str, str], tmp_path: Path
) -> None:
    staged = {**order, "host": server.host, "repository": "ml/staged"}
    pushed = run(staged)
    assert proxy.requests == []
    order |= {"source": f"{server.host}/ml/staged", "digest": str(pushed.digest)}
    with held(proxy, order) as child:
        child.send_signal(signal.SIGTERM)
        assert child.stdout is not None
        assert child.stdout.readline() == "stopping\n"
    assert child.returncode == 130
    (sent,) = layer_parts(proxy)
    assert HELD < sent < LAYER_BYTES
    promoted = run(order)
    assert promoted.digest == pushed.digest
    size = check_arrived(server, order, promoted)
    assert layer_parts(proxy) == [sent, size - sent]
    assert size - sent <= promoted.bytes_sent < size - sent + 1000
    assert list((tmp_path / "uploads").iterdir()) == []


def test_a_push_that_is_killed_is_gone_on_with_where_the_registry_keeps_what_came(
    server: RegistryServer, proxy: FaultyRegistry, order: dict[str, str]
) -> None:
    proxy.keeps = bytes
    with held(proxy, order) as child:
        child.kill()
    assert child.returncode == -signal.SIGKILL
    (left,) = Path(order["folder"]).glob("push-*")
    (sent,) = layer_parts(proxy)
    assert HELD < sent < LAYER_BYTES
    pushed = run(order)
    size = check_arrived(server, order, pushed)
    assert layer_parts(proxy) == [sent, size - sent]
    assert begun(order) == []
    assert not left.exists()


def test_a_registry_that_has_dropped_the_upload_gets_the_layer_anew(
    server: RegistryServer, proxy: FaultyRegistry, order: dict[str, str]
) -> None:
    with held(proxy, order) as child:
        child.kill()
    assert len(begun(order)) == 1
    pushed = run(order)
    size = check_arrived(server, order, pushed)
    assert layer_parts(proxy)[-1] == size
    assert begun(order) == []


def test_what_was_kept_is_checked_by_its_digest_and_sent_anew_if_it_is_something_else(
    server: RegistryServer, proxy: FaultyRegistry, order: dict[str, str]
) -> None:
    proxy.keeps = lambda body: b"something else" + body[14:]
    with held(proxy, order) as child:
        child.kill()
    (sent,) = layer_parts(proxy)
    pushed = run(order)
    size = check_arrived(server, order, pushed)
    assert layer_parts(proxy) == [sent, size - sent, size]
    assert size <= pushed.bytes_sent < size + 1000


def test_ecr_drops_all_but_the_first_part_and_is_never_asked_to_go_on(
    server: RegistryServer, proxy: FaultyRegistry, order: dict[str, str]
) -> None:
    proxy.keeps = bytes
    order["name"] = ECR
    with held(proxy, order) as child:
        child.kill()
    assert begun(order) == []
    proxy.requests.clear()
    pushed = run(order)
    size = check_arrived(server, order, pushed)
    assert layer_parts(proxy)[-1] == size
    assert not [one for one in proxy.requests if one[0] == "GET" and "/uploads/" in one[1]]
