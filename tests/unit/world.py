"""A project on disk whose engine, builder and base are in memory: what api and cli are tried on."""

from __future__ import annotations

import hashlib
import threading
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from twinforge.api import building
from twinforge.api.rendering import render_variants, write_rendered
from twinforge.api.workspace import Workspace
from twinforge.build.bases import MadeBase
from twinforge.build.buildkit import BuildSpec, VariantFailedError
from twinforge.engine.engine import Engine
from twinforge.lock.asked import asked_by
from twinforge.lock.checksum import base_checksum, inputs_checksum
from twinforge.lock.document import write_bases, write_recipe_lock
from twinforge.lock.locked import COMMON, DEVICE, BaseLock, Deb, RecipeLock, VariantLock, Wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pytest

    from twinforge.build.progress import Failure
    from twinforge.events import Event
    from twinforge.model.matrix import Base
    from twinforge.model.variant import Variant

MATRIX = """bases:
  debian-12: {bootstrap: bookworm}
accelerators:
  cpu: {}
  cu129: {cuda: "12.9"}
axes:
  accelerator: [cpu, cu129]
  os: [debian-12]
  python: ["3.11"]
exclude: [{recipe: other, accelerator: cu129}]
aliases: {latest-cpu: {recipe: words, accelerator: cpu}}
registry: {kind: oci, host: "registry.example.com", repository: "ml/{recipe}"}
"""
RECIPE = """recipe: words
version: 1.0.0
system: {packages: [libgomp1]}
program: program
smoke:
  invocations: [{content_type: text/csv, body: row.csv}]
"""
OTHER = """recipe: other
version: 2.0.0
program: program
"""
BASE = f"sha256:{'b' * 64}"
MOVED_BASE = f"sha256:{'c' * 64}"
LOCKED_APT, MOVED_APT = "12.2.0-14", "12.2.0-15"
KEY = "io.twinforge.key"


class FakeImages:
    """The images of an engine: their ids by reference, and by the content key in their label."""

    def __init__(self) -> None:
        self.tags: dict[str, str] = {}
        self.keys: dict[str, str] = {}

    def by_label(self, label: str) -> dict[str, str]:
        assert label == KEY
        return dict(self.keys)

    def references(self) -> dict[str, str]:
        return dict(self.tags)

    def tag(self, image_id: str, reference: str) -> None:
        self.tags[reference] = image_id

    def layer_sizes(self, image_id: str) -> dict[str, int]:
        return {"sha256:shared": 100, image_id: 20}


@dataclass
class FakeBuildx:
    """Builds in memory what ``failing`` does not name, and remembers what it was asked for."""

    images: FakeImages
    specs: list[BuildSpec] = field(default_factory=list)
    failing: dict[str, Failure] = field(default_factory=dict)
    dockerfiles: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    turn: threading.Lock | None = None
    leads: bool = False
    turns: list[bool] = field(default_factory=list)
    meeting: threading.Barrier | None = None  # of builds that run side by side
    met: list[str] = field(default_factory=list)

    def driver(self) -> str:
        return "docker"

    def build(
        self,
        spec: BuildSpec,
        *,
        log: Callable[[str], None],
        on_step: Callable[[str, int, int], None],
        cancelled: threading.Event,
    ) -> str:
        assert not cancelled.is_set()
        dockerfile = (spec.folder / "Dockerfile").read_text("utf-8")
        with self.lock:
            self.specs.append(spec)
            self.turns.append(self.turn is not None)
            self.dockerfiles.append(dockerfile)
        if self.meeting is not None:
            with suppress(threading.BrokenBarrierError):
                self.meeting.wait(timeout=0.5)
                self.met.append(spec.name)
        log(f"building {spec.name}")
        on_step("[system 1/1] RUN", 1, 2)
        failure = self.failing.get(spec.name)
        if failure is not None and failure.message in dockerfile:
            message = f"{spec.name} failed"
            raise VariantFailedError(message, failure)
        key = spec.labels[KEY]
        image_id = f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"
        with self.lock:
            self.images.keys[key] = image_id
            self.images.tags |= dict.fromkeys(spec.tags, image_id)
        return image_id


@dataclass
class World:
    """A workspace, and what stands behind it."""

    workspace: Workspace
    images: FakeImages
    buildx: FakeBuildx
    events: list[Event]
    base_now: str = BASE

    @property
    def root(self) -> Path:
        return self.workspace.root

    def variants(self, *selectors: str) -> tuple[Variant, ...]:
        return self.workspace.select(selectors)

    def edit(self, path: str, old: str, new: str) -> None:
        """Change a file, as between two runs."""
        text = (self.root / path).read_text("utf-8")
        assert old in text
        (self.root / path).write_text(text.replace(old, new), "utf-8")
        self.again()

    def again(self) -> None:
        """Begin another run: nothing is read yet."""
        self.workspace = connect(self.workspace, self.images)

    def render(self) -> None:
        workspace = self.workspace
        write_rendered(workspace.root, render_variants(workspace, workspace.project.variants))


def connect(workspace: Workspace, images: FakeImages) -> Workspace:
    """Return the workspace with nothing read yet and an engine that is in memory."""
    fresh = replace(workspace)
    engine = Engine("unix:///e.sock", ours=False, docker="docker", version="", buildx="", env={})
    vars(fresh).update(engine=engine, images=images)
    return fresh


def wheel(name: str, group: str) -> Wheel:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return Wheel(name, "1.0", f"{name}-1.0-py3-none-any.whl", digest, 1000, group)


def write_locks(workspace: Workspace) -> None:
    """Lock what the project declares, without asking anybody."""
    bases = {base.name: base for base in workspace.project.matrix.bases}
    locks = {
        name: BaseLock(
            name, "bootstrap", BASE, {"libc6": "2.36-9", "python3.11": "3"}, "", base_checksum(base)
        )
        for name, base in bases.items()
    }
    write_bases(workspace.root, locks)
    for recipe in workspace.project.recipes:
        variants = [v for v in workspace.project.variants if v.recipe == recipe.name]
        apt = tuple(Deb(package.name, LOCKED_APT) for package in recipe.system.every)
        locked = tuple(
            VariantLock(
                variant.slug,
                variant.base.name,
                apt,
                (
                    wheel("numpy", COMMON),
                    wheel(f"xgboost-{variant.accelerator.name}", DEVICE),
                    *(wheel(one.text, DEVICE) for one in asked_by(recipe, [variant])),
                ),
            )
            for variant in variants
        )
        checksum = inputs_checksum(recipe, variants, bases)
        write_recipe_lock(workspace.root, RecipeLock(recipe.name, checksum, locked))


def make_project(root: Path) -> Path:
    """Write a project of two recipes and three variants, not locked; return its folder."""
    for name, text in {
        "matrix.yaml": MATRIX,
        "recipes/words.yaml": RECIPE,
        "recipes/other.yaml": OTHER,
        "program/train": "#!/bin/sh\n",
        "program/serve": "#!/bin/sh\n",
        "row.csv": "1,2\n",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        path.chmod(0o755 if path.parent.name == "program" else 0o644)
    return root


def make_world(project: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Lock and render a project, and put its builder and its bases into memory."""
    folder = project.parent
    events: list[Event] = []
    images = FakeImages()
    environ = {"HOME": str(folder / "home"), "SSL_CERT_FILE": ""}
    bare = Workspace(project, environ, folder / "engine", folder / "cache", events.append)
    made = World(connect(bare, images), images, FakeBuildx(images), events)
    write_locks(made.workspace)
    made.again()
    made.render()

    def make_base(base: Base, lock: BaseLock | None, **options: object) -> MadeBase:
        assert lock is not None
        assert options["cache_dir"] == folder / "cache"
        return MadeBase(base.name, made.base_now, {}, (), "twinforge/base:b", None, "")

    def make_uv_context(
        cache_dir: Path, images: object, *, driver: str, env: Mapping[str, str], cpu_arch: str
    ) -> str:
        assert (cache_dir, images, driver) == (folder / "cache", made.images, "docker")
        assert env["HOME"] == environ["HOME"]
        return f"docker-image://uv-{cpu_arch}"

    monkeypatch.setattr(building, "make_base", make_base)
    monkeypatch.setattr(building, "make_uv_context", make_uv_context)
    monkeypatch.setattr(building, "Buildx", lambda *_: made.buildx)
    return made
