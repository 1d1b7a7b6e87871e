"""Pushing to a real registry with a password, from a real engine."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.registry_server import RegistryServer, running_registry
from twinforge.engine.images import Images
from twinforge.errors import ContentConflictError, RegistryRefusedError
from twinforge.events import ignore
from twinforge.model.reference import Digest, Reference
from twinforge.registry.cache import BlobCache
from twinforge.registry.compress import gzip_chunks
from twinforge.registry.credentials import Credentials, read_credentials
from twinforge.registry.items import Pushed, PushItem, Target
from twinforge.registry.manifest import MANIFEST_TYPE, Blob, render_manifest
from twinforge.registry.oci import RegistryClient, connect
from twinforge.registry.push import push_to_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from twinforge.engine.engine import Engine

pytestmark = pytest.mark.engine

REPOSITORY = "ml/registry-test"
CPU_ID = "sha256:f8216f437b69ec77b5699da09ff341fb8a1c01834c3c39ebed0c507d86694374"
CUDA_ID = "sha256:6da08b9550220b0cbdcc036463d3a5a00ea2186994161952233038ae69590b50"


def tar(files: Mapping[str, bytes]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return data.getvalue()


SHARED = tar({"shared": b"both have this\n" * 5000})
LAYERS = {"cpu": (SHARED, tar({"cpu": b"cpu"})), "cuda": (SHARED, tar({"cuda": b"cuda"}))}


def config_of(layers: Sequence[bytes]) -> bytes:
    diff_ids = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in layers]
    document = {
        "architecture": "amd64",
        "config": {},
        "os": "linux",
        "rootfs": {"diff_ids": diff_ids, "type": "layers"},
    }
    return json.dumps(document, sort_keys=True).encode()


def item(image_id: str, slug: str, version: str = "1.0.0") -> PushItem:
    variant: Any = SimpleNamespace(id=f"registry-test/{slug}", slug=slug)
    tags = (f"{version}-{slug}", f"key-{image_id[7:23]}")
    return PushItem(variant, image_id, f"{REPOSITORY}:{slug}", tags, (f"latest-{slug}",))


def expected(slug: str) -> bytes:
    """The manifest of an image, made without a registry and without an engine."""
    config = config_of(LAYERS[slug])
    blobs = [b"".join(gzip_chunks(iter((layer,)), len(layer))) for layer in LAYERS[slug]]
    return render_manifest(
        Blob(Digest(hashlib.sha256(config).hexdigest()), len(config)),
        [Blob(Digest(hashlib.sha256(blob).hexdigest()), len(blob)) for blob in blobs],
    )


@pytest.fixture(scope="module")
def images(engine: Engine) -> Iterator[Images]:
    with Images(engine) as found:
        yield found


@pytest.fixture(scope="module")
def load(images: Images) -> Iterator[Callable[[Sequence[bytes], str], str]]:
    """Load an image under a name of its own, and remove it in the end."""
    names: list[str] = []

    def make(layers: Sequence[bytes], slug: str) -> str:
        name = f"{REPOSITORY}:{slug}"
        names.append(name)
        files = {f"layer-{number}.tar": layer for number, layer in enumerate(layers)}
        entry = {"Config": "config.json", "RepoTags": [name], "Layers": list(files)}
        files |= {"config.json": config_of(layers), "manifest.json": json.dumps([entry]).encode()}
        images.load(iter((tar(files),)))
        found = images.inspect(name)
        assert found is not None
        return found.id

    yield make
    for name in names:
        images.remove(name)


@pytest.fixture(scope="module")
def pair(load: Callable[[Sequence[bytes], str], str]) -> tuple[PushItem, PushItem]:
    cpu, cuda = load(LAYERS["cpu"], "cpu"), load(LAYERS["cuda"], "cuda")
    return item(cpu, "cpu"), item(cuda, "cuda")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RegistryServer]:
    with running_registry(tmp_path / "registry") as found:
        yield found


@pytest.fixture
def who(server: RegistryServer) -> Credentials:
    return Credentials(server.username, server.password)


@pytest.fixture
def push(
    server: RegistryServer, who: Credentials, images: Images, tmp_path: Path
) -> Callable[..., tuple[Pushed, ...]]:
    def run(
        items: Sequence[PushItem],
        *,
        credentials: Credentials = who,
        cache: BlobCache | None = None,
        repository: str = REPOSITORY,
    ) -> tuple[Pushed, ...]:
        return push_to_all(
            items,
            (Target(Reference(server.host, repository), credentials),),
            source=images,
            cache=cache or BlobCache(tmp_path / "blobs.json"),
            work_dir=tmp_path,
            listener=ignore,
        )

    return run


@pytest.fixture
def client(server: RegistryServer, who: Credentials) -> Iterator[RegistryClient]:
    with connect(server.host, who) as found:
        yield found


def log(server: RegistryServer) -> str:
    return server.log.read_text()


def test_a_pair_arrives_as_exactly_the_images_of_the_engine(
    push: Any, client: RegistryClient, pair: tuple[PushItem, PushItem]
) -> None:
    assert [one.image_id for one in pair] == [CPU_ID, CUDA_ID]
    pushed = push(pair)
    for slug, one, result in zip(LAYERS, pair, pushed, strict=True):
        body = expected(slug)
        assert str(result.digest) == f"sha256:{hashlib.sha256(body).hexdigest()}"
        for name in (str(result.digest), *one.tags, *one.aliases):
            stored = client.read_manifest(REPOSITORY, name)
            assert stored is not None
            assert (stored.media_type, stored.body) == (MANIFEST_TYPE, body)
        assert json.loads(body)["config"]["digest"] == one.image_id
    assert [one.layers_sent for one in pushed] == [2, 1]


def test_an_engine_pulls_the_image_that_was_pushed(  # noqa: PLR0913, PLR0917 - fixtures
    push: Any,
    pair: tuple[PushItem, PushItem],
    server: RegistryServer,
    engine: Engine,
    images: Images,
    tmp_path: Path,
) -> None:
    (pushed, _) = push(pair)
    env = {**engine.env, "DOCKER_CONFIG": str(tmp_path / "docker")}
    docker = [engine.docker]
    login = [*docker, "login", "--username", server.username, "--password-stdin", server.host]
    subprocess.run(login, input=server.password, text=True, env=env, check=True)
    reference = f"{pushed.repository}@{pushed.digest}"
    try:
        subprocess.run([*docker, "pull", "--quiet", reference], env=env, check=True)
        found = images.inspect(reference)
        assert found is not None
        assert found.id == pair[0].image_id
    finally:
        images.remove(reference)
    stored = read_credentials(server.host, tmp_path / "docker", env=engine.env)
    assert stored == Credentials(server.username, server.password)


def test_a_second_push_asks_a_little_and_sends_nothing(
    push: Any, pair: tuple[PushItem, PushItem], server: RegistryServer
) -> None:
    first = push(pair)
    before = len(log(server))
    again = push(pair)
    requests = log(server)[before:]
    assert '"GET /v2/' in requests
    assert not [verb for verb in ("POST", "PATCH", "PUT") if f'"{verb} /v2/' in requests]
    assert [one.digest for one in again] == [one.digest for one in first]
    assert all(one.already and not one.bytes_sent for one in again)


def test_a_push_without_memory_sends_no_layer_that_the_registry_has(
    push: Any, pair: tuple[PushItem, PushItem], tmp_path: Path
) -> None:
    push([pair[0]])
    (result,) = push([pair[1]], cache=BlobCache(tmp_path / "new.json"))
    assert result.layers_sent == 1


def test_layers_move_to_another_repository_without_being_sent(
    push: Any, pair: tuple[PushItem, PushItem], server: RegistryServer
) -> None:
    push(pair)
    before = len(log(server))
    moved = push(pair, repository="prod/registry-test")
    assert [one.layers_sent for one in moved] == [0, 0]
    assert "mount=sha256" in log(server)[before:]


def test_a_registry_behind_another_address_keeps_its_name(
    pair: tuple[PushItem, PushItem],
    server: RegistryServer,
    who: Credentials,
    images: Images,
    tmp_path: Path,
) -> None:
    name = Reference("123456789012.dkr.ecr.eu-west-1.amazonaws.com", REPOSITORY)
    pushed = push_to_all(
        pair,
        [Target(name, who, server.host), Target(Reference(server.host, "ml/second"), who)],
        source=images,
        cache=BlobCache(tmp_path / "blobs.json"),
        work_dir=tmp_path,
        listener=ignore,
    )
    assert [one.repository for one in pushed] == [name.name] * 2 + [f"{server.host}/ml/second"] * 2
    assert pushed[0].digest == pushed[2].digest


def test_other_content_under_a_version_is_refused_and_an_alias_moves_to_the_next(
    push: Any,
    pair: tuple[PushItem, PushItem],
    client: RegistryClient,
    load: Callable[[Sequence[bytes], str], str],
) -> None:
    old, _ = push(pair)
    other = load((SHARED, tar({"cpu": b"changed"})), "changed")
    with pytest.raises(ContentConflictError) as caught:
        push([item(other, "cpu")])
    assert str(old.digest) in caught.value.message
    assert other in caught.value.message
    unmoved = client.read_manifest(REPOSITORY, "latest-cpu")
    assert unmoved is not None
    assert unmoved.digest == old.digest

    (new,) = push([item(other, "cpu", "1.1.0")])
    moved = client.read_manifest(REPOSITORY, "latest-cpu")
    kept = client.read_manifest(REPOSITORY, "1.0.0-cpu")
    assert moved is not None
    assert kept is not None
    assert (moved.digest, kept.digest) == (new.digest, old.digest)


def test_aliases_are_written_after_everything_else(
    push: Any, pair: tuple[PushItem, PushItem], server: RegistryServer
) -> None:
    push(pair)
    puts = [
        line.split('"PUT ')[1].split()[0].rpartition("/")[2]
        for line in log(server).splitlines()
        if '"PUT /v2/' in line and "/manifests/" in line
    ]
    assert sorted(puts[-2:]) == ["latest-cpu", "latest-cuda"]


def test_a_wrong_password_is_refused_and_shown_nowhere(
    push: Any, pair: tuple[PushItem, PushItem], server: RegistryServer, tmp_path: Path
) -> None:
    with pytest.raises(RegistryRefusedError, match="status 401") as caught:
        push(pair, credentials=Credentials(server.username, "wr0ng-passw0rd"))
    assert "wr0ng" not in f"{caught.value!r} {caught.value.hint} {log(server)}"
    assert not list(tmp_path.glob("push-*"))
