"""Rendered and hand-written Dockerfiles, built by a real BuildKit.

Nothing here needs a network but for the Debian packages at the end.
"""

from __future__ import annotations

import os
import threading
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest

from twinforge import process
from twinforge.build.apt import ContainerApt
from twinforge.build.buildkit import BuildSpec, Buildx, VariantFailedError
from twinforge.build.program import read_program, stage_context, stage_program
from twinforge.build.tools import make_uv_context
from twinforge.engine.images import Images
from twinforge.events import ignore
from twinforge.lock.locked import BaseLock, Deb, VariantLock
from twinforge.model.matrix import Accelerator, Base, Bootstrap
from twinforge.model.place import Place
from twinforge.model.recipe import AptPackage, Recipe, Smoke, SystemPackages
from twinforge.model.variant import Variant
from twinforge.render.dockerfile import EPOCH, base_name, render_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from twinforge.engine.engine import Engine
    from twinforge.engine.images import Image

pytestmark = pytest.mark.engine

PLACE = Place("recipes/tiny.yaml", 1, 1)
SECRET = "correct-horse-battery"
PATIENCE_S = 120
"""How long a test waits for what must happen; reached only when it fails."""
RECIPE = Recipe(
    name="tiny",
    version="1.0.0",
    description='Says "hello" for $5, \\o/ `touch /pwned`',
    packages=(),
    indexes=(),
    parity_exempt={},
    system=SystemPackages((), ()),
    steps=(),
    program="program",
    env={},
    template="",
    smoke=Smoke(None, (), 30),
    place=PLACE,
)
VARIANT = Variant(
    "tiny",
    "1.0.0",
    (("accelerator", "cpu"), ("python", "3.11"), ("os", "debian-12")),
    Accelerator("cpu", "", "", (), PLACE),
    Base("debian-12", "debian-12", "", Bootstrap("bookworm", "", ()), PLACE),
    "3.11",
)
BASE = BaseLock("debian-12", "bootstrap", "sha256:" + "b" * 64, {"python3.11": "3.11.2"}, "")


@dataclass
class Built:
    """What a build told."""

    log: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    image_id: str = ""


@dataclass(frozen=True)
class Bench:
    """Builds in a folder of its own and keeps track of what has to go afterwards."""

    folder: Path
    engine: Engine
    images: Images
    contexts: dict[str, str]
    program: Path
    tags: list[str] = field(default_factory=list)

    def spec(  # noqa: PLR0913 - the parts of one, by keyword
        self,
        dockerfile: str,
        debs: str = "",
        *,
        contexts: dict[str, str] | None = None,
        secrets: dict[str, Path] | None = None,
        labels: dict[str, str] | None = None,
        program: Path | None = None,
    ) -> BuildSpec:
        """Return what builds a Dockerfile under a tag of its own."""
        tag = f"twinforge-test/build:{uuid.uuid4().hex}"
        self.tags.append(tag)
        name = f"context-{len(self.tags)}"
        return BuildSpec(
            name="tiny/cpu",
            folder=stage_context(
                {"Dockerfile": dockerfile, "debs.txt": debs},
                self.folder / name,
                program=program or self.program,
            ),
            contexts={**self.contexts, **(contexts or {})},
            secrets=secrets or {},
            labels=labels or {},
            tags=(tag,),
            epoch=EPOCH,
        )

    def build(
        self,
        spec: BuildSpec,
        *,
        cancelled: threading.Event | None = None,
        engine: Engine | None = None,
    ) -> Built:
        """Build and return what was told."""
        built = Built()
        built.image_id = Buildx(engine or self.engine).build(
            spec,
            log=built.log.append,
            on_step=lambda name, *_: built.steps.append(name),
            cancelled=cancelled or threading.Event(),
        )
        return built

    def inspect(self, reference: str) -> Image:
        """Return an image that must be there."""
        image = self.images.inspect(reference)
        assert image is not None
        return image


def render(**changes: object) -> str:
    recipe = replace(RECIPE, **changes)  # type: ignore[arg-type] # checked by the test's own eyes
    lock = VariantLock(VARIANT.slug, "debian-12", (), ())
    return render_files(recipe, VARIANT, lock, BASE)["Dockerfile"]


@pytest.fixture
def bench(engine: Engine, base_image: str, cache_dir: Path, tmp_path: Path) -> Iterator[Bench]:
    program = tmp_path / "program"
    program.mkdir()
    for name in ("train", "serve"):
        (program / name).write_text("#!/bin/sh\n", "utf-8")
        (program / name).chmod(0o755)
    staged = stage_program(program, read_program(program), tmp_path / "staged")
    with Images(engine) as images:
        contexts = {
            base_name(VARIANT, None): f"docker-image://{base_image}",
            "uv": make_uv_context(cache_dir, images, driver="docker", env=dict(os.environ)),
        }
        bench = Bench(tmp_path, engine, images, contexts, staged)
        try:
            yield bench
        finally:
            for tag in bench.tags:
                images.remove(tag)


def test_a_build_returns_the_id_of_the_image_that_its_tag_names(bench: Bench) -> None:
    spec = bench.spec(render(), labels={"io.twinforge.key": "k" * 64})
    built = bench.build(spec)
    image = bench.inspect(spec.tags[0])
    assert image.id == built.image_id
    assert image.labels["io.twinforge.key"] == "k" * 64
    assert image.labels["org.opencontainers.image.title"] == "tiny"
    assert image.created == "2000-01-01T00:00:00Z"
    assert image.config["Cmd"] is None
    assert image.config["Entrypoint"] is None


def test_two_builds_from_scratch_give_the_same_image(bench: Bench) -> None:
    ids = set()
    for name in ("one", "two"):
        # A mount that differs makes every step run again, and is no part of what it leaves.
        salt = bench.folder / name
        salt.mkdir()
        (salt / "salt").write_text(uuid.uuid4().hex, "utf-8")
        mount = "--mount=type=bind,from=salt,target=/mnt"
        dockerfile = render().replace("\nRUN ", f"\nRUN {mount} ")
        assert mount in dockerfile
        built = bench.build(bench.spec(dockerfile, contexts={"salt": str(salt)}))
        assert not any(line.startswith("= [python") and "(cached)" in line for line in built.log)
        ids.add(built.image_id)
    assert len(ids) == 1


def test_a_program_with_other_files_of_the_same_sizes_is_the_one_in_the_image(
    bench: Bench,
) -> None:
    # BuildKit would take a file of the same path, size and time for what it was sent before, in a
    # build whose context had the same name
    for word in (uuid.uuid4().hex, uuid.uuid4().hex):
        program = bench.folder / word
        program.mkdir()
        (program / "train").write_text(f"#!/bin/sh\necho {word}\n", "utf-8")
        (program / "train").chmod(0o755)
        staged = stage_program(program, read_program(program), bench.folder / f"staged-{word}")
        spec = bench.spec(render(), program=staged)
        spec = replace(spec, folder=spec.folder.rename(program / "cpu-py3.11-debian12"))
        bench.build(spec)
        status, output = bench.images.run_command(spec.tags[0], ["train"])
        assert (status, output.strip()) == (0, word)


def test_values_are_in_the_image_as_they_were_written(bench: Bench) -> None:
    env = {
        "COMMANDS": "$(touch /pwned) `touch /pwned`; touch /pwned",
        "DOLLARS": "$HOME ${PATH:-none} $$ \\$HOME",
        "QUOTES": 'say "hi", it\'s',
        "BACKSLASHES": 'C:\\temp\\ \\\\host \\" \\\\" end\\',
        "HEREDOC": "<<EOF",
        "SPACES": "  two  before, two after  ",
        "HASH": "# no comment",
        "SCRIPTS": "naïve Ωmega\u00a0日本 a\u200db",
        "EMPTY": "",
    }
    step = "test ! -e /pwned\ncat > /step <<'EOF'\nRUN \"touch\" $HOME \\\nEOF\n"
    spec = bench.spec(render(env=env, steps=(step, "grep -qxF 'RUN \"touch\" $HOME \\' /step")))
    bench.build(spec)
    image = bench.inspect(spec.tags[0])
    found = dict(pair.split("=", 1) for pair in image.config["Env"])
    assert {name: found[name] for name in env} == env
    assert image.labels["org.opencontainers.image.description"] == RECIPE.description
    status, output = run(bench, spec.tags[0], "test ! -e /pwned && printenv COMMANDS")
    assert (status, output) == (0, f"{env['COMMANDS']}\n")


def test_the_program_is_on_the_path_and_runs(bench: Bench) -> None:
    spec = bench.spec(render())
    bench.build(spec)
    script = "for name in train serve python; do command -v $name; done; stat -c '%a %Y' /program /program/train"
    assert run(bench, spec.tags[0], script) == (
        0,
        f"/program/train\n/program/serve\n/opt/venv/bin/python\n755 {EPOCH}\n755 {EPOCH}\n",
    )


def test_a_step_that_fails_is_named_with_its_line_and_its_last_output(bench: Bench) -> None:
    dockerfile = render(steps=("true", "echo first; echo last words; exit 3"))
    line = dockerfile[: dockerfile.index("last words")].count("\n") + 1
    spec = bench.spec(dockerfile)
    with pytest.raises(VariantFailedError) as caught:
        bench.build(spec)
    failure = caught.value.failure
    assert (failure.stage, failure.line, failure.message) == ("system", line, "exit code: 3")
    assert failure.output == "first\nlast words"
    assert caught.value.message == (
        f"tiny/cpu failed in stage 'system', {spec.folder.name}/Dockerfile:{line}: "
        "exit code: 3: last words"
    )
    assert bench.images.inspect(spec.tags[0]) is None


def test_a_failure_is_told_and_not_what_was_stopped_because_of_it(bench: Bench) -> None:
    base = base_name(VARIANT, None)
    spec = bench.spec(
        f"FROM {base} AS base\n"
        "FROM base AS slow\nRUN sleep 300\n"
        "FROM base AS broken\nRUN sleep 1; echo canceled; exit 4\n"
        "FROM base\nCOPY --from=slow /etc/hostname /a\nCOPY --from=broken /etc/hostname /b\n"
    )
    with pytest.raises(VariantFailedError) as caught:
        bench.build(spec)
    failure = caught.value.failure
    assert (failure.stage, failure.line, failure.output) == ("broken", 5, "canceled")


def test_a_cancelled_build_ends_and_leaves_no_tag(bench: Bench) -> None:
    step = f"echo it sleeps; sleep 300; echo {uuid.uuid4()}"  # never in a cache
    spec = bench.spec(render(steps=(step,)))
    cancelled = threading.Event()
    errors: list[VariantFailedError] = []

    def log(line: str) -> None:
        # Not when the step is announced: what has not quite started BuildKit fails to end, and it
        # would sleep on beside later tests, in the network of their containers.
        if line == "  it sleeps":
            cancelled.set()

    def work() -> None:
        try:
            Buildx(bench.engine).build(spec, log=log, on_step=lambda *_: None, cancelled=cancelled)
        except VariantFailedError as error:
            errors.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    worker.join(PATIENCE_S)
    cancelled.set()
    worker.join(PATIENCE_S)
    assert not worker.is_alive()
    assert [error.message for error in errors] == ["tiny/cpu was cancelled"]
    assert bench.images.inspect(spec.tags[0]) is None


def test_secrets_and_proxies_reach_the_step_and_stay_nowhere(bench: Bench) -> None:
    secret = bench.folder / "ca, and more.pem"
    secret.write_text(SECRET, "utf-8")
    spec = bench.spec(
        f"FROM {base_name(VARIANT, None)}\n"
        "RUN --mount=type=secret,id=ca,target=/run/secrets/ca.pem "
        '[ "$(wc -c < /run/secrets/ca.pem)" = '
        f'{len(SECRET)} ] && [ -n "$HTTPS_PROXY" ] && touch /seen\n'
        "RUN test -e /seen\n",
        secrets={"ca": secret},
    )
    proxied = {**bench.engine.env, "HTTPS_PROXY": f"http://user:{SECRET}@proxy.example.com:3128"}
    built = bench.build(spec, engine=replace(bench.engine, env=proxied))
    docker, env = bench.engine.docker, bench.engine.env
    history = process.run([docker, "history", "--no-trunc", spec.tags[0]], env=env).stdout
    inspected = process.run([docker, "image", "inspect", spec.tags[0]], env=env).stdout
    assert "touch /seen" in history
    for text in (history, inspected, *built.log, *built.steps):
        assert SECRET not in text
    tail = b""
    for chunk in bench.images.save([spec.tags[0]]):
        assert SECRET.encode() not in tail + chunk
        tail = chunk[-len(SECRET) :]


def run(bench: Bench, image: str, script: str) -> tuple[int, str]:
    """Run a script in an image; return its status and what it printed."""
    argv = [bench.engine.docker, "run", "--rm", "--network=none", image, "sh", "-c", script]
    done = process.run(argv, env=bench.engine.env, timeout_s=PATIENCE_S, check=False)
    return done.status, done.stdout


def test_debian_packages_are_fetched_by_their_hashes_and_else_asked_of_the_archive(
    bench: Bench, cache_dir: Path
) -> None:
    apt = ContainerApt({}, engine=bench.engine, cache_dir=cache_dir, listener=ignore)
    debs = apt.closure(VARIANT, [AptPackage("libgomp1")])
    assert all(deb.path and deb.sha256 for deb in debs)
    builds = {
        "by hash": debs,
        # no archive has such a version: only the files themselves can have been installed
        "by nothing but the hash": tuple(replace(deb, version="0-never") for deb in debs),
        "gone": tuple(replace(deb, path=f"pool/gone/{deb.name}.deb") for deb in debs),
        "another": tuple(replace(deb, sha256="0" * 64) for deb in debs),
    }
    layers = set()
    for how, locked in builds.items():
        bench.build(spec := bench.spec(*render_apt(locked, how)))
        layers.add(bench.inspect(spec.tags[0]).layers[1])
    assert len(layers) == 1


def render_apt(debs: tuple[Deb, ...], how: str) -> tuple[str, str]:
    """Return the Dockerfile of an image with nothing but Debian packages, and the list of files.

    ``how`` makes its step another than that of all others, so that it runs; and nothing that
    another step has fetched is there.
    """
    files = render_files(RECIPE, VARIANT, VariantLock(VARIANT.slug, "debian-12", debs, ()), BASE)
    dockerfile = files["Dockerfile"].replace("set -eu;", f"set -eu; : {how};")
    dockerfile = dockerfile.replace("id=twinforge-apt", f"id={uuid.uuid4().hex}")
    return dockerfile, files["debs.txt"]
