from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from twinforge.api import pushing
from twinforge.api.building import BuildOptions, build, plan
from twinforge.api.checks import checks_digests
from twinforge.api.destinations import named_registry
from twinforge.api.pushing import PushOptions, plan_push, push
from twinforge.build.ledger import Smoked
from twinforge.errors import SmokeError, UsageError
from twinforge.events import State
from twinforge.model.reference import Digest, Reference
from twinforge.registry.credentials import ANONYMOUS
from twinforge.registry.items import Pushed, PushItem, Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.unit.world import World

CPU, CUDA = "words/cpu-debian12-py3.11", "words/cu129-debian12-py3.11"
DIGEST = Digest("d" * 64)


class Registry:
    """Takes what is pushed, and remembers where to and as whom."""

    def __init__(self) -> None:
        self.targets: tuple[Target, ...] = ()
        self.items: tuple[PushItem, ...] = ()

    def __call__(
        self, items: Sequence[PushItem], targets: Sequence[Target], **options: object
    ) -> tuple[Pushed, ...]:
        assert options["jobs"] == 3
        self.items, self.targets = tuple(items), tuple(targets)
        return tuple(
            Pushed(
                item.variant.slug, str(target.repository), DIGEST, item.tags, item.aliases,
                *(10, 20, 1, 2), already=False,
            )
            for target in targets
            for item in items
        )  # fmt: skip


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    found = Registry()
    monkeypatch.setattr(pushing, "push_to_all", found)
    return found


def smoke(world: World, *selectors: str, passed: bool = True) -> None:
    workspace = world.workspace
    for node in plan(workspace, world.variants(*selectors), BuildOptions()).nodes:
        checks = checks_digests(workspace, [node.variant])[node.variant.id]
        workspace.ledger.record_smoke(node.image_id, Smoked(passed, checks, 1.0, 2.0))


def ready(world: World, *selectors: str) -> None:
    build(world.workspace, world.variants(*selectors), BuildOptions())
    smoke(world, *selectors)


def test_all_that_stands_in_the_way_is_named_at_once(world: World) -> None:
    build(world.workspace, world.variants("accelerator=cpu"), BuildOptions())
    smoke(world, "other", passed=False)
    with pytest.raises(SmokeError) as caught:
        plan_push(world.workspace, world.variants())
    assert caught.value.message == (
        "only what was smoked is pushed: "
        "other/cpu-debian12-py3.11 did not pass its smoke checks; "
        f"{CPU} was not smoked; {CUDA} is not built (never built here)"
    )
    assert caught.value.hint == "run `twinforge build` and `twinforge smoke`"


def test_an_image_that_passed_other_checks_was_not_smoked(world: World) -> None:
    ready(world, CPU)
    world.edit("row.csv", "1,2", "3,4")
    with pytest.raises(SmokeError, match=f"{CPU} was not smoked"):
        plan_push(world.workspace, world.variants(CPU))


def test_an_image_of_another_content_is_not_pushed(world: World) -> None:
    ready(world, CPU)
    world.edit("program/serve", "#!/bin/sh\n", "#!/bin/sh\nexit 0\n")
    with pytest.raises(SmokeError, match=rf"{CPU} is not built \(changed: program\)"):
        plan_push(world.workspace, world.variants(CPU))


def test_a_plan_has_the_names_that_each_image_gets(world: World) -> None:
    ready(world, "words")
    (part,) = plan_push(world.workspace, world.variants("words"))
    key = part.nodes[0].key.hex[:16]
    assert part.repository == "ml/words"
    assert part.items[0].tags == ("1.0.0-cpu-debian12-py3.11", f"key-{key}")
    assert part.items[0].aliases == ("latest-cpu",)
    assert part.items[1].aliases == ()


def test_a_push_goes_to_the_matrix_s_registry_and_is_recorded(
    world: World, registry: Registry
) -> None:
    ready(world, "words")
    pushed = push(world.workspace, world.variants("words"), PushOptions())
    assert len(pushed) == 2
    (target,) = registry.targets
    assert str(target.repository) == "registry.example.com/ml/words"
    released: Any = json.loads((world.root / "releases/words.json").read_text("utf-8"))
    variant = released["variants"]["cu129-debian12-py3.11"]
    assert variant["digests"] == {"registry.example.com/ml/words": f"sha256:{DIGEST.hex}"}
    assert variant["image_id"] == registry.items[1].image_id
    assert (variant["accelerator"], variant["cuda"]) == ("cu129", "12.9")


@pytest.mark.parametrize(
    ("asked", "repository"),
    [
        ("127.0.0.1:5000", "127.0.0.1:5000/ml/words"),
        ("localhost:5000/team", "localhost:5000/team/ml/words"),
        ("registry.example.org", "registry.example.org/ml/words"),
    ],
)
def test_a_registry_of_the_command_line_goes_before_the_matrix_s(
    world: World, registry: Registry, asked: str, repository: str
) -> None:
    ready(world, CPU)
    options = PushOptions(registry=asked, username="me", password="hunter2")
    push(world.workspace, world.variants(CPU), options)
    (target,) = registry.targets
    assert str(target.repository) == repository
    assert (target.credentials.username, target.credentials.password) == ("me", "hunter2")
    assert "hunter2" not in repr(options)


@pytest.mark.parametrize("asked", ["Not A Host", "localhost:5000/", "localhost:port", "/path"])
def test_what_is_no_registry_is_refused(world: World, registry: Registry, asked: str) -> None:
    ready(world, CPU)
    with pytest.raises(UsageError, match="is not a registry") as caught:
        push(world.workspace, world.variants(CPU), PushOptions(registry=asked))
    assert asked in caught.value.message
    assert caught.value.hint == "give host[:port][/path]"
    assert registry.items == ()


def test_a_matrix_without_a_registry_needs_one_on_the_command_line(
    world: World, registry: Registry
) -> None:
    line = 'registry: {kind: oci, host: "registry.example.com", repository: "ml/{recipe}"}\n'
    world.edit("matrix.yaml", line, "")
    ready(world, CPU)
    with pytest.raises(UsageError, match=r"^matrix\.yaml names no registry$"):
        push(world.workspace, world.variants(CPU), PushOptions())
    with pytest.raises(UsageError, match=r"^matrix\.yaml names no registry 'prod'$") as caught:
        named_registry(world.workspace, "prod")
    assert caught.value.hint == "add it under `registries:`"
    push(world.workspace, world.variants(CPU), PushOptions(registry="localhost:5000"))
    assert str(registry.targets[0].repository) == "localhost:5000/words"


def test_what_docker_login_stored_is_used(world: World, registry: Registry) -> None:
    ready(world, CPU)
    home = world.workspace.environ["HOME"]
    folder = world.root.parent / "home/.docker"
    assert str(folder.parent) == home
    folder.mkdir(parents=True)
    auths = {"registry.example.com": {"auth": "bWU6aHVudGVyMg=="}}
    (folder / "config.json").write_text(json.dumps({"auths": auths}))
    push(world.workspace, world.variants(CPU), PushOptions())
    assert registry.targets[0].credentials.password == "hunter2"


@pytest.mark.parametrize(
    ("told", "several"),
    [
        ("`twinforge registry apply` lets the lifecycle policy keep 1.0.0", False),
        ("`twinforge registry apply prod` lets the lifecycle policy keep 1.0.0", True),
    ],
)
def test_a_release_that_the_lifecycle_policy_does_not_know_yet_is_told(
    world: World, registry: Registry, monkeypatch: pytest.MonkeyPatch, told: str, *, several: bool
) -> None:
    ready(world, CPU)
    target = Target(Reference("registry.example.com", "ml/words"), ANONYMOUS)
    monkeypatch.setattr(pushing, "registry_targets", lambda *_: (target,))
    line = 'registry: {kind: oci, host: "registry.example.com", repository: "ml/{recipe}"}'
    ecr = '{kind: ecr, regions: [eu-west-1], lifecycle: {keep_images: 9}, repository: "{recipe}"}'
    other = '{kind: oci, host: "registry.example.org", repository: "{recipe}"}'
    if several:
        world.edit("matrix.yaml", line, f"registry: {{prod: {ecr}, other: {other}}}")
    else:
        world.edit("matrix.yaml", line, f"registry: {ecr}")
    push(world.workspace, world.variants(CPU), PushOptions())
    assert [event.text for event in world.events if event.state is State.NOTE] == [told]
    world.events.clear()
    monkeypatch.setattr(
        pushing,
        "push_to_all",
        lambda *given, **options: tuple(
            replace(one, already=True) for one in registry(*given, **options)
        ),
    )
    push(world.workspace, world.variants(CPU), PushOptions())
    push(world.workspace, world.variants(CPU), PushOptions(registry="localhost:5000"))
    assert [event for event in world.events if event.state is State.NOTE] == []
