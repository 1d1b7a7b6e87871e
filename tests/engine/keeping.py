"""Programs of a few lines that keep the whole contract, and quick images with something else in them."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from docker import DockerClient

__all__ = ["DOCKERFILE", "SERVE", "TRAIN", "Change", "commit"]

TRAIN = """#!/usr/bin/env python3
import json, pathlib, signal, subprocess, sys, time

stopped = []
signal.signal(signal.SIGTERM, lambda *_: stopped.append(1))
root = pathlib.Path("/opt/ml")

def fail(reason):
    (root / "output/failure").write_text(reason)
    sys.exit(1)

settings = json.loads((root / "input/config/hyperparameters.json").read_text())
channels = json.loads((root / "input/config/inputdataconfig.json").read_text())
unknown = [name for name in settings if name != "rounds"]
missing = "training" not in channels
if unknown:
    fail(f"the hyperparameter {unknown[0]} is unknown")
if missing:
    fail("the channel training is missing")
kept = root / "checkpoints/round"
first = int(kept.read_text()) if kept.is_file() else 0
if first:
    print("going on from round", first)
for number in range(first, int(settings["rounds"])):
    print("round", number, flush=True)
    if kept.parent.is_dir():
        kept.write_text(str(number + 1))
    if stopped:
        sys.exit(0)
    time.sleep(0.02)
(root / "model/factor").write_text("2")
"""

SERVE = """#!/usr/bin/env python3
import http.server, json, os, signal, subprocess, sys, threading, time

trained = os.path.exists("/opt/ml/model/factor")
factor = float(open("/opt/ml/model/factor").read()) if trained else 2.0
port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT", 8080))
routes = open("/proc/net/route").read().splitlines()[1:]
has_way_out = any(line.split()[1] == "00000000" for line in routes)
posts = []
running = set()

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", kind="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        known = {"/ping": 200, "/invocations": 405}
        self.answer(known.get(self.path, 404))

    def do_POST(self):
        running.add(self)
        posts.append(1)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(*self.work(body))
        running.discard(self)

    def work(self, body):
        if self.headers["Content-Type"] != "text/csv":
            return 415, b"only CSV"
        if not body:
            return 400, b"nothing"
        try:
            numbers = [float(line) for line in body.split()]
        except ValueError:
            return 400, b"no numbers"
        return 200, json.dumps([factor * number for number in numbers]).encode()

    def log_message(self, *_):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128

def stop(*_):
    sys.exit(0)

signal.signal(signal.SIGTERM, stop)
server = Server(("", port), Handler)
server.serve_forever()
"""

DOCKERFILE = """FROM base
RUN python3 -m venv --without-pip /opt/venv \\
    && mkdir "$(echo /opt/venv/lib/python3*/site-packages)/Steady_Thing-1.0.dist-info" \\
    && printf 'Metadata-Version: 2.1\\nName: Steady_Thing\\nVersion: 1.0\\n' \\
       > "$(echo /opt/venv/lib/python3*/site-packages/Steady_Thing-1.0.dist-info)/METADATA"
ENV PATH=/program:/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
COPY --chmod=755 train serve /program/
"""


@dataclass(frozen=True)
class Change:
    """What is other in an image: texts of the programs, further files, lines of a Dockerfile."""

    train: Mapping[str, str] = field(default_factory=dict)
    serve: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    lines: Sequence[str] = ()

    def contents(self) -> dict[str, tuple[str, int]]:
        """The files by their paths, with their modes."""
        contents = dict(self.files)
        for name, program, changes in (("train", TRAIN, self.train), ("serve", SERVE, self.serve)):
            text = program
            for old, new in changes.items():
                assert text.count(old) == 1, f"'{old}' stands {text.count(old)} times in {name}"
                text = text.replace(old, new)
            contents.setdefault(f"/program/{name}", (text, 0o755))
        return contents


def commit(client: DockerClient, base: str, change: Change) -> str:
    """Make an image from another one with the engine's old builder, and return its id."""
    contents = {f"root{path}": content for path, content in change.contents().items()}
    lines = [f"FROM {base}", "COPY root /", *change.lines]
    contents["Dockerfile"] = ("\n".join(lines), 0o644)
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for path, (text, mode) in contents.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(text.encode()), mode
            archive.addfile(member, io.BytesIO(text.encode()))
    data.seek(0)
    # BuildKit takes longer to start a build than this takes for all of it.
    image, _ = client.images.build(fileobj=data, custom_context=True, rm=True, forcerm=True)
    return str(image.id)
