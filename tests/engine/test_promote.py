"""Promoting between real registries: shared where one registry has both repositories, else copied."""

from __future__ import annotations

import random
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from tests.faulty_registry import Fault, FaultyRegistry, faulty_registry
from tests.registry_server import RegistryServer, running_registry
from tests.tiny_images import TinyImages, push_item
from twinforge.errors import ContentConflictError, RegistryError, RegistryRefusedError
from twinforge.events import ignore
from twinforge.model.reference import Digest, Reference
from twinforge.registry.cache import BlobCache
from twinforge.registry.credentials import Credentials
from twinforge.registry.items import Pushed, PushItem, Target
from twinforge.registry.oci import connect
from twinforge.registry.promote import Promotion, promote_to_all
from twinforge.registry.push import push_to_all
from twinforge.registry.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from twinforge.registry.publish import Publication

pytestmark = pytest.mark.engine

STAGING, PRODUCTION = "staging/tiny", "production/tiny"
DRAW = random.Random(3)
SHARED = DRAW.randbytes(12_000_000)


@pytest.fixture(scope="module")
def images() -> TinyImages:
    return TinyImages()


@pytest.fixture(scope="module")
def items(images: TinyImages) -> tuple[PushItem, ...]:
    cpu, cuda = images.add(SHARED, b"cpu" * 99), images.add(SHARED, b"cuda" * 99)
    return push_item(cpu, "cpu"), push_item(cuda, "cuda")


@pytest.fixture
def first(tmp_path: Path) -> Iterator[RegistryServer]:
    with running_registry(tmp_path / "first") as found:
        yield found


@pytest.fixture
def second(tmp_path: Path) -> Iterator[RegistryServer]:
    with running_registry(tmp_path / "second", behind_proxy=True) as found:
        yield found


@pytest.fixture
def proxy(second: RegistryServer) -> Iterator[FaultyRegistry]:
    with faulty_registry(second) as found:
        yield found


def target(server: RegistryServer, repository: str, host: str = "") -> Target:
    who = Credentials(server.username, server.password)
    return Target(Reference(host or server.host, repository), who)


def push(
    items: Sequence[PushItem], to: Target, images: TinyImages, folder: Path
) -> tuple[Pushed, ...]:
    return push_to_all(
        items,
        [to],
        source=images,
        cache=BlobCache(folder / "blobs.json"),
        work_dir=folder,
        listener=ignore,
    )


@pytest.fixture
def released(
    items: tuple[PushItem, ...], first: RegistryServer, images: TinyImages, tmp_path: Path
) -> tuple[Promotion, ...]:
    pushed = push(items, target(first, STAGING), images, tmp_path)
    return tuple(Promotion(item, result.digest) for item, result in zip(items, pushed, strict=True))


def promote(
    released: Sequence[Promotion], first: RegistryServer, *targets: Target, **options: Any
) -> tuple[Pushed, ...]:
    given = {"retry": Retry(attempts=4, sleep=lambda _: None), **options}
    return promote_to_all(released, target(first, STAGING), targets, listener=ignore, **given)


def digest_of(server: RegistryServer, repository: str, name: str) -> Digest | None:
    with connect(server.host, Credentials(server.username, server.password)) as client:
        stored = client.read_manifest(repository, name)
    return stored.digest if stored else None


def test_a_neighbour_shares_the_layers_and_gets_the_same_digests(
    released: tuple[Promotion, ...], first: RegistryServer
) -> None:
    before = len(first.log.read_text())
    done = promote(released, first, target(first, PRODUCTION))
    requests = first.log.read_text()[before:]
    assert '"PATCH ' not in requests
    assert "mount=sha256" in requests
    assert [one.bytes_sent for one in done] == [0, 0]
    for one in released:
        for name in (*one.item.tags, *one.item.aliases):
            assert digest_of(first, PRODUCTION, name) == one.digest


def test_another_registry_gets_a_copy_that_is_never_held_as_a_whole(
    released: tuple[Promotion, ...], first: RegistryServer, second: RegistryServer
) -> None:
    tracemalloc.start()
    try:
        done = promote(released, first, target(second, PRODUCTION))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < len(SHARED) / 2
    assert done[0].bytes_sent > len(SHARED) > done[1].bytes_sent
    for one in released:
        for name in (*one.item.tags, *one.item.aliases):
            assert digest_of(second, PRODUCTION, name) == one.digest


def test_a_second_promotion_reads_only(
    released: tuple[Promotion, ...], first: RegistryServer, second: RegistryServer
) -> None:
    with faulty_registry(second) as proxy:
        to = target(second, PRODUCTION, proxy.host)
        promote(released, first, to)
        proxy.arm(None)
        again = promote(released, first, to)
    assert {method for method, _ in proxy.requests} == {"GET"}
    assert all(one.already for one in again)


def test_other_content_under_the_version_shows_both_and_nothing_is_written(
    released: tuple[Promotion, ...],
    first: RegistryServer,
    second: RegistryServer,
    images: TinyImages,
    tmp_path: Path,
) -> None:
    (other,) = push(
        [push_item(images.add(b"other"), "cuda")], target(second, PRODUCTION), images, tmp_path
    )
    with pytest.raises(ContentConflictError) as caught:
        promote(released, first, target(second, PRODUCTION))
    assert str(other.digest) in caught.value.message
    assert str(released[1].digest) in caught.value.message
    assert digest_of(second, PRODUCTION, released[0].item.tags[0]) is None


@pytest.mark.parametrize("fault", [Fault.CUT_IN_BODY, Fault.LOST_ANSWER, Fault.BUSY, Fault.EXPIRED])
def test_a_copy_gets_over_what_networks_do(
    released: tuple[Promotion, ...],
    first: RegistryServer,
    second: RegistryServer,
    proxy: FaultyRegistry,
    fault: Fault,
) -> None:
    promote(released, first, target(second, "count/tiny", proxy.host))
    count = len(proxy.requests)
    for at in range(1, count, 4):
        repository = f"{fault.name.lower()}/tiny-{at}"
        proxy.arm(fault, at)
        done = promote(released[1:], first, target(second, repository, proxy.host))
        assert [one.digest for one in done] == [released[1].digest]


def test_a_source_that_is_cut_in_the_middle_of_a_layer_is_read_again(
    released: tuple[Promotion, ...], first: RegistryServer, second: RegistryServer
) -> None:
    with faulty_registry(first) as source:
        who = Credentials(first.username, first.password)
        origin = Target(Reference(source.host, STAGING), who)
        retry = Retry(attempts=4, sleep=lambda _: None)
        options: dict[str, Any] = {"listener": ignore, "retry": retry}
        promote_to_all(released, origin, [target(second, "count/tiny")], **options)
        (at, *_) = [n for n, (_, path) in enumerate(source.requests) if "/blobs/" in path]
        source.arm(Fault.CUT_IN_BODY, at)
        done = promote_to_all(released, origin, [target(second, PRODUCTION)], **options)
        assert len([1 for _, path in source.requests if "/blobs/" in path]) > len(done)
    assert [one.digest for one in done] == [one.digest for one in released]


def test_an_image_that_the_source_lost_is_named_and_nothing_is_written(
    released: tuple[Promotion, ...], first: RegistryServer, second: RegistryServer
) -> None:
    gone = Promotion(released[1].item, Digest("0" * 64))
    with pytest.raises(RegistryError, match=r"@sha256:0{64}' was released, and the registry"):
        promote([released[0], gone], first, target(second, PRODUCTION))
    assert digest_of(second, PRODUCTION, released[0].item.tags[0]) is None


def test_a_gate_that_says_no_keeps_every_alias_where_it_was(
    released: tuple[Promotion, ...], first: RegistryServer, second: RegistryServer
) -> None:
    def gate(arrived: Sequence[Publication]) -> None:
        assert [one.digest for one in arrived] == [one.digest for one in released]
        message = "too large"
        raise RegistryError(message)

    with pytest.raises(RegistryError, match="too large"):
        promote(released, first, target(second, PRODUCTION), gate=gate)
    for one in released:
        assert digest_of(second, PRODUCTION, one.item.tags[0]) == one.digest
        assert digest_of(second, PRODUCTION, one.item.aliases[0]) is None


def test_a_wrong_password_of_the_target_is_refused_before_anything_is_read_at_length(
    released: tuple[Promotion, ...], first: RegistryServer, proxy: FaultyRegistry
) -> None:
    wrong = Target(Reference(proxy.host, PRODUCTION), Credentials("twin", "wr0ng-pass"))
    with pytest.raises(RegistryRefusedError) as caught:
        promote(released, first, wrong)
    assert "wr0ng-pass" not in f"{caught.value!r}{caught.value.hint}"
