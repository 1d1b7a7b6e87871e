"""One story, told once: the shipped recipe with another version, built, smoked and pushed."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from moto.server import ThreadedMotoServer

from tests.e2e.workbench import Done, Project, copy_checkout, copy_tiny, fork, machine_bundle
from tests.registry_server import RegistryServer, running_registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOT_THE_PASSWORD = "not-the-password"


@dataclass(frozen=True, slots=True)
class Rendered:
    """The runs that lead from a changed recipe to its files."""

    check: Done
    lock_check: Done
    stale: Done
    render: Done
    render_check: Done


@dataclass(frozen=True, slots=True)
class Built:
    """Three builds, with the image ids after the first and after the last."""

    first: Done
    ids: dict[str, str]
    second: Done
    third: Done
    ids_after: dict[str, str]


@dataclass(frozen=True, slots=True)
class Twice:
    """A first and a second run of the same."""

    first: Done
    second: Done


@dataclass(frozen=True, slots=True)
class PushedTwice:
    """A push with a wrong password, one, and the same again; and where to."""

    registry: RegistryServer
    refused: Done
    released_by_refused: bool
    first: Done
    second: Done


@pytest.fixture(scope="session")
def marked_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The machine's certificate authorities in a file that no image can have by chance."""
    marked = tmp_path_factory.mktemp("certificates") / "bundle.pem"
    mark = f"# of a test: {secrets.token_hex()}\n".encode()
    marked.write_bytes(mark + machine_bundle().read_bytes())
    return marked


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory, marked_bundle: Path) -> Iterator[Project]:
    """The shipped project, whose recipe has a version that nobody has built."""
    project = copy_checkout(tmp_path_factory.mktemp("checkout"))
    project = replace(project, env={"SSL_CERT_FILE": str(marked_bundle)})
    project.set_version("digits")
    yield project
    project.remove_images()


@pytest.fixture(scope="session")
def version(digits: Project) -> str:
    """The new version of the recipe."""
    (line,) = (
        line
        for line in digits.read("recipes/digits.yaml").splitlines()
        if line.startswith("version: ")
    )
    return line.removeprefix("version: ")


@pytest.fixture(scope="session")
def rendered(digits: Project) -> Rendered:
    """From the changed recipe to its files."""
    return Rendered(
        digits.run("check"),
        digits.run("lock", "--check"),
        digits.run("render", "--check"),
        digits.run("render"),
        digits.run("render", "--check"),
    )


@pytest.fixture(scope="session")
def built(digits: Project, rendered: Rendered, version: str) -> Built:
    """Both variants, built and then asked for again."""
    assert rendered.render_check.status == 0

    def ids() -> dict[str, str]:
        slugs = ("cpu-py3.11-debian12", "cu129-py3.11-debian12")
        return {slug: digits.image_id("digits", f"{version}-{slug}") for slug in slugs}

    first, made = digits.run("build"), ids()
    return Built(first, made, digits.run("build"), digits.run("build"), ids())


@pytest.fixture(scope="session")
def smoked(digits: Project, built: Built) -> Twice:
    """Both images, smoked and then asked for again."""
    assert built.first.status == 0, built.first.said
    return Twice(digits.run("smoke"), digits.run("smoke", "--json"))


@pytest.fixture(scope="session")
def pushed(
    digits: Project, smoked: Twice, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PushedTwice]:
    """Both images, in a real registry that stays until the end."""
    assert smoked.first.status == 0, smoked.first.said
    with running_registry(tmp_path_factory.mktemp("registry")) as registry:
        to = ("push", "--registry", registry.host, "--username", registry.username)
        refused = digits.run(*to, "--password-stdin", stdin=f"{NOT_THE_PASSWORD}\n")
        released = (digits.root / "releases").exists()
        runs = [
            digits.run(*to, "--password-stdin", "--json", stdin=f"{registry.password}\n")
            for _ in range(2)
        ]
        yield PushedTwice(registry, refused, released, *runs)


@pytest.fixture(scope="session")
def locked(digits: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The little project, locked; what tests change is a copy of it."""
    project = copy_tiny(tmp_path_factory.mktemp("tiny") / "locked", digits.program)
    project.must("lock")
    return project


@pytest.fixture
def tiny(locked: Project, tmp_path: Path) -> Iterator[Project]:
    """A copy of the little project, locked and rendered, with versions and images of its own."""
    project = fork(locked, tmp_path / "project")
    project.must("render")
    yield project
    project.remove_images()


@pytest.fixture
def control_plane(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Moto's server, whose ECR and S3 take any key."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def staging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RegistryServer]:
    """A real registry, whose password Docker's configuration holds."""
    with running_registry(tmp_path / "staging") as found:
        login = base64.b64encode(f"{found.username}:{found.password}".encode()).decode()
        config = tmp_path / "docker/config.json"
        config.parent.mkdir()
        config.write_text(json.dumps({"auths": {found.host: {"auth": login}}}))
        monkeypatch.setenv("DOCKER_CONFIG", str(config.parent))
        yield found
