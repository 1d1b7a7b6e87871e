from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.world import BASE, LOCKED_APT, MOVED_APT, MOVED_BASE
from twinforge.api import building
from twinforge.api.building import (
    BuildOptions,
    build,
    build_specs,
    dry_run,
    local_reference,
    plan,
)
from twinforge.build.plan import Status
from twinforge.build.progress import Failure
from twinforge.errors import LockError, StaleError
from twinforge.events import State
from twinforge.lock.locked import Deb
from twinforge.model.recipe import AptPackage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.unit.world import World
    from twinforge.model.variant import Variant

CPU, CUDA, OTHER = (
    "words/cpu-debian12-py3.11",
    "words/cu129-debian12-py3.11",
    "other/cpu-debian12-py3.11",
)
GONE = Failure("system", 7, LOCKED_APT, f"E: Version '{LOCKED_APT}' for 'libgomp1' was not found")
ONE = BuildOptions(jobs=1)


class FakeApt:
    """Answers with what the archive has today, or says that it can't be reached."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.asked: list[str] = []

    def __call__(self, locks: object, **options: object) -> FakeApt:
        del locks, options
        return self

    def closure(self, variant: Variant, packages: Sequence[AptPackage]) -> tuple[Deb, ...]:
        assert packages == (AptPackage("libgomp1"),)
        self.asked.append(variant.id)
        if not self.version:
            message = "the archive can't be reached"
            raise LockError(message)
        return (Deb("libgomp1", self.version),)


@pytest.fixture
def apt(monkeypatch: pytest.MonkeyPatch) -> FakeApt:
    found = FakeApt(MOVED_APT)
    monkeypatch.setattr(building, "ContainerApt", found)
    return found


def ids(world: World) -> dict[str, str]:
    return {
        variant.id: world.images.tags.get(local_reference(world.workspace, variant), "")
        for variant in world.variants()
    }


def told(world: World, state: State) -> list[tuple[str, str]]:
    return [(event.node, event.text) for event in world.events if event.state is state]


def test_what_was_never_built_is_new_and_a_plan_changes_nothing(world: World) -> None:
    nodes = plan(world.workspace, world.variants(), ONE).nodes
    assert [(node.variant.id, node.status) for node in nodes] == [
        (OTHER, Status.NEW),
        (CPU, Status.NEW),
        (CUDA, Status.NEW),
    ]
    assert world.buildx.specs == []
    assert not (world.root / ".twinforge").exists()


def test_a_build_tags_each_image_with_its_version_and_its_content(world: World) -> None:
    done, outcomes = build(world.workspace, world.variants("words"), ONE)
    assert [node.variant.id for node in done.todo] == [CPU, CUDA]
    for outcome in outcomes:
        assert outcome.result is not None
        key = outcome.task.key.hex
        slug = outcome.task.variant.slug
        for tag in (f"1.0.0-{slug}", f"key-{key[:16]}"):
            assert world.images.tags[f"ml/words:{tag}"] == outcome.result.image_id
        assert world.workspace.ledger.built[outcome.task.variant.id].key == key
        log = world.root / f".twinforge/logs/words/{slug}.build.log"
        assert log.read_text() == f"building words/{slug}\n"


def test_a_second_build_builds_nothing(world: World) -> None:
    build(world.workspace, world.variants(), ONE)
    before = ids(world)
    world.again()
    world.buildx.specs.clear()
    done, outcomes = build(world.workspace, world.variants(), ONE)
    assert (done.todo, outcomes, world.buildx.specs) == ((), (), [])
    assert ids(world) == before


def test_after_a_change_of_the_program_each_variant_is_asked_for_once(world: World) -> None:
    build(world.workspace, world.variants(), BuildOptions(jobs=3))
    assert world.buildx.turns == [True] * 3, "side by side: into the cache first, then in turn"
    world.buildx.turns.clear()
    world.edit("program/serve", "#!/bin/sh\n", "#!/bin/sh\nexit 0\n")
    world.buildx.meeting = threading.Barrier(2)
    build(world.workspace, world.variants(), BuildOptions(jobs=3))
    assert world.buildx.turns == [False] * 3
    assert world.buildx.met == [], "one after another"


def test_a_forced_build_builds_what_is_there(world: World) -> None:
    build(world.workspace, world.variants(CPU), ONE)
    world.again()
    done, _ = build(world.workspace, world.variants(CPU), BuildOptions(force=True))
    assert [node.why for node in done.todo] == ["asked for again"]
    assert len(world.buildx.specs) == 2


def test_a_changed_program_is_why_its_variants_are_built_again(world: World) -> None:
    build(world.workspace, world.variants(), ONE)
    world.edit("program/serve", "#!/bin/sh\n", "#!/bin/sh\nexit 0\n")
    nodes = plan(world.workspace, world.variants(), ONE).nodes
    assert {node.why for node in nodes} == {"changed: program"}


def test_a_change_that_is_taken_back_gives_the_tags_back_without_a_build(world: World) -> None:
    build(world.workspace, world.variants(CPU), ONE)
    before = ids(world)
    world.edit("program/serve", "#!/bin/sh\n", "#!/bin/sh\nexit 0\n")
    build(world.workspace, world.variants(CPU), ONE)
    assert ids(world) != before
    world.edit("program/serve", "exit 0\n", "")
    done, _ = build(world.workspace, world.variants(CPU), ONE)
    assert done.todo == ()
    assert ids(world) == before


def test_files_that_were_not_rendered_are_not_built(world: World) -> None:
    world.edit("recipes/words.yaml", "version: 1.0.0", "version: 1.0.1")
    with pytest.raises(StaleError, match="the generated files are stale"):
        build(world.workspace, world.variants(), ONE)
    assert world.buildx.specs == []


def test_a_lock_that_does_not_belong_to_its_recipe_is_not_built_from(world: World) -> None:
    world.edit(
        "recipes/words.yaml", "program: program", "python: {packages: [numpy]}\nprogram: program"
    )
    with pytest.raises(StaleError, match="the lock of 'words' is stale"):
        build(world.workspace, world.variants("words"), ONE)
    _, outcomes = build(world.workspace, world.variants("other"), ONE)
    assert len(outcomes) == 1


def test_a_failure_is_of_its_variant_alone_and_moves_no_tag(world: World) -> None:
    world.buildx.failing[CPU] = Failure("wheels-common", 12, "", "no space left")
    _, outcomes = build(world.workspace, world.variants(), ONE)
    assert [outcome.result is not None for outcome in outcomes] == [True, False, True]
    assert ids(world)[CPU] == ""
    assert told(world, State.FAILED) == [(CPU, f"{CPU} failed")]
    assert CPU not in world.workspace.ledger.built


def test_the_first_failure_stops_a_build_that_is_to_fail_fast(world: World) -> None:
    world.buildx.failing[OTHER] = Failure("system", 5, "", "exit code 1")
    options = BuildOptions(jobs=1, fail_fast=True)
    _, outcomes = build(world.workspace, world.variants(), options)
    assert [outcome.skipped for outcome in outcomes] == [False, True, True]


def test_a_spec_has_the_contexts_that_its_dockerfile_names_and_secrets_as_files(
    world: World, tmp_path: Path
) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("certificate")
    netrc = tmp_path / "home/.netrc"
    netrc.parent.mkdir()
    netrc.write_text("machine pypi.example.com login me password hunter2")
    world.workspace = world.workspace.reread()
    environ = {"HOME": str(netrc.parent), "SSL_CERT_FILE": str(bundle)}
    vars(world.workspace).update(environ=environ)
    world.again()
    build(world.workspace, world.variants(CPU), ONE)
    (spec,) = world.buildx.specs
    assert spec.secrets == {"ca": bundle}  # the recipe has no index of its own
    assert set(spec.contexts) == {"twinforge/base:debian-12", "uv"}
    assert (spec.folder / "program.tar").is_file()
    assert "hunter2" not in repr(spec)


def test_a_dropped_package_is_followed_told_and_remembered(world: World, apt: FakeApt) -> None:
    world.buildx.failing[CPU] = GONE
    planned = plan(world.workspace, world.variants(CPU), ONE).nodes[0].key.hex
    _, (outcome,) = build(world.workspace, world.variants(CPU), ONE)
    assert outcome.result is not None
    assert outcome.result.node.key.hex != planned
    assert f"libgomp1={MOVED_APT}" in world.buildx.dockerfiles[1]
    moved = f"packages moved since the lock: libgomp1 {LOCKED_APT} -> {MOVED_APT}"
    assert told(world, State.NOTE) == [(CPU, moved)]
    assert told(world, State.FAILED) == []

    world.again()
    done, _ = build(world.workspace, world.variants(CPU), ONE)
    assert done.todo == ()
    assert apt.asked == [CPU]


def test_a_locked_build_refuses_a_dropped_package_and_forgets_nothing(
    world: World, apt: FakeApt
) -> None:
    world.buildx.failing[CPU] = GONE
    build(world.workspace, world.variants(CPU), ONE)
    world.again()
    _, (outcome,) = build(world.workspace, world.variants(CPU), BuildOptions(locked=True))
    assert isinstance(outcome.error, StaleError)
    assert outcome.error.hint == "run `twinforge lock words` and commit the result"
    world.again()
    assert build(world.workspace, world.variants(CPU), ONE)[0].todo == ()
    assert apt.asked == [CPU, CPU]


@pytest.mark.parametrize(
    ("failure", "version", "asks"),
    [
        (Failure("system", 7, LOCKED_APT, "a step of the recipe failed"), MOVED_APT, 0),
        (Failure("wheels-common", 7, LOCKED_APT, "E: of another stage"), MOVED_APT, 0),
        (Failure("system", 7, LOCKED_APT, "E: no space left"), LOCKED_APT, 1),
    ],
)
def test_a_failure_that_no_move_explains_stays_one(
    world: World, apt: FakeApt, failure: Failure, version: str, asks: int
) -> None:
    apt.version = version
    world.buildx.failing[CPU] = failure
    _, (outcome,) = build(world.workspace, world.variants(CPU), ONE)
    assert str(outcome.error) == f"{CPU} failed"
    assert len(apt.asked) == asks
    assert len(world.buildx.specs) == 1


def test_an_archive_that_does_not_answer_is_what_failed(world: World, apt: FakeApt) -> None:
    apt.version = ""
    world.buildx.failing[CPU] = GONE
    _, (outcome,) = build(world.workspace, world.variants(CPU), ONE)
    assert str(outcome.error) == "the archive can't be reached"
    assert told(world, State.FAILED) == [(CPU, "the archive can't be reached")]


def test_a_base_that_moved_gives_another_key_that_the_next_plan_knows(world: World) -> None:
    planned = plan(world.workspace, world.variants(CPU), ONE).nodes[0].key.hex
    world.base_now = MOVED_BASE
    done, _ = build(world.workspace, world.variants(CPU), ONE)
    key = done.nodes[0].key.hex
    assert key != planned
    world.again()
    assert plan(world.workspace, world.variants(CPU), ONE).nodes[0].key.hex == key
    assert plan(world.workspace, world.variants(CPU), BuildOptions(locked=True)).nodes[
        0
    ].key.hex == (planned)


def test_bake_stands_on_the_base_that_the_build_left_in_the_engine(world: World) -> None:
    world.base_now = MOVED_BASE
    done, _ = build(world.workspace, world.variants(CPU), ONE)
    world.again()
    [spec] = build_specs(world.workspace, world.variants(CPU))
    assert spec.labels["io.twinforge.key"] == done.nodes[0].key.hex
    [base] = [value for name, value in spec.contexts.items() if name.startswith("twinforge/base:")]
    assert base.endswith(MOVED_BASE.removeprefix("sha256:")[:16])


def test_a_base_that_came_back_gives_the_planned_key_again(world: World) -> None:
    planned = plan(world.workspace, world.variants(CPU), ONE).nodes[0].key.hex
    world.base_now = MOVED_BASE
    build(world.workspace, world.variants(CPU), ONE)
    world.again()
    world.base_now = BASE
    done, _ = build(world.workspace, world.variants(CPU), BuildOptions(force=True))
    assert done.nodes[0].key.hex == planned


def test_a_dry_run_names_each_command_and_builds_nothing(world: World) -> None:
    build(world.workspace, world.variants(OTHER), ONE)
    world.again()
    world.buildx.specs.clear()
    commands: Any = dry_run(world.workspace, world.variants(), ONE)
    assert [node.variant.id for node, _ in commands] == [CPU, CUDA]
    assert all(command.startswith("docker buildx build ") for _, command in commands)
    assert world.buildx.specs == []
