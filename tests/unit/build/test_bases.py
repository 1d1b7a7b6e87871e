from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import pytest

from twinforge import process
from twinforge.build import bases as room
from twinforge.build.bases import MadeBase, Moved, compare_packages, make_base, pin_base
from twinforge.engine.engine import Engine
from twinforge.engine.images import Image
from twinforge.errors import BuildError, CommandError, StaleError
from twinforge.events import Event, State
from twinforge.lock.locked import BaseLock
from twinforge.model.matrix import Base, Bootstrap
from twinforge.model.place import Place
from twinforge.model.recipe import AptPackage
from twinforge.model.reference import Reference
from twinforge.process import Completed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

PLACE = Place("matrix.yaml", 1, 1)
ENGINE = Engine("", ours=False, docker="docker", version="26", buildx="0.13", env={})
BASE = Base(
    "debian-12", "debian-12", "", Bootstrap("bookworm", "", (AptPackage("python3"),)), PLACE
)
DIGEST = "sha256:" + "ab" * 32
IMAGE = replace(BASE, name="ubuntu-22.04", source=Reference.parse("ubuntu:22.04"))


class World:
    """An engine that remembers what is loaded, and a mirror that offers one version of libc6."""

    def __init__(self, write_tar: Callable[..., Path]) -> None:
        self.libc6 = "2.36-9"
        self.runs = 0
        self.loaded: dict[str, Image] = {}
        self.events: list[Event] = []
        self.fails = False
        self._write_tar = write_tar

    def bootstrap(self, source: Bootstrap, target: Path, **options: object) -> None:
        del source, options
        self.runs += 1
        if self.fails:
            output = "I: running apt-get update...\nE: mirror is away\nI: removing tempdir"
            raise CommandError(["mmdebstrap"], 25, output)
        self._write_tar(target, libc6=self.libc6)

    def images(self, engine: Engine) -> World:
        assert engine is ENGINE
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        del details

    def inspect(self, reference: str) -> Image | None:
        return self.loaded.get(reference)

    def load(self, archive: Iterable[bytes]) -> None:
        data = b"".join(archive)
        start = data.index(b'[{"Config"')
        (entry,) = json.loads(data[start : data.index(b"\0", start)])
        layer = f"sha256:{entry['Layers'][0].removeprefix('blobs/sha256/')}"
        for name in entry["RepoTags"]:
            self.loaded[name] = Image("sha256:0", (name,), {}, 0, (layer,), "", {})

    def said(self, state: State) -> list[str]:
        return [event.text for event in self.events if event.state is state]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, write_tar: Callable[..., Path]) -> World:
    made = World(write_tar)
    monkeypatch.setattr(room, "Images", made.images)
    monkeypatch.setattr(room, "run_bootstrap_here", made.bootstrap)
    monkeypatch.setattr(room, "run_bootstrap_in_container", made.bootstrap)
    return made


def make(
    world: World,
    cache_dir: Path,
    lock: BaseLock | None,
    *,
    locked: bool = False,
    driver: str = "docker",
) -> MadeBase:
    return make_base(
        BASE,
        lock,
        engine=ENGINE,
        cache_dir=cache_dir,
        listener=world.events.append,
        locked=locked,
        driver=driver,
    )


def pin(world: World, cache_dir: Path) -> BaseLock:
    return pin_base(BASE, engine=ENGINE, cache_dir=cache_dir, listener=world.events.append)


def test_a_base_is_made_once_and_loaded_under_its_digest(world: World, tmp_path: Path) -> None:
    lock = pin(world, tmp_path)
    first, second = make(world, tmp_path, lock), make(world, tmp_path, lock)
    assert world.runs == 1
    assert first == second
    assert first.digest == lock.digest
    assert first.packages == lock.packages == {"dpkg": "1.21.22", "libc6": "2.36-9"}
    assert list(world.loaded) == [first.reference]
    assert first.reference == f"twinforge/base:debian-12-{lock.digest[7:23]}"


def test_a_base_that_only_the_engine_has_is_enough_for_its_own_builder(
    world: World, tmp_path: Path
) -> None:
    lock = pin(world, tmp_path / "one")
    make(world, tmp_path / "one", lock)
    assert make(world, tmp_path / "two", lock).layout is None
    assert world.runs == 1
    assert make(world, tmp_path / "two", lock, driver="docker-container").layout is not None
    assert world.runs == 2


def test_a_tag_with_other_content_is_not_trusted(world: World, tmp_path: Path) -> None:
    lock = pin(world, tmp_path)
    made = make(world, tmp_path, lock)
    world.loaded[made.reference] = replace(world.loaded[made.reference], layers=(DIGEST,))
    make(world, tmp_path, lock)
    assert world.loaded[made.reference].layers == (lock.digest,)


def test_a_mirror_that_moved_is_told_and_made_only_once(world: World, tmp_path: Path) -> None:
    lock = pin(world, tmp_path / "one")
    world.libc6 = "2.36-10"
    made = [make(world, tmp_path / "two", lock) for _ in range(2)]
    assert world.runs == 2
    assert made[0] == made[1]
    assert made[0].digest != lock.digest
    assert made[0].moved == (Moved("libc6", "2.36-9", "2.36-10"),)
    assert world.said(State.NOTE) == ["packages moved since the lock: libc6 2.36-9 -> 2.36-10"] * 2


def test_a_mirror_that_moved_is_refused_when_the_lock_must_hold(
    world: World, tmp_path: Path
) -> None:
    lock = pin(world, tmp_path / "one")
    world.libc6 = "2.36-10"
    make(world, tmp_path / "two", lock)
    with pytest.raises(StaleError) as caught:
        make(world, tmp_path / "two", lock, locked=True)
    assert caught.value.message == (
        "the base 'debian-12' can't be made as locked: "
        "packages moved since the lock: libc6 2.36-9 -> 2.36-10"
    )
    assert "lock --upgrade" in caught.value.hint


def test_a_locked_digest_in_the_cache_is_as_locked_however_the_mirror_moved(
    world: World, tmp_path: Path
) -> None:
    lock = pin(world, tmp_path)
    world.libc6 = "2.36-10"
    assert make(world, tmp_path, lock, locked=True).digest == lock.digest
    assert world.runs == 1


def test_the_same_packages_in_other_bytes_are_told_too(world: World, tmp_path: Path) -> None:
    lock = replace(pin(world, tmp_path / "one"), digest=DIGEST)
    made = make(world, tmp_path / "two", lock)
    assert made.moved == ()
    assert "became other bytes" in world.said(State.NOTE)[0]
    with pytest.raises(StaleError, match="became other bytes"):
        make(world, tmp_path / "two", lock, locked=True)


def test_without_a_lock_a_base_is_made_unless_the_lock_must_hold(
    world: World, tmp_path: Path
) -> None:
    assert make(world, tmp_path, None).moved == ()
    assert make(world, tmp_path, None).moved == ()
    assert world.runs == 1
    with pytest.raises(StaleError, match="the base 'debian-12' is not locked"):
        make(world, tmp_path, None, locked=True)
    assert world.runs == 1


def test_pinning_asks_the_mirror_anew(world: World, tmp_path: Path) -> None:
    first = pin(world, tmp_path)
    world.libc6 = "2.36-10"
    second = pin(world, tmp_path)
    assert first.digest != second.digest
    assert second.packages["libc6"] == "2.36-10"


def test_a_failure_leaves_nothing_but_its_log_and_is_told_in_mmdebstraps_words(
    world: World, tmp_path: Path
) -> None:
    world.fails = True
    with pytest.raises(BuildError) as caught:
        pin(world, tmp_path)
    assert caught.value.message == "the base 'debian-12' can't be bootstrapped: mirror is away"
    assert caught.value.hint == f"see {tmp_path / 'bases' / 'debian-12.log'}"
    left = {path.name for path in (tmp_path / "bases").iterdir()}
    assert left == {"debian-12.log", "debian-12.lock"}


def test_what_a_killed_run_left_behind_is_removed_by_the_next(world: World, tmp_path: Path) -> None:
    left_behind = tmp_path / "bases" / ".debian-12-abc.partial"
    left_behind.mkdir(parents=True)
    pin(world, tmp_path)
    assert not left_behind.exists()


def test_a_damaged_layout_is_made_again(world: World, tmp_path: Path) -> None:
    lock = pin(world, tmp_path)
    layout = make(world, tmp_path, lock).layout
    assert layout is not None
    (layout / "blobs" / "sha256" / lock.digest.removeprefix("sha256:")).unlink()
    world.loaded.clear()
    assert make(world, tmp_path, lock, locked=True).layout == layout
    assert world.runs == 2
    assert [image.layers for image in world.loaded.values()] == [(lock.digest,)]


def test_each_driver_gets_the_context_that_it_can_read(world: World, tmp_path: Path) -> None:
    made = make(world, tmp_path, pin(world, tmp_path))
    assert made.context("docker") == f"docker-image://{made.reference}"
    assert made.context("remote") == f"oci-layout://{made.layout}@{made.manifest_digest}"
    with pytest.raises(BuildError, match="is in the engine only"):
        replace(made, layout=None).context("docker-container")


def test_an_image_is_pinned_by_the_locks_digest(world: World, tmp_path: Path) -> None:
    lock = BaseLock(IMAGE.name, "image", DIGEST, {}, "")
    listener = world.events.append
    made = make_base(IMAGE, lock, engine=ENGINE, cache_dir=tmp_path, listener=listener, locked=True)
    assert (made.reference, made.digest) == (f"ubuntu:22.04@{DIGEST}", DIGEST)
    assert made.context("docker-container") == f"docker-image://ubuntu:22.04@{DIGEST}"
    unpinned = make_base(
        IMAGE, None, engine=ENGINE, cache_dir=tmp_path, listener=listener, locked=False
    )
    assert (unpinned.reference, unpinned.digest) == ("ubuntu:22.04", "")


@pytest.mark.parametrize(
    ("status", "stdout", "stderr", "digest", "complaint"),
    [
        (0, json.dumps({"digest": DIGEST, "size": 1}), "", DIGEST, ""),
        (1, "", "ERROR: dial tcp: refused", "", "dial tcp: refused"),
        (-15, "", "", "", "nothing came within 60 s"),
    ],
)
def test_an_image_is_pinned_when_a_registry_answers_and_explained_when_none_does(  # noqa: PLR0913, PLR0917 - the columns of the table
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    status: int,
    stdout: str,
    stderr: str,
    digest: str,
    complaint: str,
) -> None:
    def run(argv: list[str], **options: object) -> Completed:
        assert argv[1:4] == ["buildx", "imagetools", "inspect"]
        assert options["check"] is False
        return Completed(tuple(argv), status, stdout, stderr)

    monkeypatch.setattr(process, "run", run)
    events: list[Event] = []
    lock = pin_base(IMAGE, engine=ENGINE, cache_dir=tmp_path, listener=events.append)
    reason = "" if digest else "no registry answered for 'ubuntu:22.04'"
    assert (lock.kind, lock.digest, lock.reason) == ("image", digest, reason)
    (event,) = events
    assert event.state is (State.DONE if digest else State.NOTE)
    assert event.text.endswith(digest or f"{reason}: {complaint}")


def test_packages_that_came_went_or_changed_are_compared_by_name() -> None:
    moved = compare_packages({"a": "1", "b": "1", "c": "1"}, {"a": "1", "c": "2", "d": "1"})
    assert moved == (Moved("b", "1", ""), Moved("c", "1", "2"), Moved("d", "", "1"))
    assert [str(package) for package in moved] == ["b 1 -> (gone)", "c 1 -> 2", "d (new) -> 1"]
