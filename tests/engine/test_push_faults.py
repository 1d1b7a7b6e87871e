"""Pushes through a registry that misbehaves at every single request, and pushes that are killed.

What must hold, whatever happens: an alias is moved only when every image of the release is in and
whole; a push that says that it is done has put exactly those digests there; one that failed or was
killed is completed by running it again; and no secret gets into an error or an argv.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.faulty_registry import WAIT_S, Fault, FaultyRegistry, faulty_registry
from tests.registry_server import RegistryServer, running_registry
from tests.tiny_images import TinyImages, push_item
from twinforge.errors import RegistryError, RegistryRefusedError
from twinforge.events import ignore
from twinforge.model.reference import Digest, Reference
from twinforge.registry import oci, session
from twinforge.registry.cache import BlobCache
from twinforge.registry.compress import gzip_chunks
from twinforge.registry.credentials import Credentials
from twinforge.registry.items import Pushed, PushItem, Target
from twinforge.registry.manifest import Blob, render_manifest
from twinforge.registry.push import push_to_all
from twinforge.registry.retry import Retry
from twinforge.registry.uploads import Uploads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import httpx

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
WORKERS = 4
ALWAYS = (Fault.LOST_ANSWER, Fault.CUT_IN_BODY, Fault.EXPIRED, Fault.CORRUPTED)
IN_TURN = (
    *(Fault.THROTTLED, Fault.REFUSED, Fault.BROKEN, Fault.CUT),
    *(Fault.REFUSED, Fault.BUSY, Fault.SLOW),
)
PASSING = frozenset(Fault) - {Fault.REFUSED, Fault.CORRUPTED, Fault.HELD}
OPTIONAL = re.compile(r"^GET /v2/\S+/blobs/sha256:")
DOWN, KILLED = "a registry that is gone from there on", "a process that is killed"


class KilledError(BaseException):
    """The process is dead: nothing is sent any more, by no thread of it."""


class Mortal:
    """A transport that dies at one request, every second time after that has been sent."""

    def __init__(self, inner: httpx.BaseTransport, at: int) -> None:
        self._inner = inner
        self._at = at
        self._count = 0
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            number, self._count = self._count, self._count + 1
        if number == self._at and self._at % 2:
            self._inner.handle_request(request).read()
        if number >= self._at:
            raise KilledError
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True)
class Release:
    """Two small images that share a layer, and the manifests that they must become."""

    images: TinyImages
    items: tuple[PushItem, ...]
    bodies: tuple[bytes, ...]

    @property
    def digests(self) -> tuple[Digest, ...]:
        return tuple(Digest(hashlib.sha256(body).hexdigest()) for body in self.bodies)


def make_release(seed: int, version: str) -> Release:
    draw, images = random.Random(seed), TinyImages()
    shared = draw.randbytes(60_000)
    layers = {"cpu": (shared, draw.randbytes(5_000)), "cuda": (shared, draw.randbytes(20_000))}
    items, bodies = [], []
    for slug, parts in layers.items():
        image_id = images.add(*parts)
        items.append(push_item(image_id, slug, version))
        packed = [b"".join(gzip_chunks(iter((part,)), len(part))) for part in parts]
        blobs = [Blob(Digest(hashlib.sha256(one).hexdigest()), len(one)) for one in packed]
        config = Blob(Digest.parse(image_id), len(images.configs[image_id]))
        bodies.append(render_manifest(config, blobs))
    return Release(images, tuple(items), tuple(bodies))


OLD, NEW = make_release(1, "1.0.0"), make_release(2, "1.1.0")


@dataclass
class Bench:
    """A registry with an old release under every repository that a push is tried on."""

    server: RegistryServer
    folder: Path
    said: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    @property
    def repositories(self) -> Path:
        return self.server.storage / "docker/registry/v2/repositories"

    def prepare(self, name: str) -> str:
        """Copy the repository with the old release: its aliases are what must not move too soon."""
        shutil.copytree(self.repositories / "seed", self.repositories / name)
        return name

    def push(  # noqa: PLR0913 - the circumstances, by keyword
        self,
        host: str,
        repository: str,
        release: Release = NEW,
        *,
        renew: Callable[[], Credentials] | None = None,
        password: str = "",
        attempts: int = 5,
    ) -> tuple[Pushed, ...]:
        who = Credentials(self.server.username, password or self.server.password)
        try:
            return push_to_all(
                release.items,
                [Target(Reference(host, repository), who, renew=renew)],
                source=release.images,
                cache=BlobCache(self.folder / "caches" / repository / "blobs.json"),
                work_dir=self.folder,
                listener=ignore,
                retry=Retry(attempts=attempts, sleep=self.waits.append),
                uploads=Uploads(self.folder / "uploads", least_bytes=0),
            )
        except RegistryError as error:
            self.said.append(f"{error!r} {error.hint} {error.__cause__!r} {error.__context__!r}")
            raise

    def tag(self, repository: str, tag: str) -> str:
        """Return what a tag points to on the registry's own disk, or nothing."""
        link = self.repositories / repository / "_manifests/tags" / tag / "current/link"
        return link.read_text() if link.exists() else ""

    def whole(self, repository: str, release: Release) -> bool:
        """Whether every image is in under every tag, with all that its manifest names."""
        found = self.repositories / repository
        for item, digest, body in zip(release.items, release.digests, release.bodies, strict=True):
            if any(self.tag(repository, tag) != str(digest) for tag in item.tags):
                return False
            document = json.loads(body)
            for part in (document["config"], *document["layers"]):
                hex_ = part["digest"].removeprefix("sha256:")
                if not (found / "_layers/sha256" / hex_ / "link").exists():
                    return False
        return True

    def check_aliases(self, repository: str, *, done: bool) -> None:
        moved = []
        for item, new, old in zip(NEW.items, NEW.digests, OLD.digests, strict=True):
            (alias,) = item.aliases
            found = self.tag(repository, alias)
            assert found in {str(old), str(new)}
            moved.append(found == str(new))
        assert self.whole(repository, NEW) or not any(moved), "an alias moved before all were in"
        assert not done or all(moved), "a push that is done has not moved an alias"

    def check_done(self, repository: str, pushed: Sequence[Pushed]) -> None:
        assert tuple(one.digest for one in pushed) == NEW.digests
        assert self.whole(repository, NEW), "a push that is done is not there"
        self.check_aliases(repository, done=True)


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    # Hundreds of pushes are many thousands of small files: in memory where there is room for them.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with (
        tempfile.TemporaryDirectory(prefix="twinforge-faults-", dir=memory) as name,
        running_registry(Path(name) / "registry", behind_proxy=True) as server,
    ):
        found = Bench(server, Path(name))
        found.push(server.host, "seed", OLD)
        yield found


@pytest.fixture
def proxy(bench: Bench) -> Iterator[FaultyRegistry]:
    with faulty_registry(bench.server) as found:
        yield found


def secrets_of(bench: Bench, proxies: Sequence[FaultyRegistry]) -> set[str]:
    basic = Credentials(bench.server.username, bench.server.password).basic
    tokens = {token for proxy in proxies for token in proxy.every_token}
    return {bench.server.password, basic.removeprefix("Basic "), *tokens}


def try_fault(bench: Bench, proxy: FaultyRegistry, fault: Fault | str, at: int) -> bool:
    """Push with one fault, check what must hold, complete what failed; say whether it failed."""
    kind = fault.name.lower() if isinstance(fault, Fault) else fault.split()[1]
    repository = bench.prepare(f"{kind}-{at}")
    if isinstance(fault, Fault):
        proxy.arm(fault, at)
    else:
        proxy.arm(Fault.CUT if fault == DOWN else None, at, lasting=True)
    KILL.at = at if fault == KILLED else -1
    error: RegistryError | KilledError | None = None
    try:
        bench.check_done(repository, bench.push(proxy.host, repository, attempts=3))
    except (RegistryError, KilledError) as raised:
        error = raised
    failed = error is not None
    assert not failed or fault not in PASSING, f"{fault} at request {at}: {error}"
    assert isinstance(error, KilledError) is (fault == KILLED)
    if fault is Fault.REFUSED and failed:
        assert isinstance(error, RegistryRefusedError)
        method, path = proxy.requests[at]
        assert method != "PUT" or proxy.requests.count((method, path)) == 1, "tried again"
    bench.check_aliases(repository, done=not failed)
    if fault is Fault.REFUSED and not failed:
        # The one thing that a push can do without: a look at what older images were made of.
        assert OPTIONAL.search(" ".join(proxy.requests[at]))
    KILL.at = -1
    proxy.arm(None)
    if failed:
        bench.check_done(repository, bench.push(proxy.host, repository))
    return failed


class _Kill(threading.local):
    at = -1


KILL = _Kill()


def test_a_fault_at_every_request_loses_nothing_and_tells_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = session.make_transport

    def mortal(**options: Any) -> Any:
        transport = make(**options)
        return Mortal(transport, KILL.at) if KILL.at >= 0 else transport

    monkeypatch.setattr(oci, "make_transport", mortal)
    with faulty_registry(bench.server) as counted:
        bench.push(counted.host, bench.prepare("counted"))
        count = len(counted.requests)
    assert count > 40
    cases: list[tuple[Fault | str, int]] = []
    for at in range(count):
        cases += [(fault, at) for fault in (*ALWAYS, DOWN, KILLED, IN_TURN[at % len(IN_TURN)])]
    assert len(cases) >= 300

    proxies: list[FaultyRegistry] = []

    def work(worker: int) -> list[tuple[Fault | str, bool]]:
        with faulty_registry(bench.server) as proxy:
            proxies.append(proxy)
            mine = cases[worker::WORKERS]
            return [(fault, try_fault(bench, proxy, fault, at)) for fault, at in mine]

    with ThreadPoolExecutor(WORKERS) as pool:
        results = [one for part in pool.map(work, range(WORKERS)) for one in part]

    # What can't be got over must have been told: a fault that never fails a push was not injected.
    assert len(results) == len(cases)
    for fatal in (DOWN, KILLED):
        assert all(failed for fault, failed in results if fault == fatal), fatal
    for some in (Fault.REFUSED, Fault.CORRUPTED):
        assert any(failed for fault, failed in results if fault is some), some
    assert float(WAIT_S) in bench.waits
    assert bench.said
    for secret in secrets_of(bench, proxies):
        assert not any(secret in text for text in bench.said)
    assert not list(bench.folder.glob("push-*"))


def test_a_password_of_twelve_hours_is_renewed_in_the_middle_of_a_push(bench: Bench) -> None:
    with faulty_registry(bench.server, bearer=False) as proxy:
        proxy.passwords = {"first"}
        asked: list[int] = []

        def renew() -> Credentials:
            asked.append(1)
            fresh = f"fresh-{len(asked)}"
            proxy.passwords = {fresh}
            return Credentials(bench.server.username, fresh)

        for at in (1, 12, 24, 36):
            asked.clear()
            proxy.passwords = {"first"}
            proxy.arm(Fault.EXPIRED, at)
            repository = bench.prepare(f"renewed-{at}")
            pushed = bench.push(proxy.host, repository, renew=renew, password="first")
            bench.check_done(repository, pushed)
            assert len(asked) == 1


def test_a_password_that_can_t_be_renewed_is_a_definite_no(bench: Bench) -> None:
    with faulty_registry(bench.server, bearer=False) as proxy:
        proxy.passwords = {"first"}
        proxy.arm(Fault.EXPIRED, 20)
        repository = bench.prepare("expired-for-good")
        with pytest.raises(RegistryRefusedError, match="status 401"):
            bench.push(proxy.host, repository, password="first")
        bench.check_aliases(repository, done=False)
        assert "first" not in "".join(bench.said[-1:])


def test_a_push_that_goes_on_sends_no_layer_that_arrived(
    bench: Bench, proxy: FaultyRegistry
) -> None:
    repository = bench.prepare("goes-on")
    proxy.arm(None)
    bench.push(proxy.host, bench.prepare("goes-on-whole"))
    whole = proxy.bytes_in
    manifests = [n for n, (verb, path) in enumerate(proxy.requests) if "/manifests/1.1.0" in path]
    (first,) = [n for n in manifests if proxy.requests[n][0] == "PUT"][:1]
    proxy.arm(Fault.CUT, first, lasting=True)
    with pytest.raises(RegistryError):
        bench.push(proxy.host, repository, attempts=2)
    proxy.arm(None)
    pushed = bench.push(proxy.host, repository)
    bench.check_done(repository, pushed)
    assert [one.layers_sent for one in pushed] == [0, 0]
    assert proxy.bytes_in < whole / 20


def test_a_second_push_reads_only(bench: Bench, proxy: FaultyRegistry) -> None:
    repository = bench.prepare("again")
    bench.push(proxy.host, repository)
    proxy.arm(None)
    saved = NEW.images.saved
    pushed = bench.push(proxy.host, repository)
    bench.check_done(repository, pushed)
    assert {method for method, _ in proxy.requests} == {"GET"}
    assert len(proxy.requests) <= 9
    assert NEW.images.saved == saved
    assert all(one.already for one in pushed)


@pytest.mark.parametrize("share", [0.1, 0.45, 0.6, 0.75, 0.9])
def test_a_push_that_is_killed_for_real_is_completed_by_the_next(
    bench: Bench, proxy: FaultyRegistry, share: float, tmp_path: Path
) -> None:
    bench.push(proxy.host, bench.prepare(f"counted-{share}"))
    at = int(len(proxy.requests) * share)
    repository = bench.prepare(f"sigkill-{share}")
    proxy.arm(Fault.HELD, at)
    order = {
        "host": proxy.host,
        "repository": repository,
        "username": bench.server.username,
        "password": bench.server.password,
        "folder": str(tmp_path),
    }
    argv = [sys.executable, "-m", "tests.engine.push_child"]
    with subprocess.Popen(
        argv,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as child:
        assert child.stdin is not None
        child.stdin.write(json.dumps(order))
        child.stdin.close()
        assert proxy.reached.wait(60)
        seen = Path(f"/proc/{child.pid}/cmdline").read_bytes()
        seen += Path(f"/proc/{child.pid}/environ").read_bytes()
        child.send_signal(signal.SIGKILL)
        child.wait(30)
    bench.check_aliases(repository, done=False)
    proxy.released.set()
    assert not any(secret.encode() in seen for secret in secrets_of(bench, [proxy]))
    proxy.arm(None)
    again = replace(bench, folder=tmp_path)  # with the state that the killed one left behind
    again.check_done(repository, again.push(proxy.host, repository))
