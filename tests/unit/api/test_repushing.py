from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.fake_ecr import ACCOUNT, FakeEcr
from tests.unit.registry.conftest import PASSWORD, USERNAME, FakeRegistry, sha256
from twinforge import process
from twinforge.api import pushing
from twinforge.api.building import BuildOptions, build, plan
from twinforge.api.checks import checks_digests
from twinforge.api.pushing import PushOptions, push
from twinforge.api.repushing import Question, recall_push
from twinforge.build.ledger import Smoked
from twinforge.events import Event, State
from twinforge.model.reference import Digest, Reference
from twinforge.process import Completed
from twinforge.registry.credentials import Credentials
from twinforge.registry.items import AwsAccess, Pushed, PushItem, Target
from twinforge.registry.manifest import (
    MANIFEST_TYPE,
    Blob,
    parse_manifest,
    render_manifest,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.unit.world import World

HOST, REPOSITORY = "127.0.0.1:5000", "ml/words"
WHO = Credentials(USERNAME, PASSWORD)
ASKED = Question(("words",), HOST, "")
LAYER = Blob(Digest("a" * 64), 100)


def pushed_to(registry: FakeRegistry, items: Sequence[PushItem], target: Target) -> list[Pushed]:
    """Put manifests straight into a registry, as a push would."""
    done = []
    for item in items:
        body = render_manifest(Blob(item.digest, 10), [LAYER])
        for tag in (*item.tags, *item.aliases):
            registry.manifests[target.repository.repository, tag] = (MANIFEST_TYPE, body)
        manifest = parse_manifest(body, MANIFEST_TYPE)
        assert manifest is not None
        done.append(
            Pushed(
                item.variant.slug, target.repository.name, Digest.parse(sha256(body)),
                item.tags, item.aliases, 110, manifest.size_bytes, 1, 1, already=False,
            )
        )  # fmt: skip
    return done


class Bench:
    """A project that is built and smoked, and a registry in memory."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.registry = FakeRegistry()
        self.inspected = 0
        self.during: Any = lambda: None
        self.events: list[Event] = []

    def inspect(self, argv: Sequence[str], **options: object) -> Completed:
        assert options["check"] is False
        self.inspected += 1
        held = set(self.world.images.tags.values())
        found = [name for name in argv[7:] if name in held]
        status = 0 if len(found) == len(argv[7:]) else 1
        return Completed(tuple(argv), status, "\n".join(found), "")

    def push_to_all(
        self, items: Sequence[PushItem], targets: Sequence[Target], **_: object
    ) -> tuple[Pushed, ...]:
        self.during()
        return tuple(one for target in targets for one in pushed_to(self.registry, items, target))

    def ready(self, *selectors: str) -> None:
        workspace = self.world.workspace
        build(workspace, self.world.variants(*selectors), BuildOptions())
        for node in plan(workspace, self.world.variants(*selectors), BuildOptions()).nodes:
            checks = checks_digests(workspace, [node.variant])[node.variant.id]
            workspace.ledger.record_smoke(
                node.image_id, Smoked(passed=True, checks=checks, ping_s=1, seconds=2)
            )

    def push(self, question: Question | None = ASKED) -> tuple[Pushed, ...]:
        self.world.again()
        selectors = question.selectors if question else ASKED.selectors
        registry = question.registry if question else HOST
        options = PushOptions(registry=registry)
        if registry:
            options = replace(options, username=USERNAME, password=PASSWORD)
        variants = self.world.variants(*selectors)
        return push(self.world.workspace, variants, options, question)

    def ask(
        self, question: Question = ASKED, who: Credentials | None = WHO
    ) -> tuple[Pushed, ...] | None:
        self.registry.requests.clear()
        workspace = self.world.workspace
        return recall_push(self.world.root, workspace.environ, question, who, self.events.append)


@pytest.fixture
def bench(world: World, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(world)
    monkeypatch.setattr(process, "run", made.inspect)
    monkeypatch.setattr(pushing, "push_to_all", made.push_to_all)
    monkeypatch.setattr(
        "twinforge.registry.oci.make_transport", lambda **_: made.registry.transport
    )
    made.ready("words")
    return made


@pytest.fixture
def noted(bench: Bench) -> tuple[Pushed, ...]:
    """What a push came to that left its note, as a second one shows it."""
    assert bench.ask() is None
    assert bench.registry.requests == []
    first = bench.push()
    return tuple(replace(one, bytes_sent=0, layers_sent=0, already=True) for one in first)


def test_an_unchanged_pair_is_there_and_nothing_is_written(
    bench: Bench, noted: tuple[Pushed, ...]
) -> None:
    assert bench.ask() == noted
    assert bench.inspected == 1
    assert bench.registry.writes() == []
    asked = [path.rpartition("/")[2] for _, path in bench.registry.requests if "manifests" in path]
    assert sorted(asked) == sorted(tag for one in noted for tag in (*one.tags, *one.aliases))
    assert [event.state for event in bench.events] == [State.SKIPPED] * 2
    assert [event.node.partition("/")[2] for event in bench.events] == [one.slug for one in noted]


@pytest.mark.parametrize("kind", ["gone", "other", "index", "oci", "config"])
def test_what_the_registry_holds_is_read_and_not_believed(
    bench: Bench, noted: tuple[Pushed, ...], kind: str
) -> None:
    assert bench.ask() == noted
    for key in [key for key in bench.registry.manifests if not key[1].startswith("sha256:")]:
        media_type, body = was = bench.registry.manifests[key]
        document = json.loads(body)
        if kind == "gone":
            del bench.registry.manifests[key]
        elif kind == "other":
            bench.registry.manifests[key] = (media_type, body + b"\n")
        elif kind == "index":
            bench.registry.manifests[key] = (media_type, b'{"manifests": []}')
        elif kind == "oci":
            bench.registry.manifests[key] = ("application/vnd.oci.image.manifest.v1+json", body)
        else:
            document["config"]["digest"] = f"sha256:{'0' * 64}"
            bench.registry.manifests[key] = (media_type, json.dumps(document).encode())
        assert bench.ask() is None
        bench.registry.manifests[key] = was
    assert bench.ask() == noted


def test_a_note_that_names_another_image_is_found_out_in_the_manifest(
    bench: Bench, noted: tuple[Pushed, ...]
) -> None:
    assert bench.ask() == noted
    path = bench.world.root / ".twinforge/pushed.json"
    note = json.loads(path.read_text("utf-8"))
    note["answer"]["rows"][0]["image"] = note["answer"]["rows"][1]["image"]
    path.write_text(json.dumps(note), "utf-8")
    assert bench.ask() is None


def test_an_image_that_the_engine_holds_no_more_is_no_answer(
    bench: Bench, noted: tuple[Pushed, ...]
) -> None:
    assert bench.ask() == noted
    tags = bench.world.images.tags
    for image_id in set(tags.values()):
        was = dict(tags)
        for reference in [name for name, held in was.items() if held == image_id]:
            tags[reference] = f"sha256:{'0' * 64}"
        assert bench.ask() is None
        tags.update(was)
    assert bench.ask() == noted


def test_under_which_name_the_engine_has_an_image_does_not_matter(
    bench: Bench, noted: tuple[Pushed, ...]
) -> None:
    tags = bench.world.images.tags
    for reference in list(tags):
        tags[f"other/{reference}"] = tags.pop(reference)
    assert bench.ask() == noted


@pytest.mark.parametrize(
    "path",
    [
        *("matrix.yaml", "recipes/words.yaml", "program/serve", "row.csv"),
        *(".twinforge/ledger.json", "releases/words.json"),
    ],
)
def test_any_file_that_decides_a_push_is_looked_at(
    bench: Bench, noted: tuple[Pushed, ...], path: str
) -> None:
    assert bench.ask() == noted
    file = bench.world.root / path
    file.write_text(f"{file.read_text('utf-8')} ", "utf-8")
    assert bench.ask() is None
    file.unlink()
    assert bench.ask() is None
    assert bench.registry.requests == []


@pytest.mark.parametrize(
    "question",
    [
        replace(ASKED, selectors=()),
        replace(ASKED, registry="127.0.0.1:5001"),
        replace(ASKED, registry="", to="production"),
    ],
)
def test_another_question_is_not_answered(
    bench: Bench, noted: tuple[Pushed, ...], question: Question
) -> None:
    assert bench.ask() == noted
    assert bench.ask(question) is None
    assert bench.registry.requests == []


def test_a_wrong_password_leaves_the_error_to_the_whole_way(
    bench: Bench, noted: tuple[Pushed, ...]
) -> None:
    assert bench.ask() == noted
    assert bench.ask(who=Credentials(USERNAME, "wrong")) is None
    assert bench.ask(who=None) is None


def test_a_registry_that_fails_is_asked_once_and_left_to_the_whole_way(
    bench: Bench, noted: tuple[Pushed, ...]
) -> None:
    assert bench.ask() == noted
    bench.registry.faults = [503]
    assert bench.ask() is None
    assert bench.ask() == noted


def test_a_file_that_changes_during_a_push_leaves_no_note(bench: Bench) -> None:
    bench.during = lambda: (bench.world.root / "row.csv").write_text("3,4\n", "utf-8")
    bench.push()
    assert not (bench.world.root / ".twinforge/pushed.json").exists()


def test_what_changes_from_elsewhere_leaves_no_note(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = bench.world.root / ".twinforge/pushed.json"
    bench.push(None)
    assert not note.exists()
    variants, options = bench.world.variants("words"), PushOptions(registry=HOST)
    push(bench.world.workspace, variants, options, Question(("changed-since=main",), HOST, ""))
    assert not note.exists()
    monkeypatch.setattr(pushing, "registry_targets", lambda *_: (target("eu-west-1"),))
    scanned = f"{ECR}, scan: {{fail_on: HIGH}}"
    bench.world.edit("matrix.yaml", OCI, scanned.replace("REGIONS", "eu-west-1"))
    monkeypatch.setattr(pushing, "gate_for", lambda *_: None)
    bench.push(Question(("words",), "", ""))
    assert not note.exists()


OCI = 'kind: oci, host: "registry.example.com"'
ECR = "kind: ecr, regions: [REGIONS]"


def target(region: str) -> Target:
    return Target(Reference(f"{ACCOUNT}.dkr.ecr.{region}.amazonaws.com", REPOSITORY), WHO)


@pytest.fixture
def on_ecr(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> FakeEcr:
    """The project pushes to ECR in two regions, whose tokens the registry takes."""
    ecr, regions = FakeEcr(), ("eu-west-1", "eu-north-1")
    bench.world.edit("matrix.yaml", OCI, ECR.replace("REGIONS", ", ".join(regions)))
    found = tuple(map(target, regions))
    monkeypatch.setattr(pushing, "registry_targets", lambda *_: found)
    monkeypatch.setattr("twinforge.registry.aws.connect_ecr", ecr.connect)
    token = Credentials("AWS", "t0ken").basic
    monkeypatch.setattr(
        bench.registry, "allowed", lambda request: request.headers.get("authorization") == token
    )
    return ecr


def test_ecr_is_asked_in_every_region_with_a_token_of_now(bench: Bench, on_ecr: FakeEcr) -> None:
    question = Question(("words",), "", "")
    pushed = bench.push(question)
    found = bench.ask(question, None)
    assert found is not None
    assert [(one.repository, one.digest) for one in found] == [
        (one.repository, one.digest) for one in pushed
    ]
    assert len(found) == 4
    assert sorted(region for region, *_ in on_ecr.calls) == ["eu-north-1", "eu-west-1"]
    assert {name for _, name, _ in on_ecr.calls} == {"get_authorization_token"}
    count = sum(len(one.tags) + len(one.aliases) for one in found)
    assert sum("manifests" in path for _, path in bench.registry.requests) == count
    assert bench.ask(replace(question, access=AwsAccess(profile="other")), None) is None


def test_the_registry_of_another_account_is_another_one(
    bench: Bench, on_ecr: FakeEcr, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = Question(("words",), "", "")
    bench.push(question)
    assert bench.ask(question, None) is not None
    monkeypatch.setattr("tests.fake_ecr.ACCOUNT", "999988887777")
    assert bench.ask(question, None) is None
    assert bench.registry.requests == []
    assert on_ecr.writes == []


def test_a_note_holds_no_password(bench: Bench, noted: tuple[Pushed, ...]) -> None:
    assert bench.ask() == noted
    assert PASSWORD not in (bench.world.root / ".twinforge/pushed.json").read_text("utf-8")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', "\xff"])
def test_a_broken_note_is_no_note(bench: Bench, noted: tuple[Pushed, ...], text: str) -> None:
    assert bench.ask() == noted
    (bench.world.root / ".twinforge/pushed.json").write_text(text, "latin-1")
    assert bench.ask() is None
