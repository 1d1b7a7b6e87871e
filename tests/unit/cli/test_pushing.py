from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.registry.conftest import PASSWORD as SECRET
from tests.unit.registry.conftest import USERNAME, FakeRegistry, sha256
from tests.unit.world import KEY
from twinforge.api import pushing
from twinforge.api import workspace as workspaces
from twinforge.api.checks import checks_digest
from twinforge.build.ledger import Smoked
from twinforge.errors import RegistryRefusedError
from twinforge.model.reference import Digest
from twinforge.registry.items import Pushed
from twinforge.registry.manifest import MANIFEST_TYPE, Blob, render_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.unit.cli.conftest import Run
    from tests.unit.world import World
    from twinforge.registry.items import PushItem, Target

CPU = "words/cpu-debian12-py3.11"
TAG = "1.0.0-cpu-debian12-py3.11"
PASSWORD = "hunter2:with a colon"


@pytest.fixture
def smoked(run: Run, world: World) -> World:
    """One image, built and smoked."""
    assert run("build", CPU).status == 0
    workspace = world.workspace
    checks = checks_digest(workspace, workspace.project.recipe("words"))
    image = world.images.tags[f"ml/words:{TAG}"]
    workspace.ledger.record_smoke(image, Smoked(passed=True, checks=checks, ping_s=1, seconds=2))
    return world


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> FakeRegistry:
    """Holds nothing: what a push says of it is looked at, and not believed."""
    found = FakeRegistry()
    monkeypatch.setattr("twinforge.registry.oci.make_transport", lambda **_: found.transport)
    return found


@pytest.fixture
def targets(monkeypatch: pytest.MonkeyPatch, registry: FakeRegistry) -> list[Target]:
    assert registry.manifests == {}
    found: list[Target] = []

    def push_to_all(
        items: Sequence[PushItem], to: Sequence[Target], **_: object
    ) -> tuple[Pushed, ...]:
        found.extend(to)
        (item,), (target,) = items, to
        repository = str(target.repository)
        numbers = {"bytes_sent": 0, "bytes_total": 12_000_000, "layers_sent": 0, "layers_total": 9}
        return (
            Pushed(
                item.variant.slug,
                repository,
                Digest("d" * 64),
                item.tags,
                item.aliases,
                **numbers,
                already=True,
            ),
        )

    monkeypatch.setattr(pushing, "push_to_all", push_to_all)
    return found


def test_a_dry_run_shows_names_and_sends_nothing(
    run: Run, smoked: World, targets: list[Target]
) -> None:
    ran = run("push", CPU, "--dry-run")
    assert ran.status == 0
    assert ran.out.splitlines()[1].split()[:3] == [CPU, "ml/words", TAG]
    (item,) = json.loads(run("push", CPU, "--dry-run", "--json").out)
    (key,) = smoked.images.keys
    assert item == {
        "variant": CPU,
        "repository": "ml/words",
        "image_id": smoked.images.keys[key],
        "tags": [TAG, f"key-{key[:16]}"],
        "aliases": ["latest-cpu"],
    }
    assert targets == []
    assert not (smoked.root / "releases").exists()


def test_a_push_prints_what_is_in_the_registry_now(
    run: Run, smoked: World, targets: list[Target]
) -> None:
    ran = run("push", CPU)
    assert ran.status == 0
    _, row = ran.out.splitlines()
    assert row.split() == [
        *("cpu-debian12-py3.11", "registry.example.com/ml/words", f"sha256:{'d' * 12}"),
        *("already", "there", "12", "MB", "latest-cpu"),
    ]
    (pushed,) = json.loads(run("push", CPU, "--json").out)
    assert pushed["digest"] == f"sha256:{'d' * 64}"
    assert (pushed["already"], pushed["bytes_sent"]) == (True, 0)
    assert len(targets) == 2
    assert KEY not in ran.out
    assert (smoked.root / "releases/words.json").is_file()


def test_a_password_comes_from_standard_input_and_is_shown_nowhere(
    run: Run, smoked: World, targets: list[Target]
) -> None:
    login = ["--registry", "127.0.0.1:5000", "--username", "me", "--password-stdin"]
    ran = run("push", CPU, *login, stdin=f"{PASSWORD}\r\n")
    assert ran.status == 0
    assert targets[0].credentials.password == PASSWORD
    assert PASSWORD not in ran.out + ran.err
    written = [path for path in smoked.root.rglob("*") if path.is_file()]
    assert [path for path in written if PASSWORD.encode() in path.read_bytes()] == []


def test_a_second_push_asks_the_registry_and_reads_no_project(
    run: Run, smoked: World, registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    (image_id,) = smoked.images.keys.values()
    body = render_manifest(Blob(Digest.parse(image_id), 7), [Blob(Digest("a" * 64), 9)])
    done = Pushed(
        "cpu-debian12-py3.11", "127.0.0.1:5000/ml/words", Digest.parse(sha256(body)),
        (TAG,), ("latest-cpu",), 16, 16, 1, 1, already=False,
    )  # fmt: skip
    for tag in (TAG, "latest-cpu"):
        registry.manifests["ml/words", tag] = (MANIFEST_TYPE, body)
    monkeypatch.setattr(pushing, "push_to_all", lambda *_, **__: (done,))
    push = ["push", CPU, "--registry", "127.0.0.1:5000", "--username", USERNAME]
    push += ["--password-stdin", "--json"]
    (first,) = json.loads(run(*push, stdin=f"{SECRET}\n").out)

    def never(*_: object, **__: object) -> None:
        pytest.fail("the project was read")

    monkeypatch.setattr(workspaces, "Workspace", never)
    ran = run(*push, stdin=f"{SECRET}\n")
    assert ran.status == 0
    assert json.loads(ran.out) == [{**first, "already": True, "bytes_sent": 0, "layers_sent": 0}]
    assert ran.err == f"push {CPU}: skipped: 127.0.0.1:5000/ml/words@{sha256(body)}\n"
    assert registry.writes() == []
    assert run(*push[:-1], stdin=f"{SECRET}\n").out.splitlines()[1].split()[3:5] == [
        *("already", "there")
    ]


@pytest.mark.parametrize("arguments", [["--username", "me"], ["--password-stdin"]])
def test_half_a_login_is_refused(run: Run, arguments: list[str]) -> None:
    ran = run("push", *arguments, stdin=f"{PASSWORD}\n")
    assert ran.status == 2
    assert ran.err == "error: --username and --password-stdin belong together\n"


@pytest.mark.parametrize("stdin", ["", "\n"])
def test_a_password_that_is_none_is_refused(run: Run, stdin: str) -> None:
    ran = run("push", "--username", "me", "--password-stdin", stdin=stdin)
    assert ran.status == 2
    assert ran.err == "error: standard input has no password in its first line\n"


def test_a_debug_traceback_of_a_refusal_has_no_password(
    run: Run, smoked: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        message = "the registry does not know this name and password"
        raise RegistryRefusedError(message)

    monkeypatch.setattr(pushing, "push_to_all", refuse)
    login = ["--registry", "127.0.0.1:5000", "--username", "me", "--password-stdin"]
    ran = run("--debug", "push", CPU, *login, stdin=f"{PASSWORD}\n")
    assert ran.status == 1
    assert "Traceback" in ran.err
    assert PASSWORD not in ran.out + ran.err
    assert not (smoked.root / "releases").exists()
