from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from twinforge.build.apt import ContainerApt
from twinforge.build.basecache import BaseCache
from twinforge.build.bases import MadeBase, Moved, make_base, pin_base
from twinforge.build.bootstrap import run_bootstrap_in_container
from twinforge.engine.images import Images
from twinforge.errors import LockError
from twinforge.events import Event, State, ignore
from twinforge.model.matrix import Accelerator, Base, Bootstrap
from twinforge.model.place import Place
from twinforge.model.recipe import AptPackage
from twinforge.model.reference import Reference
from twinforge.model.variant import Variant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from twinforge.engine.engine import Engine
    from twinforge.lock.locked import BaseLock

pytestmark = pytest.mark.engine

PLACE = Place("matrix.yaml", 1, 1)
SOURCE = Bootstrap(
    "bookworm", "", tuple(AptPackage(name) for name in ("ca-certificates", "python3"))
)
BASE = Base("tests-bookworm", "debian-12", "", SOURCE, PLACE)
VARIANT = Variant(
    "digits",
    "1.0.0",
    (("accelerator", "cpu"),),
    Accelerator("cpu", "", "", (), PLACE),
    BASE,
    "3.11",
)


@dataclass(frozen=True)
class Pinned:
    """A base that was bootstrapped once, in its cache."""

    lock: BaseLock
    cache_dir: Path


@pytest.fixture(scope="module")
def images(engine: Engine) -> Iterator[Images]:
    with Images(engine) as opened:
        yield opened


@pytest.fixture(scope="module")
def pinned(
    engine: Engine, images: Images, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pinned]:
    cache_dir = tmp_path_factory.mktemp("cache")
    lock = pin_base(BASE, engine=engine, cache_dir=cache_dir, listener=ignore)
    yield Pinned(lock, cache_dir)
    images.remove(_reference(lock))


@pytest.fixture(scope="module")
def made(engine: Engine, pinned: Pinned) -> MadeBase:
    return _make(engine, pinned)


def test_a_pin_holds_the_digest_and_every_package_with_its_version(pinned: Pinned) -> None:
    assert pinned.lock.digest.startswith("sha256:")
    assert pinned.lock.reason == ""
    assert {"apt", "ca-certificates", "libc6", "python3"} <= pinned.lock.packages.keys()
    assert pinned.lock.packages["libc6"].startswith("2.36-")


def test_a_base_is_loaded_under_its_content_tag_and_runs(
    images: Images, pinned: Pinned, made: MadeBase
) -> None:
    image = images.inspect(made.reference)
    assert made.reference == _reference(pinned.lock)
    assert image is not None
    assert image.layers == (pinned.lock.digest,)
    assert image.created == "2000-01-01T00:00:00Z"
    status, output = images.run_command(made.reference, ["python3", "-c", "print(6 * 7)"])
    assert (status, output) == (0, "42\n")


def test_nothing_of_this_machine_or_run_is_in_a_base(images: Images, made: MadeBase) -> None:
    script = (
        "find /var/log /var/lib/apt/lists /usr/share/man -type f ! -name lock;"
        "find / -xdev \\( -name '*-old' -o -name aux-cache -o -path '/etc/*-' \\);"
        # Docker puts its own files over these two at run time, so they have no content below it
        "find / -xdev -newermt '2000-01-01 00:00:01' -type f ! -name .dockerenv ! -path '/etc/host*'"
        " ! -path /etc/resolv.conf; cat /etc/machine-id 2>/dev/null; exit 0"
    )
    assert images.run_command(made.reference, ["sh", "-c", script]) == (0, "")


def test_a_base_that_is_in_the_cache_or_the_engine_is_not_made_again(
    engine: Engine, pinned: Pinned, made: MadeBase, tmp_path: Path
) -> None:
    crippled = replace(engine, env={**engine.env, "PATH": "/nonexistent"})
    events: list[Event] = []
    cached = _make(crippled, pinned, events=events)
    in_engine = _make(crippled, replace(pinned, cache_dir=tmp_path), events=events)
    assert cached == made
    assert in_engine == replace(made, layout=None, manifest_digest="")
    assert {event.state for event in events} == {State.SKIPPED}


def test_the_same_inputs_make_the_same_bytes_and_what_moved_since_the_lock_is_named(
    engine: Engine, pinned: Pinned, tmp_path: Path
) -> None:
    now = pinned.lock.packages
    old = {**now, "libc6": "2.36-9+deb12u1", "libgone1": "1.0-1"}
    lock = replace(pinned.lock, digest="sha256:" + "0" * 64, packages=old)
    events: list[Event] = []
    again = _make(engine, Pinned(lock, tmp_path), events=events)
    assert again.digest == pinned.lock.digest
    assert again.moved == (
        Moved("libc6", "2.36-9+deb12u1", now["libc6"]),
        Moved("libgone1", "1.0-1", ""),
    )
    notes = [event.text for event in events if event.state is State.NOTE]
    changes = f"libc6 2.36-9+deb12u1 -> {now['libc6']}, libgone1 1.0-1 -> (gone)"
    assert notes == [f"packages moved since the lock: {changes}"]


def test_a_container_without_privileges_makes_the_same_bytes(
    engine: Engine, pinned: Pinned, made: MadeBase, tmp_path: Path
) -> None:
    cache = BaseCache(tmp_path, BASE.name)
    with cache.held(), cache.workplace() as folder:
        tar = folder / "root.tar"
        run_bootstrap_in_container(
            SOURCE, tar, engine=engine, on_line=lambda _: None, image=made.reference
        )
        record, _ = cache.keep(tar)
    assert record.digest == pinned.lock.digest


def test_apt_names_what_an_installation_adds_with_exact_versions(
    engine: Engine, pinned: Pinned
) -> None:
    closure = _apt(engine, pinned).closure(VARIANT, [AptPackage("libgomp1")])
    names = [package.name for package in closure]
    assert "libgomp1" in names
    assert names == sorted(names)
    assert all(package.version for package in closure)
    assert not {"libc6", "python3"} & set(names)


def test_a_package_that_does_not_exist_is_refused_by_name(engine: Engine, pinned: Pinned) -> None:
    asked = [AptPackage("libgomp1", "0.1-1"), AptPackage("libnever-was")]
    with pytest.raises(LockError) as caught:
        _apt(engine, pinned).closure(VARIANT, asked)
    assert "the system packages of 'digits/cpu' can't be had on" in caught.value.message
    assert "'libgomp1' has no version '0.1-1' but 1" in caught.value.message
    assert "there is no Debian package 'libnever-was'" in caught.value.message
    assert "recipes/digits.yaml" in caught.value.hint


def test_an_image_whose_registry_does_not_answer_is_explained_and_not_pinned(
    engine: Engine, tmp_path: Path
) -> None:
    base = replace(BASE, source=Reference.parse("127.0.0.1:9/nothing/here:1"))
    lock = pin_base(base, engine=engine, cache_dir=tmp_path, listener=ignore)
    assert (lock.kind, lock.digest) == ("image", "")
    assert lock.reason.startswith("no registry answered for '127.0.0.1:9/nothing/here:1'")


def _make(engine: Engine, pinned: Pinned, *, events: list[Event] | None = None) -> MadeBase:
    return make_base(
        BASE,
        pinned.lock,
        engine=engine,
        cache_dir=pinned.cache_dir,
        listener=ignore if events is None else events.append,
        locked=False,
    )


def _apt(engine: Engine, pinned: Pinned) -> ContainerApt:
    return ContainerApt(
        {BASE.name: pinned.lock}, engine=engine, cache_dir=pinned.cache_dir, listener=ignore
    )


def _reference(lock: BaseLock) -> str:
    return f"twinforge/base:{BASE.name}-{lock.digest.removeprefix('sha256:')[:16]}"
