from __future__ import annotations

import hashlib
import json
import random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from twinforge.errors import ContentConflictError, RegistryError, RegistryRefusedError
from twinforge.events import Event, State, ignore
from twinforge.model.reference import Reference
from twinforge.registry.cache import BlobCache
from twinforge.registry.credentials import Credentials
from twinforge.registry.items import Pushed, PushItem, Target
from twinforge.registry.manifest import MANIFEST_TYPE
from twinforge.registry.push import push_to_all
from twinforge.registry.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

HOST = "registry.example.com"
NAME = Reference(HOST, "ml/digits")
SHARED = random.Random(1).randbytes(3_000_000)
CPU_ONLY, CUDA_ONLY = b"cpu" * 500_000, b"cuda" * 500_000


def item(image_id: str, slug: str, version: str = "1.2.0") -> PushItem:
    variant: Any = SimpleNamespace(id=f"digits/{slug}", slug=slug)
    tags = (f"{version}-{slug}", f"key-{image_id[7:23]}")
    return PushItem(variant, image_id, f"digits:{version}-{slug}", tags, (f"latest-{slug}",))


@pytest.fixture
def pair(engine: Any) -> tuple[PushItem, PushItem]:
    cpu, cuda = engine.add(SHARED, CPU_ONLY), engine.add(SHARED, CUDA_ONLY, SHARED)
    return item(cpu, "cpu"), item(cuda, "cuda")


@pytest.fixture
def push(
    registry: Any, engine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Pushed, ...]]:
    monkeypatch.setattr("twinforge.registry.oci.make_transport", lambda **_: registry.transport)

    def run(items: Sequence[PushItem], *names: Reference, **options: Any) -> tuple[Pushed, ...]:
        given = {
            "source": engine,
            "cache": BlobCache(tmp_path / "state" / "blobs.json"),
            "work_dir": tmp_path,
            "listener": ignore,
            "retry": Retry(attempts=3, sleep=lambda _: None),
            **options,
        }
        who = Credentials("twin", "s3cret-pass")
        return push_to_all(items, [Target(name, who) for name in names or (NAME,)], **given)

    return run


def test_a_pair_is_pushed_as_docker_manifests_of_exactly_its_images(
    registry: Any, push: Any, pair: tuple[PushItem, PushItem]
) -> None:
    for pushed, one in zip(push(pair), pair, strict=True):
        for tag in (*one.tags, *one.aliases):
            media_type, body = registry.manifests["ml/digits", tag]
            document = json.loads(body)
            assert media_type == document["mediaType"] == MANIFEST_TYPE
            assert document["config"]["digest"] == one.image_id
            assert str(pushed.digest) == f"sha256:{hashlib.sha256(body).hexdigest()}"


def test_a_shared_layer_is_sent_once(
    registry: Any, push: Any, pair: tuple[PushItem, PushItem]
) -> None:
    cpu, cuda = push(pair)
    assert (cpu.layers_sent, cpu.layers_total) == (2, 2)
    assert (cuda.layers_sent, cuda.layers_total) == (1, 3)
    assert cuda.bytes_sent < 100_000 < cuda.bytes_total
    assert len([1 for method, _ in registry.requests if method == "PATCH"]) == 3 + 2


def test_how_the_engine_cuts_its_stream_does_not_change_a_digest(
    registry: Any, push: Any, pair: tuple[PushItem, PushItem], engine: Any, tmp_path: Path
) -> None:
    first = push(pair)
    registry.blobs.clear()
    registry.manifests.clear()
    engine.piece = 4099
    again = push(pair, cache=BlobCache(tmp_path / "other.json"))
    assert [one.digest for one in again] == [one.digest for one in first]


def test_a_second_push_reads_nothing_from_the_engine_and_writes_nothing(
    registry: Any, push: Any, pair: tuple[PushItem, PushItem], engine: Any
) -> None:
    first = push(pair)
    registry.requests.clear()
    again = push(pair)
    assert registry.writes() == []
    assert len(engine.saved) == 1
    assert [one.digest for one in again] == [one.digest for one in first]
    assert all(one.already and one.bytes_sent == 0 for one in again)


def test_aliases_move_after_every_manifest_is_in_and_read_back(
    registry: Any, push: Any, pair: tuple[PushItem, PushItem]
) -> None:
    push(pair)
    puts = [
        path.rpartition("/")[2]
        for method, path in registry.requests
        if method == "PUT" and "/manifests/" in path
    ]
    assert sorted(puts[:4]) == sorted(tag for one in pair for tag in one.tags)
    assert sorted(puts[4:]) == ["latest-cpu", "latest-cuda"]


def test_a_registry_that_fails_on_one_variant_moves_no_alias(
    registry: Any, push: Any, pair: tuple[PushItem, PushItem]
) -> None:
    registry.faults = [403]
    registry.fault_at = lambda request: (
        request.url.path.endswith("/1.2.0-cuda") and (request.method == "PUT")
    )
    with pytest.raises(RegistryRefusedError):
        push(pair)
    assert not [name for _, name in registry.manifests if name.startswith("latest-")]
    assert all(one.digest for one in push(pair))


def test_every_push_that_is_cut_off_is_completed_by_the_next_one(
    registry: Any, push: Any, pair: tuple[PushItem, PushItem], tmp_path: Path
) -> None:
    want = [one.digest for one in push(pair)]
    count = len(registry.requests)
    for cut in range(0, count, 3):
        registry.blobs.clear()
        registry.manifests.clear()
        registry.requests.clear()
        registry.faults = [httpx.ConnectError("gone")] * 100
        registry.fault_at = lambda _, cut=cut: len(registry.requests) > cut
        with pytest.raises(RegistryError):
            push(pair, cache=BlobCache(tmp_path / f"{cut}.json"))
        aliases = [name for _, name in registry.manifests if name.startswith("latest-")]
        whole = all(("ml/digits", tag) in registry.manifests for one in pair for tag in one.tags)
        assert whole or not aliases
        registry.faults = []
        done = push(pair, cache=BlobCache(tmp_path / f"{cut}.json"))
        assert [one.digest for one in done] == want
    assert not list(tmp_path.glob("push-*"))


def test_other_content_under_a_taken_tag_shows_both_and_nothing_is_written(
    registry: Any, push: Any, pair: tuple[PushItem, PushItem], engine: Any
) -> None:
    push(pair)
    other = item(engine.add(SHARED, b"changed"), "cpu")
    registry.requests.clear()
    with pytest.raises(ContentConflictError) as caught:
        push([other])
    assert other.image_id in caught.value.message
    assert pair[0].image_id in caught.value.message
    assert registry.writes() == []


def test_a_new_version_sends_what_changed_and_moves_the_alias(
    registry: Any, push: Any, pair: tuple[PushItem, PushItem], engine: Any
) -> None:
    push(pair)
    new = item(engine.add(SHARED, b"changed"), "cpu", "1.3.0")
    (pushed,) = push([new])
    assert pushed.layers_sent == 1
    assert (
        registry.manifests["ml/digits", "latest-cpu"]
        == registry.manifests["ml/digits", "1.3.0-cpu"]
    )


def test_without_memory_the_layers_are_found_by_what_the_aliases_point_to(
    push: Any, pair: tuple[PushItem, PushItem], engine: Any, tmp_path: Path
) -> None:
    push(pair)
    new = item(engine.add(SHARED, CPU_ONLY, label="new"), "cpu", "1.3.0")
    (pushed,) = push([new], cache=BlobCache(tmp_path / "new.json"))
    assert pushed.layers_sent == 0


def test_another_repository_of_the_registry_shares_the_layers(
    push: Any, pair: tuple[PushItem, PushItem], engine: Any
) -> None:
    push(pair)
    (pushed,) = push([pair[0]], Reference(HOST, "prod/digits"))
    assert pushed.layers_sent == 0
    assert pushed.repository == f"{HOST}/prod/digits"
    assert engine.saved[-1] == [pair[0].image_id]  # for its configuration


def test_several_targets_get_the_same_digests_from_one_look_at_the_engine(
    push: Any, pair: tuple[PushItem, PushItem], engine: Any
) -> None:
    pushed = push(pair, NAME, Reference("other.example.com", "ml/digits"))
    assert [one.repository for one in pushed] == [f"{HOST}/ml/digits"] * 2 + [
        "other.example.com/ml/digits"
    ] * 2
    assert len(engine.saved) == 1
    assert [one.digest for one in pushed[:2]] == [one.digest for one in pushed[2:]]


def test_a_layer_that_is_not_what_its_name_says_is_not_pushed(
    registry: Any, push: Any, pair: tuple[PushItem, PushItem], engine: Any
) -> None:
    name = next(name for name, body in engine.layers.items() if body == CPU_ONLY)
    engine.layers[name] = CPU_ONLY[:-1] + b"!"
    with pytest.raises(RegistryError, match=f"other content for the layer {name}"):
        push(pair)
    assert registry.manifests == {}


def test_an_archive_without_the_layers_names_the_reason(
    push: Any, pair: tuple[PushItem, PushItem], engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = b"\0" * 10240
    monkeypatch.setattr(engine, "save", lambda _: iter((empty,)))
    with pytest.raises(RegistryError, match="archive lacks") as caught:
        push(pair)
    assert "containerd" in caught.value.hint


def test_an_image_that_is_gone_from_the_engine_is_named(push: Any) -> None:
    gone = item("sha256:" + "0" * 64, "cpu")
    with pytest.raises(RegistryError, match=r"no image sha256:0+ \('digits:1.2.0-cpu'\)"):
        push([gone])


def test_a_tag_asked_for_by_two_images_is_an_error_before_any_request(
    registry: Any, push: Any, pair: tuple[PushItem, PushItem]
) -> None:
    with pytest.raises(ContentConflictError, match=r"'1\.2\.0-cpu' is asked for by"):
        push([pair[0], item(pair[1].image_id, "cpu")])
    assert registry.requests == []


def test_a_registry_that_keeps_something_else_is_found_out(
    registry: Any, push: Any, pair: tuple[PushItem, PushItem], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = registry.manifest

    def lie(request: httpx.Request, repository: str, name: str, body: bytes) -> httpx.Response:
        answer: httpx.Response = real(request, repository, name, body)
        if request.method == "GET" and answer.status_code == 200:
            oci = {"content-type": "application/vnd.oci.image.manifest.v1+json"}
            return httpx.Response(200, headers=oci, content=answer.content)
        return answer

    monkeypatch.setattr(registry, "manifest", lie)
    with pytest.raises(RegistryError, match="SageMaker takes"):
        push(pair)
    assert not [name for _, name in registry.manifests if name.startswith("latest-")]


def test_a_lost_answer_of_an_immutable_tag_is_not_a_conflict(
    registry: Any, push: Any, pair: tuple[PushItem, PushItem], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.immutable = True
    real = registry.manifest
    lost: list[str] = []

    def lose(request: httpx.Request, repository: str, name: str, body: bytes) -> httpx.Response:
        answer: httpx.Response = real(request, repository, name, body)
        if request.method == "PUT" and name not in lost:
            lost.append(name)
            return httpx.Response(502)
        return answer

    monkeypatch.setattr(registry, "manifest", lose)
    assert len(push(pair)) == 2


def test_the_report_hears_of_bytes_and_ends(push: Any, pair: tuple[PushItem, PushItem]) -> None:
    events: list[Event] = []
    push(pair, listener=events.append)
    progress = [event for event in events if event.state is State.PROGRESS]
    assert {event.unit for event in progress} == {"bytes"}
    assert [event.state for event in events if event.node == "digits/cuda"][-1] is State.DONE
    push(pair, listener=events.append)
    assert [event.state for event in events[-2:]] == [State.SKIPPED, State.SKIPPED]
