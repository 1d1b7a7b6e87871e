from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

USERNAME, PASSWORD = "twin", "s3cret-pass"
ROUTE = re.compile(r"/v2/(?P<repository>.+)/(?P<kind>blobs|manifests)/(?P<name>.*)")


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class FakeRegistry:
    """A registry in memory. ``faults`` are statuses or exceptions that come before the answers."""

    def __init__(self) -> None:
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.requests: list[tuple[str, str]] = []
        self.headers: list[httpx.Headers] = []
        self.faults: list[int | Exception | httpx.Response] = []
        self.fault_at: Callable[[httpx.Request], bool] = lambda _: True
        self.uploads: dict[str, bytes] = {}
        self.can_mount = True
        self.can_resume = True
        self.immutable = False
        self.challenge = 'Basic realm="test"'
        self._lock = threading.Lock()

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self)

    def writes(self) -> list[tuple[str, str]]:
        return [found for found in self.requests if found[0] in {"PUT", "PATCH", "POST"}]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        with self._lock:
            self.requests.append((request.method, request.url.path))
            self.headers.append(request.headers)
            if self.faults and self.fault_at(request):
                fault = self.faults.pop(0)
                if isinstance(fault, Exception):
                    raise fault
                return httpx.Response(fault) if isinstance(fault, int) else fault
            if not self.allowed(request):
                return httpx.Response(401, headers={"www-authenticate": self.challenge})
            return self.answer(request, body)

    def allowed(self, request: httpx.Request) -> bool:
        given = httpx.BasicAuth(USERNAME, PASSWORD)._auth_header
        return bool(request.headers.get("authorization") == given)

    def answer(self, request: httpx.Request, body: bytes) -> httpx.Response:
        path = request.url.path
        if path == "/v2/":
            return httpx.Response(200)
        if path.startswith("/uploads/"):
            return self.upload(request, path, body)
        match = ROUTE.fullmatch(path)
        assert match is not None, path
        repository, name = match["repository"], match["name"]
        if match["kind"] == "manifests":
            return self.manifest(request, repository, name, body)
        if name == "uploads/":
            return self.start(request, repository)
        blob = self.blobs.get((repository, name))
        return httpx.Response(404) if blob is None else httpx.Response(200, content=blob)

    def start(self, request: httpx.Request, repository: str) -> httpx.Response:
        source, digest = request.url.params.get("from"), request.url.params.get("mount", "")
        if source and self.can_mount and (source, digest) in self.blobs:
            self.blobs[repository, digest] = self.blobs[source, digest]
            return httpx.Response(201)
        place = f"/uploads/{repository.replace('/', '-')}-{len(self.requests)}"
        self.uploads[place] = b""
        location = f"{place}?state=x&repository={repository}"
        return httpx.Response(202, headers={"location": location})

    def upload(  # noqa: PLR0911 - an answer for each state of an upload
        self, request: httpx.Request, path: str, body: bytes
    ) -> httpx.Response:
        if path not in self.uploads:
            return httpx.Response(404)
        assert request.url.params["state"] == "x"
        if request.method == "DELETE":
            del self.uploads[path]
            return httpx.Response(204)
        if request.method == "GET":
            if not self.can_resume:
                return httpx.Response(405)
            last = max(len(self.uploads[path]) - 1, 0)
            return httpx.Response(204, headers={"range": f"0-{last}"})
        if request.method == "PATCH" and "content-range" in request.headers:
            start = int(request.headers["content-range"].partition("-")[0])
            if start != len(self.uploads[path]):
                return httpx.Response(416)
        self.uploads[path] += body
        if request.method == "PATCH":
            return httpx.Response(202, headers={"location": f"{path}?{request.url.query.decode()}"})
        digest, data = request.url.params["digest"], self.uploads.pop(path)
        if sha256(data) != digest:
            return httpx.Response(400, json={"errors": [{"code": "DIGEST_INVALID"}]})
        self.blobs[request.url.params["repository"], digest] = data
        return httpx.Response(201)

    def manifest(
        self, request: httpx.Request, repository: str, name: str, body: bytes
    ) -> httpx.Response:
        if request.method == "PUT":
            if self.immutable and (repository, name) in self.manifests:
                return httpx.Response(400, json={"errors": [{"code": "TAG_INVALID"}]})
            document = json.loads(body)
            for blob in [document["config"], *document["layers"]]:
                assert (repository, blob["digest"]) in self.blobs, "a manifest before its blobs"
            stored = (request.headers["content-type"], body)
            self.manifests[repository, name] = self.manifests[repository, sha256(body)] = stored
            return httpx.Response(201)
        found = self.manifests.get((repository, name))
        if found is None:
            return httpx.Response(404, json={"errors": [{"code": "MANIFEST_UNKNOWN"}]})
        return httpx.Response(200, headers={"content-type": found[0]}, content=found[1])


class FakeEngine:
    """Images in memory, saved as an engine does; ``saved`` tells what was asked for."""

    def __init__(self) -> None:
        self.layers: dict[str, bytes] = {}
        self.configs: dict[str, bytes] = {}
        self.saved: list[list[str]] = []
        self.piece = 1 << 16

    def add(self, *layers: bytes, label: str = "") -> str:
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Labels": {"label": label}},
                "rootfs": {"type": "layers", "diff_ids": [sha256(layer) for layer in layers]},
            }
        ).encode()
        self.layers.update({sha256(layer): layer for layer in layers})
        self.configs[sha256(config)] = config
        return sha256(config)

    def diff_ids(self, image_id: str) -> tuple[str, ...]:
        return tuple(json.loads(self.configs[image_id])["rootfs"]["diff_ids"])

    def inspect(self, reference: str) -> Any:
        if reference not in self.configs:
            return None
        return SimpleNamespace(id=reference, layers=self.diff_ids(reference))

    def save(self, references: Sequence[str]) -> Iterator[bytes]:
        self.saved.append(list(references))
        files = {reference: self.configs[reference] for reference in references}
        for reference in references:
            files.update({layer: self.layers[layer] for layer in self.diff_ids(reference)})
        data = archive(
            {f"blobs/sha256/{name[7:]}": body for name, body in sorted(files.items())}
            | {"manifest.json": b"[]"}
        )
        for start in range(0, len(data), self.piece):
            yield data[start : start + self.piece]


def archive(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return file.getvalue()


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def make_archive() -> Callable[[dict[str, bytes]], bytes]:
    return archive
