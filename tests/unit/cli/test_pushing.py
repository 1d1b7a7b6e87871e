from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.world import KEY
from twinforge.api import pushing
from twinforge.api.checks import checks_digest
from twinforge.build.ledger import Smoked
from twinforge.errors import RegistryRefusedError
from twinforge.model.reference import Digest
from twinforge.registry.items import Pushed

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
def targets(monkeypatch: pytest.MonkeyPatch) -> list[Target]:
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


@pytest.mark.parametrize("arguments", [["--username", "me"], ["--password-stdin"]])
def test_half_a_login_is_refused(run: Run, arguments: list[str]) -> None:
    ran = run("push", *arguments, stdin=f"{PASSWORD}\n")
    assert ran.status == 2
    assert ran.err == "error: --username and --password-stdin belong together\n"


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
