"""Bases: what ``FROM`` names, made or found, and handed to a build so that any builder can take it.

A bootstrapped base is known by the digest of its one layer. It lives in the cache as an image layout
and in the engine as ``twinforge/base:<name>-<first 16 digits>``; what is there already is not made
again.

A mirror moves: when the locked versions are gone, the base that can be made today has another
digest, and with it every image on it another content key. That is told, and an error when the lock
must hold.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from twinforge import process
from twinforge.build.basecache import BaseCache, Record
from twinforge.build.bootstrap import (
    ARCHITECTURE,
    METHOD,
    can_bootstrap_here,
    run_bootstrap_here,
    run_bootstrap_in_container,
)
from twinforge.build.layout import stream_archive
from twinforge.engine.images import Images
from twinforge.errors import BuildError, CommandError, StaleError
from twinforge.events import Event, State
from twinforge.lock.locked import BaseLock
from twinforge.model.matrix import Bootstrap
from twinforge.model.reference import Digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twinforge.build.layout import Layout
    from twinforge.engine.engine import Engine
    from twinforge.events import Listener
    from twinforge.model.matrix import Base
    from twinforge.model.reference import Reference

__all__ = ["MadeBase", "Moved", "compare_packages", "make_base", "pin_base"]

STAGE = "base"
DOCKER_DRIVER = "docker"
ETC = Path("/etc")
REPOSITORY = "twinforge/base:"
INSPECT_TIMEOUT_S = 60.0
_SHOWN = 8


@dataclass(frozen=True, slots=True, order=True)
class Moved:
    """A Debian package whose version is not the locked one; ``""`` where it was or is not there."""

    name: str
    locked: str
    now: str

    def __str__(self) -> str:
        """Return ``name locked -> now``."""
        return f"{self.name} {self.locked or '(new)'} -> {self.now or '(gone)'}"


@dataclass(frozen=True, slots=True)
class MadeBase:
    """A base that the engine can use.

    Attributes:
        name: As in the matrix.
        digest: ``sha256:<hex>`` of the layer, or of the image of a registry; empty where that is
            not pinned.
        packages: Versions of the Debian packages in it, by name; empty for an image.
        moved: How they differ from the lock's.
        reference: What ``docker run`` takes.
        layout: Its folder in the cache; None for an image, and where only the engine has it.
        manifest_digest: Of the layout, else empty.
    """

    name: str
    digest: str
    packages: Mapping[str, str]
    moved: tuple[Moved, ...]
    reference: str
    layout: Path | None
    manifest_digest: str

    @property
    def is_made(self) -> bool:
        """Whether it was bootstrapped, and is no image of a registry."""
        return self.reference.startswith(REPOSITORY)

    def context(self, driver: str) -> str:
        """Return the value of ``--build-context`` for a builder with this driver.

        Only the ``docker`` driver sees the engine's images; every other takes the layout.

        Raises:
            BuildError: The builder needs the layout and only the engine has the base.
        """
        if driver == DOCKER_DRIVER or not self.is_made:
            return f"docker-image://{self.reference}"
        if self.layout is None:
            message = (
                f"the base '{self.name}' is in the engine only, where no '{driver}' builder looks"
            )
            raise BuildError(
                message, hint=f"remove '{self.reference}' from the engine and build again"
            )
        return f"oci-layout://{self.layout.absolute()}@{self.manifest_digest}"


def compare_packages(locked: Mapping[str, str], now: Mapping[str, str]) -> tuple[Moved, ...]:
    """Return the packages that differ, by name."""
    return tuple(
        Moved(name, locked.get(name, ""), now.get(name, ""))
        for name in sorted(locked.keys() | now.keys())
        if locked.get(name) != now.get(name)
    )


def make_base(  # noqa: PLR0913 - the parts of a run, all by keyword
    base: Base,
    lock: BaseLock | None,
    *,
    engine: Engine,
    cache_dir: Path,
    listener: Listener,
    locked: bool,
    driver: str = DOCKER_DRIVER,
) -> MadeBase:
    """Return a base that can be built on, and make it where neither cache nor engine has it.

    Args:
        base: Of the matrix.
        lock: What it was when it was locked, or None before the first lock.
        engine: It is loaded into.
        cache_dir: Ours.
        listener: Told what is made, and what has moved since the lock.
        locked: Whether it is an error that the base is not what is locked.
        driver: Of the builder that will take it.

    Raises:
        BuildError: It can't be made.
        StaleError: ``locked`` is set and what can be made today is something else.
    """
    if not isinstance(base.source, Bootstrap):
        return _registry_base(base.name, base.source, lock)
    pinned = lock.digest if lock else ""
    if locked and not pinned:
        message = f"the base '{base.name}' is not locked"
        raise StaleError(message, hint="run `twinforge lock` and commit the result")
    cache = BaseCache(cache_dir / "bases", base.name)
    with cache.held(), Images(engine) as images:
        if lock is not None and pinned:
            made = _found(base, Record(pinned, lock.packages), cache, images, driver)
            if made is not None:
                _tell(listener, base, State.SKIPPED, f"{made.reference} is there")
                return made
        # what a lock that can't be had any more leads to is made once, not in every build
        record = None if locked else cache.read_record(_key(base.source, pinned))
        made = _found(base, record, cache, images, driver) if record else None
        if record is None or made is None:
            record, layout = _bootstrap(base, base.source, cache, engine, listener)
            if locked and lock is not None and record.digest != pinned:
                raise _refusal(base, lock, record)
            cache.write_record(_key(base.source, pinned), record)
            made = _loaded(base, record, layout, images)
        return _with_moves(base, lock, made, listener)


def pin_base(base: Base, *, engine: Engine, cache_dir: Path, listener: Listener) -> BaseLock:
    """Return what a base is today, for the lock.

    A bootstrapped base is always made anew, since the mirror may have moved. An image whose registry
    does not answer is not an error: the lock then says why it is not pinned.

    Raises:
        BuildError: It can't be made.
    """
    if isinstance(base.source, Bootstrap):
        cache = BaseCache(cache_dir / "bases", base.name)
        with cache.held():
            record, _ = _bootstrap(base, base.source, cache, engine, listener)
        return BaseLock(base.name, "bootstrap", record.digest, record.packages, "")
    digest, complaint = _read_digest(base.source, engine)
    if digest:
        _tell(listener, base, State.DONE, f"{base.source} is {digest}")
        return BaseLock(base.name, "image", digest, {}, "")
    # The complaint names this machine's resolver and the like, which no committed file should hold.
    reason = f"no registry answered for '{base.source}'"
    _tell(listener, base, State.NOTE, f"not pinned: {reason}: {complaint}")
    return BaseLock(base.name, "image", "", {}, reason)


def _registry_base(name: str, source: Reference, lock: BaseLock | None) -> MadeBase:
    if source.digest is None and lock is not None and lock.digest:
        source = source.with_digest(Digest.parse(lock.digest))
    digest = str(source.digest or "")
    return MadeBase(name, digest, {}, (), str(source), None, "")


def _read_digest(source: Reference, engine: Engine) -> tuple[str, str]:
    """Return a digest and no complaint, or no digest and the complaint."""
    if source.digest is not None:
        return str(source.digest), ""
    argv = [engine.docker, "buildx", "imagetools", "inspect", "--format", "{{json .Manifest}}"]
    done = process.run(
        [*argv, str(source)], env=engine.env, timeout_s=INSPECT_TIMEOUT_S, check=False
    )
    if done.status < 0:
        return "", f"nothing came within {INSPECT_TIMEOUT_S:.0f} s"
    if done.status:
        return "", done.stderr.strip().rsplit("\n", 1)[-1].removeprefix("ERROR: ")
    return str(Digest.parse(json.loads(done.stdout)["digest"])), ""


def _bootstrap(
    base: Base, source: Bootstrap, cache: BaseCache, engine: Engine, listener: Listener
) -> tuple[Record, Layout]:
    """Make a base from today's packages and keep it in the cache."""
    where = "here" if can_bootstrap_here(engine.env) else "in a container"
    what = f"{source.suite} of {source.snapshot}" if source.snapshot else source.suite
    _tell(listener, base, State.STARTED, f"bootstrapping {what} {where}")
    with cache.workplace() as folder, cache.log.open("w", encoding="utf-8") as log:

        def on_line(line: str) -> None:
            log.write(f"{line}\n")
            _tell(listener, base, State.PROGRESS, line)

        tar = folder / "root.tar"
        try:
            if where == "here":
                run_bootstrap_here(
                    source,
                    tar,
                    environ=engine.env,
                    etc=ETC,
                    state_dir=cache.folder,
                    on_line=on_line,
                )
            else:
                run_bootstrap_in_container(source, tar, engine=engine, on_line=on_line)
        except CommandError as error:
            _tell(listener, base, State.FAILED, error.message)
            message = f"the base '{base.name}' can't be bootstrapped: {_complaint(error)}"
            raise BuildError(message, hint=f"see {cache.log}") from error
        record, layout = cache.keep(tar)
    size_mb = layout.blob(layout.layer_digest).stat().st_size / 1e6
    _tell(listener, base, State.DONE, f"{record.digest}, {size_mb:.0f} MB")
    return record, layout


def _found(
    base: Base, record: Record, cache: BaseCache, images: Images, driver: str
) -> MadeBase | None:
    """Return a base that was made before, or None; it is loaded where only the cache has it."""
    layout = cache.find(record.digest)
    reference = _reference(base, record.digest)
    if layout is not None:
        return _loaded(base, record, layout, images)
    image = images.inspect(reference) if driver == DOCKER_DRIVER else None
    if image is None or image.layers != (record.digest,):
        return None
    return MadeBase(base.name, record.digest, record.packages, (), reference, None, "")


def _loaded(base: Base, record: Record, layout: Layout, images: Images) -> MadeBase:
    reference = _reference(base, record.digest)
    image = images.inspect(reference)
    if image is None or image.layers != (record.digest,):
        images.load(stream_archive(layout, reference=reference))
    return MadeBase(
        base.name,
        record.digest,
        record.packages,
        (),
        reference,
        layout.folder,
        layout.manifest_digest,
    )


def _with_moves(base: Base, lock: BaseLock | None, made: MadeBase, listener: Listener) -> MadeBase:
    if lock is None or not lock.digest or made.digest == lock.digest:
        return made
    moved = compare_packages(lock.packages, made.packages)
    _tell(listener, base, State.NOTE, _difference(moved))
    return replace(made, moved=moved)


def _refusal(base: Base, lock: BaseLock, record: Record) -> StaleError:
    difference = _difference(compare_packages(lock.packages, record.packages))
    message = f"the base '{base.name}' can't be made as locked: {difference}"
    hint = "run `twinforge lock --upgrade`, or name a dated archive with `snapshot:` in matrix.yaml"
    return StaleError(message, hint=hint)


def _difference(moved: tuple[Moved, ...]) -> str:
    if not moved:
        return "the locked packages became other bytes (another mmdebstrap, or another mirror)"
    shown = ", ".join(str(package) for package in moved[:_SHOWN])
    more = f" and {len(moved) - _SHOWN} more" if len(moved) > _SHOWN else ""
    return f"packages moved since the lock: {shown}{more}"


def _complaint(error: CommandError) -> str:
    """Return the line in which mmdebstrap or apt says what is wrong, else the last one."""
    complaints = [line for line in error.output.splitlines() if line.startswith("E: ")]
    return complaints[0].removeprefix("E: ") if complaints else error.message


def _reference(base: Base, digest: str) -> str:
    return f"{REPOSITORY}{base.name}-{digest.removeprefix('sha256:')[:16]}"


def _key(source: Bootstrap, pinned: str) -> str:
    """Return what names a run: its inputs, and the lock that it was to reproduce."""
    packages = sorted(str(package) for package in source.packages)
    return json.dumps(
        [source.suite, source.snapshot, packages, source.components, ARCHITECTURE, METHOD, pinned]
    )


def _tell(listener: Listener, base: Base, state: State, text: str) -> None:
    listener(Event(STAGE, base.name, state, text))
