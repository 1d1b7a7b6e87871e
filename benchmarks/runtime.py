"""Images that serve the same model under the same limits, and a generator of load: ``wrk``."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.serving import answers
from twinforge import process
from twinforge.errors import MissingToolError, SmokeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.bench import Bench

__all__ = [
    "CONNECTIONS",
    "FLASK",
    "PAYLOADS",
    "SERVERS",
    "Load",
    "Payload",
    "build_by_hand",
    "build_project",
    "measure_load",
    "measure_one",
    "serving",
]

CONNECTIONS = (1, 8, 64)
FLASK = "twinforge-bench:flask"
SERVERS = "twinforge-bench:servers"

_HERE = Path(__file__).parent
_LIMITS = ("--cpus", "1", "--memory", "1g", "--memory-swap", "1g")
_WARM_SECONDS = 1
_START_S = 60.0
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Payload:
    """What each request holds."""

    name: str
    content_type: str
    content: bytes
    seconds: int


PAYLOADS = (
    Payload("small CSV", "text/csv", b"5.1,3.5,1.4,0.2,6.2,2.9,4.3,1.3\n", 5),
    Payload("5 MB", "application/octet-stream", bytes(range(256)) * (5 * _MIB // 256), 15),
)


@dataclass(frozen=True, slots=True)
class Load:
    """What a server did: requests per second and the 99th percentile of their seconds."""

    per_second: float
    p99_s: float


def build_project(bench: Bench, name: str) -> str:
    """Build the image of a project with the runtime, whose recipe has its name; return its id."""
    root = bench.scratch / name
    shutil.copytree(_HERE / "projects" / name, root, dirs_exist_ok=True)
    (root / "images").mkdir(exist_ok=True)
    shutil.copy(bench.root / "images/bases.lock.json", root / "images")
    for verb in ("lock", "render", "build"):
        argv = [sys.executable, str(bench.root / "build.py"), "--quiet", verb]
        bench.timed(argv, cwd=root)
    image = f"twinforge-bench/{name}:1.0.0-cpu-py3.11-debian12"
    return bench.docker("image", "inspect", "--format", "{{.Id}}", image)


def build_by_hand(bench: Bench, image: str, base: str) -> None:
    """Build ``FLASK`` or ``SERVERS``, whose folder has the name of its tag, on a base."""
    name = image.rpartition(":")[2]
    folder = bench.scratch / name
    shutil.copytree(_HERE / "handwritten" / name, folder, dirs_exist_ok=True)
    for module in (_HERE / "projects/rows/program").glob("*.py"):
        shutil.copy(module, folder)
    runtime = bench.root / "twinforge/runtime"
    shutil.copytree(runtime, folder / "twinforge/runtime", dirs_exist_ok=True)
    secret = ("--secret", f"id=ca,src={bench.ca}") if bench.ca else ()
    context = ("--build-context", f"base=docker-image://{base}")
    bench.docker("buildx", "build", "--load", "--tag", image, *secret, *context, str(folder))


def measure_load(
    bench: Bench, image: str, *command: str, payloads: Sequence[Payload] = PAYLOADS
) -> dict[tuple[str, int], Load]:
    """Serve, and return what each payload came to at each number of connections.

    Raises:
        MissingToolError: ``wrk`` is not installed.
        SmokeError: The server does not start, or fails a request.
    """
    if shutil.which("wrk") is None:
        message = "there is no 'wrk' to make load with"
        raise MissingToolError(message, hint="apt-get install wrk")
    with serving(bench, image, *_LIMITS, command=command) as (_, address):
        return {
            (payload.name, connections): measure_one(bench, address, payload, connections)
            for payload in payloads
            for connections in CONNECTIONS
        }


@contextmanager
def serving(
    bench: Bench, image: str, *options: str, command: tuple[str, ...] = ("serve",)
) -> Iterator[tuple[str, str]]:
    """Run a server with options of ``docker run``; give its container and ``host:port``.

    Raises:
        SmokeError: It does not answer ``/ping``.
    """
    container = bench.docker("run", "--detach", *options, image, *command)
    try:
        # Without the proxy of a published port, which would be part of what is measured.
        where = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        address = f"{bench.docker('container', 'inspect', '--format', where, container)}:8080"
        deadline_s = time.monotonic() + _START_S
        while not answers(address):
            if time.monotonic() > deadline_s:
                message = f"'{image}' does not answer: {bench.docker('logs', container)}"
                raise SmokeError(message)
            time.sleep(0.1)
        yield container, address
    finally:
        bench.docker("rm", "--force", "--volumes", container)


def measure_one(bench: Bench, address: str, payload: Payload, connections: int) -> Load:
    """Make load with one payload, and return what a server at ``host:port`` did.

    Raises:
        SmokeError: It failed a request.
    """
    body = bench.scratch / payload.name.replace(" ", "-")
    body.write_bytes(payload.content)
    for seconds in (_WARM_SECONDS, payload.seconds):
        argv = [
            *("wrk", "--threads", "1", "--connections", str(connections)),
            *("--duration", f"{seconds}s", "--timeout", "60s", "--latency"),
            *("--script", str(_HERE / "load.lua"), f"http://{address}/invocations"),
            *("--", payload.content_type, str(body)),
        ]
        printed = process.run(argv, env={"PATH": os.environ["PATH"]}).stdout
    found = re.search(r"^RESULT (\d+) (\d+) (\d+) (\d+)$", printed, re.MULTILINE)
    if found is None or int(found[1]) == 0 or int(found[4]) > 0:
        message = f"'wrk' counted failures, or no answer: {printed}"
        raise SmokeError(message)
    return Load(int(found[1]) / (int(found[2]) / 1e6), int(found[3]) / 1e6)
